// The second stage's step (Kawar et al. 2023, section 3.2, B): the denoiser moves, the embedding stays.

import Autodiff
import Layers
import Models
import Tensors

/// Fine-tunes the denoiser so that, given the optimised embedding, it reproduces one photograph.
struct WeightsTrainer {
  let unet: UNet2DConditionModel
  private let batches: TrainingBatches
  private let adam: Adam
  /// `[batch, tokens, width]`
  private let context: Variable

  /// - Parameters:
  ///   - parameters: those of the denoiser that move.
  ///   - embedding: the optimised one, `[tokens, width]`.
  ///   - step: how many steps the moments have seen.
  ///   - moments: Adam's state by the parameters' names; empty at the start.
  init(
    unet: UNet2DConditionModel, parameters: [Parameter], batches: TrainingBatches,
    learningRate: Double, embedding: Tensor, step: Int, moments: [String: Adam.Moments]
  ) {
    self.unet = unet
    self.batches = batches
    let one = embedding.reshaped(Shape([1] + embedding.shape.array))
    context = Variable(Tensor(concatenating: Array(repeating: one, count: batches.size)))
    adam = Adam(learningRate: Float(learningRate), step: step, moments: moments)
    adam.attach(to: parameters)
  }

  /// Adam's state by the parameters' names; empty before the first step.
  var moments: [String: Adam.Moments] { adam.moments }

  /// Trains one step and gives its loss. A loss that is not finite changes nothing.
  func step(_ number: Int) -> Float {
    let (noisy, timesteps, target) = batches.batch(number)
    let tape = Tape()
    let loss = tape.record {
      meanSquaredError(unet(Variable(noisy), timesteps: timesteps, context: context), target)
    }
    guard loss.value.scalar.isFinite else { return loss.value.scalar }
    adam.beginStep()
    tape.backward(from: loss)
    return loss.value.scalar
  }
}
