// The latents of all training pictures, made once by the trained autoencoder.

import Autodiff
import Checkpoints
import Editing
import Foundation
import Layers
import Models
import Tensors

/// Makes the latents that a denoiser is trained on.
enum Latents {
  /// How many pictures' latents a file holds.
  private static let chunk = 4096
  private static let batch = 32

  /// The latents of all pictures, `[count, side, side, channels]`, read from the folder's files where they are made
  /// already by the same autoencoder.
  /// - Parameters:
  ///   - digest: of the autoencoder and the pictures.
  /// - Throws: `StoreError`; `EditingError`, `stopped`.
  static func all(
    of pictures: PictureCache, by model: AutoencoderKL, digest: String, folder: String,
    report: (StageEvent) -> Void
  ) throws -> Tensor {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let side = pictures.size / model.configuration.factor
    let channels = model.configuration.latentChannels
    let each = side * side * channels
    let result = Tensor(uninitialized: [pictures.count, side, side, channels])
    for start in stride(from: 0, to: pictures.count, by: chunk) {
      let numbers = start..<min(start + chunk, pictures.count)
      let path = "\(folder)/latents-\(start / chunk).h5"
      let shape = [numbers.count, side, side, channels]
      if let part = try saved(path, digest: digest, shape: shape) {
        (result.pointer + start * each).update(from: part.pointer, count: part.count)
        continue
      }
      let part = Tensor(uninitialized: Shape(shape))
      for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: batch) {
        if StopSignal.number != nil {
          throw EditingError(.stopped, "stopped while latents were made; the same command goes on")
        }
        let some = Array(first..<min(first + batch, numbers.upperBound))
        let latent = model.latent(of: pictures.pictures(some))
        (part.pointer + (first - start) * each).update(from: latent.pointer, count: latent.count)
        report(
          .progress(
            StageProgress(
              stage: .latents, step: first + some.count, steps: pictures.count)))
      }
      try StoreFile(attributes: ["digest": .string(digest)], datasets: ["/latents": .floats(part)])
        .save(to: path)
      (result.pointer + start * each).update(from: part.pointer, count: part.count)
    }
    return result
  }

  private static func saved(_ path: String, digest: String, shape: [Int]) throws -> Tensor? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try StoreFile.read(path) { _ in true }
    guard try file.string("digest") == digest else { return nil }
    return try file.tensor("/latents", shape: shape)
  }

  /// The mean and the standard deviation of each channel of the latents of pictures.
  static func spread(of pictures: PictureCache, by model: AutoencoderKL, count: Int)
    -> (means: [Double], deviations: [Double])
  {
    let channels = model.configuration.latentChannels
    var sums = [Double](repeating: 0, count: channels)
    var squares = sums
    var total = 0
    // Evenly over all pictures, for folders may follow each other.
    let count = min(count, pictures.count)
    let numbers = (0..<count).map { $0 * pictures.count / count }
    for start in stride(from: 0, to: count, by: batch) {
      let part = Array(numbers[start..<min(start + batch, count)])
      let latent = model.encode(pictures.pictures(part)).mean
      for index in 0..<latent.count {
        let value = Double(latent.pointer[index])
        sums[index % channels] += value
        squares[index % channels] += value * value
      }
      total += latent.count / channels
    }
    let means = sums.map { $0 / Double(total) }
    return (
      means,
      zip(squares, means).map { max($0 / Double(total) - $1 * $1, 1e-12).squareRoot() }
    )
  }

  /// Makes every channel of the latents have mean 0 and variance 1 by changing the two 1x1 convolutions around them; the
  /// pictures that come back stay the same.
  /// - Parameter weights: the autoencoder's, by diffusers' names, in diffusers' shapes.
  static func normalize(
    _ weights: [String: Tensor], means: [Double], deviations: [Double]
  ) -> [String: Tensor] {
    let channels = means.count
    var result = weights
    func copy(_ name: String) -> Tensor {
      let tensor = weights[name]!.copy()
      result[name] = tensor
      return tensor
    }
    let (into, intoBias) = (copy("quant_conv.weight"), copy("quant_conv.bias"))
    for channel in 0..<channels {
      for input in 0..<2 * channels {
        into.pointer[channel * 2 * channels + input] /= Float(deviations[channel])
      }
      intoBias.pointer[channel] = Float(
        (Double(intoBias.pointer[channel]) - means[channel]) / deviations[channel])
      // The variance is divided by the square.
      intoBias.pointer[channels + channel] -= Float(2 * log(deviations[channel]))
    }
    let (out, outBias) = (copy("post_quant_conv.weight"), copy("post_quant_conv.bias"))
    for output in 0..<channels {
      var shift = 0.0
      for channel in 0..<channels {
        let index = output * channels + channel
        shift += Double(out.pointer[index]) * means[channel]
        out.pointer[index] *= Float(deviations[channel])
      }
      outBias.pointer[output] += Float(shift)
    }
    return result
  }
}
