// The first part of a base's training: pictures to latents and back.

import Autodiff
import Glibc
import Layers
import Models
import Tensors

/// Trains an autoencoder on crops of pictures and then on whole ones.
final class AutoencoderTraining {
  let model: AutoencoderKL
  let optimizer: Optimizer
  private let recipe: Recipe.Autoencoder
  private let pictures: PictureCache
  private let seed: UInt64
  private var order: DataOrder

  init(_ model: AutoencoderKL, _ recipe: Recipe.Autoencoder, pictures: PictureCache, seed: UInt64) {
    self.model = model
    self.recipe = recipe
    self.pictures = pictures
    self.seed = seed
    order = DataOrder(count: pictures.count, seed: seed)
    optimizer = Optimizer(model.parameters, recipe.training)
  }

  /// Trains a step and gives its loss. One that is not finite changes nothing.
  func step(_ number: Int) -> Float {
    let parts = recipe.training.accumulate
    var sum: Float = 0
    for part in 0..<parts {
      let target = batch(number, part: part)
      let form = model.configuration
      let latent: Shape = [
        target.shape[0], target.shape[1] / form.factor, target.shape[2] / form.factor,
        form.latentChannels,
      ]
      let noise = Philox(seed: seed, stream: .posterior, step: number * parts + part).normal(latent)
      let tape = Tape()
      let loss = tape.record {
        let moments = model.moments(Variable(target))
        let error = reconstructionError(
          model.decode(sampleGaussian(moments, noise: noise)), target,
          edgeWeight: Float(recipe.edgeWeight))
        return (1 / Float(parts))
          * (error + Float(recipe.divergenceWeight) * gaussianDivergence(moments))
      }
      sum += loss.value.scalar
      guard sum.isFinite else { break }
      tape.backward(from: loss)
    }
    guard sum.isFinite else { return sum }
    optimizer.update()
    return sum
  }

  /// The pictures of a part of a step: crops, half of them mirrored, or whole ones at the end, with as many pixels.
  private func batch(_ number: Int, part: Int) -> Tensor {
    let size = pictures.size
    let isCropped =
      recipe.crop < size && Double(number) < recipe.cropShare * Double(recipe.training.steps)
    let side = isCropped ? recipe.crop : size
    let each = recipe.training.batch / recipe.training.accumulate
    let count = isCropped ? each : max(1, each * recipe.crop * recipe.crop / (size * size))
    // Each sample has its own number, so that the order goes on where whole pictures begin.
    let all = order.batch(number, size: recipe.training.batch)
    let numbers = all[(part * each)..<(part * each + count)]
    let random = Philox(seed: seed, stream: .cropping, step: number)
    let result = Tensor(uninitialized: [count, side, side, 3])
    Parallel.forEach(count) { index in
      let words = random.words(block: UInt64(part * each + index))
      let room = UInt32(size - side + 1)
      pictures.read(
        numbers[numbers.startIndex + index], x: Int(words[0] % room), y: Int(words[1] % room),
        side: side, flipped: words[2] & 1 == 1, into: result.pointer + index * side * side * 3)
    }
    return result
  }

  /// The peak signal-to-noise ratio of pictures and their reconstructions by the average of the weights, in decibels:
  /// the mean over the pictures.
  func quality(of held: PictureCache, count: Int) -> Double {
    optimizer.withAverages {
      let count = min(count, held.count)
      var sum = 0.0
      for start in stride(from: 0, to: count, by: 16) {
        let batch = held.pictures(Array(start..<min(start + 16, count)))
        let decoded = model.decode(Variable(model.encode(batch).mean)).value.clamped(to: -1...1)
        for index in 0..<batch.shape[0] {
          sum += peakSignalToNoise(
            batch.slice(index..<(index + 1)), decoded.slice(index..<(index + 1)))
        }
      }
      return sum / Double(count)
    }
  }
}

/// 10 log10 of the squared range, 2, over the mean squared error, in decibels.
func peakSignalToNoise(_ a: Tensor, _ b: Tensor) -> Double {
  10 * log10(4 / max(a.meanSquaredDifference(b), 1e-12))
}
