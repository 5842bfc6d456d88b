// The last part of a base's training: the text encoder and the denoiser, together.

import Autodiff
import Diffusion
import Layers
import Models
import Tensors

/// Trains text encoder and denoiser on latents and captions.
final class DenoiserTraining {
  let text: CLIPTextModel
  let unet: UNet2DConditionModel
  let optimizer: Optimizer
  private let recipe: Recipe.Denoiser
  private let schedule: NoiseSchedule
  /// `[count, side, side, channels]`
  private let latents: Tensor
  /// `[count, side, side, 1]`: the share of each element that belongs to things; nil where all elements count the same.
  private let masks: Tensor?
  /// The tokens of each caption, and of none.
  private let captions: [[Int]]
  private let empty: [Int]
  private let seed: UInt64
  private var order: DataOrder

  init(
    text: CLIPTextModel, unet: UNet2DConditionModel, _ recipe: Recipe.Denoiser,
    schedule: NoiseSchedule, latents: Tensor, masks: Tensor? = nil, captions: [[Int]], empty: [Int],
    seed: UInt64
  ) {
    self.text = text
    self.unet = unet
    self.recipe = recipe
    self.schedule = schedule
    self.latents = latents
    self.masks = masks
    self.captions = captions
    self.empty = empty
    self.seed = seed
    order = DataOrder(count: captions.count, seed: seed)
    optimizer = Optimizer(text.parameters + unet.parameters, recipe.training)
  }

  /// The parameters' names in a checkpoint, in the optimiser's order.
  var names: [String] {
    text.parameters.map { "text_encoder/\($0.name)" } + unet.parameters.map { "unet/\($0.name)" }
  }

  /// Trains a step and gives its loss. One that is not finite changes nothing.
  func step(_ number: Int) -> Float {
    let parts = recipe.training.accumulate
    let size = recipe.training.batch
    let each = size / parts
    let timesteps = schedule.trainingTimesteps(batch: size, seed: seed, step: number)
    let pictures = order.batch(number, size: size)
    let drops = Philox(seed: seed, stream: .selection, step: number).uniform(count: size)
    var sum: Float = 0
    for part in 0..<parts {
      let range = (part * each)..<((part + 1) * each)
      let noise = Philox(seed: seed, stream: .trainingNoise, step: number * parts + part)
      let loss = loss(
        pictures: Array(pictures[range]), timesteps: Array(timesteps[range]),
        captions: range.map {
          Double(drops[$0]) < recipe.captionDropout ? empty : captions[pictures[$0]]
        }, latents: latents, noise: noise, share: 1 / Float(parts), backward: true)
      sum += loss
      guard sum.isFinite else { return sum }
    }
    optimizer.update()
    return sum
  }

  private func loss(
    pictures: [Int], timesteps: [Int], captions: [[Int]], latents: Tensor, noise: Philox,
    share: Float, backward: Bool
  ) -> Float {
    let clean = latents.entries(pictures)
    let noise = noise.normal(clean.shape)
    let noisy = schedule.noisy(clean, noise: noise, timesteps: timesteps)
    let target = schedule.target(clean: clean, noise: noise, timesteps: timesteps)
    func run() -> Variable {
      let prediction = unet(Variable(noisy), timesteps: timesteps, context: text(captions))
      // Held-out pictures are measured alike, however things are weighted.
      guard let masks, backward else { return share * meanSquaredError(prediction, target) }
      let weights = weights(masks.entries(pictures), channels: latents.shape.last)
      return share * meanSquaredError(prediction, target, weights: weights)
    }
    guard backward else { return run().value.scalar }
    let tape = Tape()
    let loss = tape.record(run)
    guard loss.value.scalar.isFinite else { return loss.value.scalar }
    tape.backward(from: loss)
    return loss.value.scalar
  }

  /// The weights of errors, by which things count `thingWeight` times as much as what is around them.
  private func weights(_ masks: Tensor, channels: Int) -> Tensor {
    let result = Tensor(uninitialized: Shape(masks.shape.array.dropLast() + [channels]))
    let more = Float(recipe.thingWeight) - 1
    for element in 0..<masks.count {
      (result.pointer + element * channels).update(
        repeating: 1 + more * masks.pointer[element], count: channels)
    }
    return result
  }

  /// The mean loss of the average of the weights on other pictures, whose timesteps and noise are always the same.
  /// - Parameters:
  ///   - held: `[count, side, side, channels]`.
  ///   - captions: the tokens of their captions.
  func heldOutLoss(_ held: Tensor, captions: [[Int]]) -> Double {
    optimizer.withAverages {
      var sum = 0.0
      let size = 32
      for start in stride(from: 0, to: captions.count, by: size) {
        let numbers = Array(start..<min(start + size, captions.count))
        let loss = loss(
          pictures: numbers,
          timesteps: schedule.trainingTimesteps(batch: numbers.count, seed: 1, step: start),
          captions: numbers.map { captions[$0] }, latents: held,
          noise: Philox(seed: 1, stream: .trainingNoise, step: start), share: 1, backward: false)
        sum += Double(loss) * Double(numbers.count)
      }
      return sum / Double(captions.count)
    }
  }

  /// Samples of captions by the average of the weights: DDIM in 25 steps with guidance, `[captions, side, side, channels]`.
  func samples(_ captions: [[Int]], guidanceScale: Float) throws -> Tensor {
    try optimizer.withAverages {
      let shape = Shape([captions.count] + latents.shape.array.dropFirst())
      let noise = Philox(seed: 0, stream: .samplingNoise).normal(shape)
      let context = Variable(text(Array(repeating: empty, count: captions.count) + captions).value)
      let denoise = guided(scale: guidanceScale) { latent, timestep in
        self.unet(
          Variable(latent), timesteps: Array(repeating: timestep, count: latent.shape[0]),
          context: context
        ).value
      }
      var walk = try ddim(from: noise, schedule: schedule, steps: 25, denoise: denoise)
      return try walk.finish()
    }
  }
}

extension Tensor {
  /// Some of the entries along the first axis, in this order.
  fileprivate func entries(_ numbers: [Int]) -> Tensor {
    let result = Tensor(uninitialized: Shape([numbers.count] + shape.array.dropFirst()))
    let each = count / shape[0]
    for (index, number) in numbers.enumerated() {
      (result.pointer + index * each).update(from: pointer + number * each, count: each)
    }
    return result
  }
}
