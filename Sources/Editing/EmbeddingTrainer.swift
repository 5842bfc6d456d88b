// The first stage's step (Kawar et al. 2023, section 3.2, A): the embedding moves, the denoiser stays.

import Autodiff
import Layers
import Models
import Tensors

/// Optimises an embedding so that the frozen denoiser denoises one photograph.
struct EmbeddingTrainer {
  private static let name = "embedding"

  private let unet: UNet2DConditionModel
  private let batches: TrainingBatches
  private let adam: Adam
  /// `[tokens, width]`, changed in place by each step.
  let embedding: Tensor

  /// - Parameters:
  ///   - embedding: where to begin, `[tokens, width]`.
  ///   - step: how many steps the moments have seen.
  ///   - moments: Adam's state; nil at the start.
  init(
    unet: UNet2DConditionModel, batches: TrainingBatches, learningRate: Double, embedding: Tensor,
    step: Int, moments: Adam.Moments?
  ) {
    self.unet = unet
    self.batches = batches
    self.embedding = embedding.copy()
    adam = Adam(
      learningRate: Float(learningRate), step: step,
      moments: moments.map { [Self.name: $0] } ?? [:])
  }

  /// Adam's state.
  var moments: Adam.Moments {
    adam.moments[Self.name]
      ?? Adam.Moments(
        mean: Tensor(zeros: embedding.shape), variance: Tensor(zeros: embedding.shape))
  }

  /// Trains one step and gives its loss. A loss that is not finite changes nothing.
  func step(_ number: Int) -> Float {
    let (noisy, timesteps, target) = batches.batch(number)
    let leaf = Variable.leaf(embedding.reshaped(Shape([1] + embedding.shape.array)))
    let tape = Tape()
    let loss = tape.record {
      let context = repeatBatch(leaf, timesteps.count)
      return meanSquaredError(
        unet(Variable(noisy), timesteps: timesteps, context: context), target)
    }
    guard loss.value.scalar.isFinite else { return loss.value.scalar }
    tape.backward(from: loss)
    adam.beginStep()
    if let gradient = leaf.gradient {
      adam.update(Self.name, embedding, gradient: gradient.reshaped(embedding.shape))
    }
    return loss.value.scalar
  }
}
