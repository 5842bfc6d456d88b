// Whether a denoiser finds a sentence in a picture.

import Autodiff
import Diffusion
import Models
import Tensors

/// Asks a denoiser which of two embeddings describes a picture better.
///
/// A diffusion model is a classifier: the smaller the error with which it denoises a picture given a text, the likelier
/// is the text for the picture (Li et al., "Your Diffusion Model is Secretly a Zero-Shot Classifier", ICCV 2023, equation
/// 6; with the same noise for all texts, as their section 4.2 has it).
struct EditMeter {
  /// At how many noise levels a picture is denoised.
  static let levels = 8

  private let unet: UNet2DConditionModel
  private let schedule: NoiseSchedule
  private let seed: UInt64

  /// - Parameter seed: of the noise, which all pictures and embeddings get the same of.
  init(unet: UNet2DConditionModel, schedule: NoiseSchedule, seed: UInt64) {
    self.unet = unet
    self.schedule = schedule
    self.seed = seed
  }

  /// The timesteps, each in the middle of one of equal parts of the schedule.
  var timesteps: [Int] {
    let total = schedule.parameters.trainingSteps
    return (0..<Self.levels).map { (2 * $0 + 1) * total / (2 * Self.levels) }
  }

  /// How much better `target` describes a picture than `source` does: the mean over the noise levels of the error given
  /// `source` less that given `target`, above 0 where `target` does.
  /// - Parameters:
  ///   - latent: of the picture, `[1, height, width, channels]`.
  ///   - target: `[1, tokens, width]`, as `source`.
  ///   - afterLevel: called after each level; what it throws ends the measuring.
  func advantage(
    of target: Tensor, over source: Tensor, for latent: Tensor, afterLevel: () throws -> Void
  ) rethrows -> Double {
    var sum = 0.0
    for (index, timestep) in timesteps.enumerated() {
      let noise = Philox(seed: seed, stream: .measurement, step: index).normal(latent.shape)
      let noisy = schedule.noisy(latent, noise: noise, timesteps: [timestep])
      let wanted = schedule.target(clean: latent, noise: noise, timesteps: [timestep])
      func error(given embedding: Tensor) -> Double {
        unet(Variable(noisy), timesteps: [timestep], context: Variable(embedding)).value
          .meanSquaredDifference(wanted)
      }
      sum += error(given: source) - error(given: target)
      try afterLevel()
    }
    return sum / Double(Self.levels)
  }
}
