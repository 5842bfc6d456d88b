import Testing

@testable import Tensors

/// A picture and the kernel of it when it is twice as large.
private struct Case: CustomTestStringConvertible {
  var batch = 1
  var height: Int
  var width: Int
  var inputs: Int
  var outputs: Int

  var testDescription: String {
    "[\(batch), \(height), \(width), \(inputs)] to \(outputs) channels"
  }

  var x: Tensor { random([batch, height, width, inputs], 1) }
  /// In the order of the definition.
  var rows: Tensor { random([3, 3, inputs, outputs], 2) }
  /// As they lie in memory.
  var weights: Tensor {
    rows.ordered(
      as: ConvolutionGeometry(kernel: 3).weightsShape(inputs: inputs, outputs: outputs))
  }
  var bias: Tensor { random([outputs], 3) }
  var gradient: Tensor { random([batch, 2 * height, 2 * width, outputs], 4) }
  /// Made of the small picture, whether or not that is faster.
  var fastInputGradient: Tensor {
    KernelStrips.with(weights) { UpsampledConvolution.inputGradient(gradient, $0) }
  }
  var isFast: Bool {
    UpsampledConvolution.suits(
      batch: batch, height: height, width: width, inputs: inputs, outputs: outputs)
  }

  static let fast = [
    Case(height: 8, width: 8, inputs: 48, outputs: 80),
    Case(height: 2, width: 32, inputs: 16, outputs: 16),
    // Several pictures of a few tiles, in one task and in several.
    Case(batch: 3, height: 4, width: 6, inputs: 32, outputs: 160),
    Case(batch: 5, height: 6, width: 10, inputs: 112, outputs: 64),
    Case(batch: 16, height: 2, width: 2, inputs: 16, outputs: 48),
    // Pictures in several tasks, one below the other, of which the last is shorter.
    Case(height: 26, width: 20, inputs: 80, outputs: 96),
    Case(batch: 2, height: 18, width: 34, inputs: 64, outputs: 32),
    // Rows of more tiles than a task has otherwise.
    Case(height: 4, width: 260, inputs: 16, outputs: 32),
  ]
  static let slow = [
    Case(height: 4, width: 4, inputs: 64, outputs: 48),
    Case(height: 7, width: 12, inputs: 32, outputs: 32),
    Case(height: 12, width: 9, inputs: 32, outputs: 32),
    Case(height: 10, width: 8, inputs: 24, outputs: 16),
    Case(height: 10, width: 8, inputs: 16, outputs: 17),
  ]
}

@Suite struct UpsampledConvolutionTests {
  private static let geometry = ConvolutionGeometry(kernel: 3)

  @Test(arguments: Case.fast + Case.slow)
  private func agreesWithItsDefinition(_ test: Case) {
    #expect(test.isFast == Case.fast.contains { $0.testDescription == test.testDescription })
    let enlarged = test.x.resizedToNearest(height: 2 * test.height, width: 2 * test.width)
    poisonPool()
    let found = upsampledConvolution(test.x, test.weights, bias: test.bias)
    let expected = naiveConvolution(enlarged, test.rows, bias: test.bias, Self.geometry)
    #expect(relativeError(found, expected) <= 1e-5)
    #expect(
      relativeError(
        upsampledConvolution(test.x, test.weights, bias: nil),
        naiveConvolution(enlarged, test.rows, bias: nil, Self.geometry)) <= 1e-5)
  }

  @Test(arguments: Case.fast + Case.slow)
  private func theInputGradientAgreesWithItsDefinition(_ test: Case) {
    let (tall, wide) = (2 * test.height, 2 * test.width)
    let direct = Winograd.$isUsed.withValue(false) {
      convolutionInputGradient(
        test.gradient, test.weights, inputShape: [test.batch, tall, wide, test.inputs],
        Self.geometry
      ).nearestGradient(inputShape: test.x.shape)
    }
    poisonPool()
    let found = upsampledConvolutionInputGradient(test.gradient, test.weights)
    #expect(found.shape == test.x.shape)
    #expect(relativeError(found, direct) <= 1e-5)
    guard test.isFast else { return }
    poisonPool()
    let fast = test.fastInputGradient
    #expect(relativeError(fast, direct) <= 1e-5)
  }

  /// Strips of 80 columns, where a core has so large a cache, and weights that come from memory.
  @Test(arguments: [(16, 640, 320), (8, 1280, 80), (40, 208, 176)])
  func manyChannelsAgreeWithTheDirectForm(side: Int, inputs: Int, outputs: Int) {
    let test = Case(height: side, width: side, inputs: inputs, outputs: outputs)
    let (direct, directSlope) = Winograd.$isUsed.withValue(false) {
      (
        upsampledConvolution(test.x, test.weights, bias: test.bias),
        upsampledConvolutionInputGradient(test.gradient, test.weights)
      )
    }
    let found = upsampledConvolution(test.x, test.weights, bias: test.bias)
    let slope = test.fastInputGradient
    #expect(relativeError(found, direct) <= 1e-5)
    #expect(relativeError(slope, directSlope) <= 1e-5)
  }

  @Test(arguments: [(1, 16, 64), (3, 26, 96), (9, 4, 160)])
  func doesNotDependOnTheNumberOfThreads(_ batch: Int, _ side: Int, _ channels: Int) {
    let test = Case(batch: batch, height: side, width: side, inputs: channels, outputs: 80)
    expectSameBytesOnAnyThreads {
      [
        upsampledConvolution(test.x, test.weights, bias: test.bias),
        test.fastInputGradient,
      ]
    }
  }
}
