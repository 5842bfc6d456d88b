// Where an edit belongs, found by the model itself: Couairon et al., "DiffEdit: Diffusion-based semantic image editing with
// mask guidance", ICLR 2023, section 3.2, step 1.

import Autodiff
import Diffusion
import Images
import Models
import Tensors

/// Finds the mask of an edit: where the noise that the model sees in the photograph depends on the sentence.
struct MaskFinder {
  /// The paper's: half of all differences up to the largest that count.
  static let publishedThreshold = 0.5
  /// How many draws of noise the differences are averaged over, as in the paper.
  static let draws = 10
  /// The share of the timesteps at which the photograph gets its noise, as in the paper.
  static let strength = 0.5
  /// Differences count up to so many times their mean, so that a few large ones don't hide the others.
  static let ceiling: Float = 3

  let unet: UNet2DConditionModel
  let schedule: NoiseSchedule
  /// The embedding of the sentence and the one that stands for the photograph, `[1, tokens, width]`.
  let target: Tensor
  let source: Tensor

  /// The mean over draws and channels of how far the noise predicted for the sentence is from that predicted for
  /// `source`, `[height, width]`.
  /// - Parameters:
  ///   - latent: the photograph's, `[1, height, width, channels]`.
  ///   - seed: of the draws. A draw depends on it and its number alone.
  ///   - afterDraw: called after each draw; what it throws ends the search.
  func differences(
    in latent: Tensor, seed: UInt64, afterDraw: () throws -> Void
  ) rethrows -> Tensor {
    let timestep = Int(Double(schedule.parameters.trainingSteps - 1) * Self.strength)
    let context = Variable(Tensor(concatenating: [source, target]))
    let channels = latent.shape[3]
    var sum = Tensor(zeros: [latent.shape[1], latent.shape[2]])
    for draw in 0..<Self.draws {
      let noise = Philox(seed: seed, stream: .maskNoise, step: draw).normal(latent.shape)
      let noisy = schedule.noisy(latent, noise: noise, timesteps: [timestep])
      let both = Tensor(concatenating: [noisy, noisy])
      let answer = unet(Variable(both), timesteps: [timestep, timestep], context: context).value
      let seen = schedule.parameters.prediction.parts(
        of: answer, for: both, alpha: schedule.alphas[timestep]
      ).noise
      let difference = Tensor(zeros: sum.shape)
      for index in 0..<latent.count {
        difference.pointer[index / channels] +=
          abs(seen.pointer[index] - seen.pointer[latent.count + index]) / Float(channels)
      }
      sum = sum + difference
      try afterDraw()
    }
    return (1 / Float(Self.draws)) * sum
  }

  /// The mask of differences: those of at least `threshold` of the ceiling, brought to a picture's size first.
  /// - Parameter differences: `[height, width]`, at least 0.
  static func mask(
    of differences: Tensor, threshold: Double, grow: Int, width: Int, height: Int
  ) -> Mask {
    let values = differences.array
    let ceiling = Self.ceiling * values.reduce(0, +) / Float(values.count)
    let small = Mask(
      width: differences.shape[1], height: differences.shape[0],
      values: values.map { ceiling > 0 ? min($0 / ceiling, 1) : 0 })
    let large = small.resized(width: width, height: height)
    return Mask(
      width: width, height: height,
      values: large.values.map { Double($0) >= threshold ? 1 : 0 }
    ).grown(by: grow)
  }
}
