// What a network that knows a thousand things sees in a picture.

import Autodiff
import Foundation
import Images
import Layers
import Tensors
import Weights

/// SqueezeNet 1.1, trained on ImageNet (Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
/// <0.5MB model size", 2016).
public struct Classifier {
  public static let name = "SqueezeNet on ImageNet"
  /// Pictures are brought to this size.
  static let side = 227

  /// A squeeze to few channels, and an expansion of them by two kernels side by side.
  private struct Fire {
    let squeeze, expand1, expand3: Convolution

    func callAsFunction(_ x: Tensor) -> Tensor {
      let narrow = Variable(rectified(squeeze(Variable(x)).value))
      return rectified(expand1(narrow).value.joiningChannels(expand3(narrow).value))
    }
  }

  private let first: Tensor
  private let firstBias: Tensor
  private let fires: [Fire]
  private let last: Convolution

  /// Reads `conv1`, `fire2.squeeze`, `.expand1` and `.expand3` to `fire9`, and `conv10`, as PyTorch has them; how many
  /// channels there are is told by the file.
  /// - Throws: `LoadingError`.
  public init(contentsOf file: URL) throws {
    let file = try SafetensorsFile(file)
    let store = ParameterStore { try file.tensor(named: $0, shape: $1) }
    func channels(_ name: String) -> Int { file.entries["\(name).bias"]?.extents.first ?? 0 }
    func convolution(_ name: String, inputs: Int, kernel: Int) throws -> Convolution {
      try Convolution(
        store.root[name], inputs: inputs, outputs: channels(name),
        ConvolutionGeometry(kernel: kernel))
    }
    first = try store.root["conv1"].parameter(
      "weight", [channels("conv1"), 3, 3, 3], .convolution
    ).value
    firstBias = try store.root["conv1"].parameter("bias", [channels("conv1")]).value
    var inputs = channels("conv1")
    fires = try (2...9).map { index in
      let name = "fire\(index)"
      let narrow = channels("\(name).squeeze")
      let fire = Fire(
        squeeze: try convolution("\(name).squeeze", inputs: inputs, kernel: 1),
        expand1: try convolution("\(name).expand1", inputs: narrow, kernel: 1),
        expand3: try convolution("\(name).expand3", inputs: narrow, kernel: 3))
      inputs = channels("\(name).expand1") + channels("\(name).expand3")
      return fire
    }
    last = try convolution("conv10", inputs: inputs, kernel: 1)
  }

  /// The logits of the classes, in ImageNet's order.
  public func logits(of picture: Picture) -> [Float] {
    let shown = picture.fitted(width: Self.side, height: Self.side, by: .stretch)
    return logits(Tensor(shown.pixels.map(Float.init), [1, Self.side, Self.side, 3])).array
  }

  /// - Parameter pictures: `[batch, height, width, 3]`, 0 to 255.
  /// - Returns: `[batch, classes]`.
  func logits(_ pictures: Tensor) -> Tensor {
    let input = prepared(pictures)
    // A frame of zeros such that each two pixels give one.
    let frame = max(0, ((input.shape[1] + 1) / 2 - 1) * 2 + 3 - input.shape[1])
    var x = rectified(
      convolution(
        input, first, bias: firstBias,
        ConvolutionGeometry(
          kernel: 3, stride: 2, paddingBefore: frame / 2, paddingAfter: frame - frame / 2)))
    for (index, fire) in fires.enumerated() {
      if [0, 2, 4].contains(index) { x = maximumPool(x, stride: 2) }
      x = fire(x)
    }
    let classes = last(Variable(x)).value
    return (1 / Float(classes.shape[1] * classes.shape[2])) * classes.sumOfPixels()
  }

  /// Blue, green and red, less their means over ImageNet, as the weights were trained.
  private func prepared(_ pictures: Tensor) -> Tensor {
    let means: [Float] = [103.939, 116.779, 123.68]
    let result = Tensor(uninitialized: pictures.shape)
    for index in 0..<result.count {
      let channel = index % 3
      result.pointer[index] = pictures.pointer[index - channel + 2 - channel] - means[channel]
    }
    return result
  }
}
