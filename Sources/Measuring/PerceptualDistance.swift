// A distance of pictures that was learned from what people find alike.

import Autodiff
import Foundation
import Images
import Layers
import Tensors
import Weights

/// The shift-tolerant form (Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022) of LPIPS (Zhang et
/// al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, equation 1): how far apart
/// the features of five convolutions of an AlexNet are, each pixel's brought to length 1, weighted by channel.
public struct PerceptualDistance {
  public static let name = "shift-tolerant LPIPS, AlexNet"
  /// Pictures that are smaller leave nothing of the last features.
  static let leastSide = 24

  private let convolutions: [Convolution]
  /// The channels' weights after each convolution.
  private let weights: [[Float]]

  /// Reads `conv1` to `conv5`, as PyTorch has them, and `linear1` to `linear5`, `[channels]`; how many channels there are
  /// is told by the file.
  /// - Throws: `LoadingError`.
  public init(contentsOf file: URL) throws {
    let file = try SafetensorsFile(file)
    let store = ParameterStore { try file.tensor(named: $0, shape: $1) }
    var inputs = 3
    var weights: [[Float]] = []
    convolutions = try [(11, 2), (5, 2), (3, 1), (3, 1), (3, 1)].enumerated().map { index, form in
      let name = "conv\(index + 1)"
      let outputs = file.entries["\(name).bias"]?.extents.first ?? 0
      let geometry = ConvolutionGeometry(
        kernel: form.0, paddingBefore: form.1, paddingAfter: form.1)
      defer { inputs = outputs }
      let convolution = try Convolution(
        store.root[name], inputs: inputs, outputs: outputs, geometry)
      weights.append(try file.tensor(named: "linear\(index + 1)", shape: [outputs]).array)
      return convolution
    }
    self.weights = weights
  }

  /// The distance, 0 for equal pictures; nil for pictures that are smaller than 24 pixels.
  /// - Precondition: both have the same size.
  public func callAsFunction(_ first: Picture, _ second: Picture) -> Double? {
    precondition((first.width, first.height) == (second.width, second.height))
    guard min(first.width, first.height) >= Self.leastSide else { return nil }
    return distances(Tensor(concatenating: [first.tensor, second.tensor]))[0]
  }

  /// The distances of the first half of a batch from the second, `[2 * count, height, width, 3]` in [-1, 1].
  func distances(_ pictures: Tensor) -> [Double] {
    let count = pictures.shape[0] / 2
    var sums = [Double](repeating: 0, count: count)
    for (features, weights) in zip(features(pictures), weights) {
      let pixels = features.shape[1] * features.shape[2]
      let channels = weights.count
      for pair in 0..<count {
        var sum = 0.0
        for pixel in 0..<pixels {
          let a = features.pointer + (pair * pixels + pixel) * channels
          let b = features.pointer + ((count + pair) * pixels + pixel) * channels
          let (lengthA, lengthB) = (length(a, channels), length(b, channels))
          for channel in 0..<channels {
            let difference = a[channel] / lengthA - b[channel] / lengthB
            sum += Double(weights[channel] * difference * difference)
          }
        }
        sums[pair] += sum / Double(pixels)
      }
    }
    return sums
  }

  private func length(_ values: UnsafeMutablePointer<Float>, _ count: Int) -> Float {
    var sum: Float = 0
    for index in 0..<count { sum += values[index] * values[index] }
    return sum.squareRoot() + 1e-10
  }

  /// What the five convolutions answer, after ReLU.
  private func features(_ pictures: Tensor) -> [Tensor] {
    var x = convolutions[0](Variable(normalized(pictures))).value
    x = rectified(blurPool(x))
    var all = [x]
    for (index, convolution) in convolutions.enumerated().dropFirst() {
      if index < 3 { x = blurPool(maximumPool(x, stride: 1)) }
      x = rectified(convolution(Variable(x)).value)
      all.append(x)
    }
    return all
  }

  /// The channels' means and deviations over ImageNet, of values in [-1, 1].
  private func normalized(_ pictures: Tensor) -> Tensor {
    let means: [Float] = [-0.030, -0.088, -0.188]
    let deviations: [Float] = [0.458, 0.448, 0.450]
    let result = pictures.copy()
    for index in 0..<result.count {
      result.pointer[index] = (result.pointer[index] - means[index % 3]) / deviations[index % 3]
    }
    return result
  }
}

/// Rectified linear units: what is below 0 is 0.
func rectified(_ x: Tensor) -> Tensor { x.clamped(to: 0...Float.greatestFiniteMagnitude) }
