import Testing

@testable import Tensors

/// Pictures and the convolution of them.
private struct Case: CustomTestStringConvertible {
  var batch = 1
  var height: Int
  var width: Int
  var inputs: Int
  var outputs: Int
  var geometry: ConvolutionGeometry

  var testDescription: String {
    "[\(batch), \(height), \(width), \(inputs)] to \(outputs) channels, kernel \(geometry.kernel), "
      + "stride \(geometry.stride), padding \(geometry.paddingBefore) and \(geometry.paddingAfter)"
  }

  var x: Tensor { random([batch, height, width, inputs], 1) }
  /// In the order of the definition.
  var rows: Tensor { random([geometry.kernel, geometry.kernel, inputs, outputs], 2) }
  /// As they lie in memory.
  var weights: Tensor {
    rows.ordered(as: geometry.weightsShape(inputs: inputs, outputs: outputs))
  }
  var bias: Tensor { random([outputs], 3) }
  var gradient: Tensor {
    random(
      [batch, geometry.outputExtent(height), geometry.outputExtent(width), outputs], 4)
  }

  static let chosen = [
    Case(height: 1, width: 23, inputs: 3, outputs: 17, geometry: ConvolutionGeometry(kernel: 3)),
    Case(height: 23, width: 1, inputs: 17, outputs: 3, geometry: ConvolutionGeometry(kernel: 3)),
    Case(height: 1, width: 1, inputs: 49, outputs: 33, geometry: ConvolutionGeometry(kernel: 3)),
    Case(height: 2, width: 2, inputs: 1, outputs: 1, geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 3, height: 17, width: 13, inputs: 33, outputs: 49,
      geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 2, height: 12, width: 20, inputs: 32, outputs: 64,
      geometry: ConvolutionGeometry(kernel: 3)),
    // Channels in several blocks, and in so many that each block is a task.
    Case(
      batch: 3, height: 9, width: 13, inputs: 112, outputs: 208,
      geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 4, height: 8, width: 7, inputs: 208, outputs: 304,
      geometry: ConvolutionGeometry(kernel: 3)),
    // So many tiles that each chunk of them is a task.
    Case(
      batch: 3, height: 61, width: 50, inputs: 16, outputs: 32,
      geometry: ConvolutionGeometry(kernel: 3)),
    // The pixels of one small picture are few rows.
    Case(height: 4, width: 4, inputs: 48, outputs: 80, geometry: ConvolutionGeometry(kernel: 3)),
    // The same with weights that come from memory.
    Case(height: 4, width: 4, inputs: 176, outputs: 176, geometry: ConvolutionGeometry(kernel: 3)),
    Case(height: 3, width: 5, inputs: 160, outputs: 192, geometry: ConvolutionGeometry(kernel: 3)),
    // Two and three tiles, cut off on either side, and as many thin pictures.
    Case(height: 7, width: 4, inputs: 48, outputs: 144, geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 3, height: 4, width: 3, inputs: 80, outputs: 32,
      geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 2, height: 2, width: 9, inputs: 16, outputs: 64,
      geometry: ConvolutionGeometry(kernel: 3)),
    // Pictures of less than a tile, one and many.
    Case(height: 2, width: 3, inputs: 48, outputs: 80, geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 21, height: 3, width: 1, inputs: 32, outputs: 144,
      geometry: ConvolutionGeometry(kernel: 3)),
    // Few tiles, the last ones cut off: four, six, and fifteen with weights that come from memory.
    Case(height: 5, width: 7, inputs: 80, outputs: 112, geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 3, height: 4, width: 6, inputs: 208, outputs: 48,
      geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      batch: 1, height: 11, width: 18, inputs: 176, outputs: 192,
      geometry: ConvolutionGeometry(kernel: 3)),
    // Three groups of four tiles, and seven with weights that come from memory: one is left over of pairs.
    Case(height: 12, width: 10, inputs: 48, outputs: 80, geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      height: 17, width: 19, inputs: 176, outputs: 192, geometry: ConvolutionGeometry(kernel: 3)),
    Case(
      height: 6, width: 7, inputs: 80, outputs: 48,
      geometry: ConvolutionGeometry(kernel: 3, stride: 2)),
    // The encoder of a KL autoencoder pads only after its pictures.
    Case(
      batch: 2, height: 11, width: 14, inputs: 17, outputs: 33,
      geometry: ConvolutionGeometry(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1)),
    Case(
      batch: 2, height: 8, width: 9, inputs: 16, outputs: 3,
      geometry: ConvolutionGeometry(kernel: 3, stride: 2)),
    Case(
      batch: 2, height: 7, width: 9, inputs: 3, outputs: 49,
      geometry: ConvolutionGeometry(kernel: 1)
    ),
    // Rows that end within the stride where columns don't, and the other way round.
    Case(
      batch: 2, height: 7, width: 10, inputs: 5, outputs: 17,
      geometry: ConvolutionGeometry(kernel: 3, stride: 2)),
    Case(
      batch: 2, height: 10, width: 7, inputs: 5, outputs: 17,
      geometry: ConvolutionGeometry(kernel: 3, stride: 2)),
    Case(
      height: 6, width: 20, inputs: 3, outputs: 33,
      geometry: ConvolutionGeometry(kernel: 5, stride: 3, paddingBefore: 0, paddingAfter: 2)),
    // Input pixels that no output reads.
    Case(
      batch: 2, height: 8, width: 10, inputs: 17, outputs: 5,
      geometry: ConvolutionGeometry(kernel: 1, stride: 3)),
    // More padding than the kernel reaches over.
    Case(
      height: 4, width: 5, inputs: 3, outputs: 4,
      geometry: ConvolutionGeometry(kernel: 1, stride: 1, paddingBefore: 2, paddingAfter: 1)),
    Case(
      height: 1, width: 9, inputs: 33, outputs: 17,
      geometry: ConvolutionGeometry(kernel: 5, stride: 2)),
  ]

  /// Drawn at random, the kernel never larger than the padded picture.
  static let drawn: [Case] = (0..<40).map { index in
    let numbers = Philox(seed: 5, stream: .selection, step: index).uniform(count: 9)
    func pick(_ place: Int, _ choices: [Int]) -> Int {
      choices[Int(numbers[place] * Float(choices.count))]
    }
    let kernel = pick(0, [1, 3, 5])
    let geometry = ConvolutionGeometry(
      kernel: kernel, stride: pick(1, [1, 2, 3]), paddingBefore: pick(2, [0, 1, 2]),
      paddingAfter: pick(3, [0, 1, 2]))
    let least = max(1, kernel - geometry.paddingBefore - geometry.paddingAfter)
    let channels = [1, 3, 16, 17, 33, 49]
    return Case(
      batch: pick(4, [1, 2, 3]), height: least + pick(5, Array(0..<12)),
      width: least + pick(6, Array(0..<20)), inputs: pick(7, channels), outputs: pick(8, channels),
      geometry: geometry)
  }
}

@Suite struct ConvolutionTests {
  @Test(arguments: Case.chosen + Case.drawn)
  private func agreesWithItsDefinition(_ test: Case) {
    let (x, weights, bias) = (test.x, test.weights, test.bias)
    poisonPool()
    let found = convolution(x, weights, bias: bias, test.geometry)
    let expected = naiveConvolution(x, test.rows, bias: bias, test.geometry)
    #expect(relativeError(found, expected) <= 1e-5)
    // In either order they are the same weights.
    let other = convolution(x, test.rows, bias: bias, test.geometry)
    #expect(other.array.map(\.bitPattern) == found.array.map(\.bitPattern))
  }

  /// So many tiles of so many channels that some processors multiply them in another order. The direct form, which the tests
  /// above hold against the definition, stands for it: the definition itself would take too long.
  @Test(arguments: [(22, 912, 400), (22, 400, 912), (41, 272, 208)])
  func manyTilesAgreeWithTheDirectForm(height: Int, inputs: Int, outputs: Int) {
    let test = Case(
      height: height, width: height + 1, inputs: inputs, outputs: outputs,
      geometry: ConvolutionGeometry(kernel: 3))
    let (x, weights, bias, gradient) = (test.x, test.weights, test.bias, test.gradient)
    func both() -> (Tensor, Tensor) {
      poisonPool()
      return (
        convolution(x, weights, bias: bias, test.geometry),
        convolutionInputGradient(gradient, weights, inputShape: x.shape, test.geometry)
      )
    }
    let found = both()
    let expected = Winograd.$isUsed.withValue(false) { both() }
    #expect(relativeError(found.0, expected.0) <= 1e-5)
    #expect(relativeError(found.1, expected.1) <= 1e-5)
  }

  /// Strips of 80 columns, whatever the second-level cache of this machine: alone, with narrower ones, and where none fits.
  @Test(
    .enabled(if: MatrixProduct.stripWidth == 48),
    arguments: [(32, 320, 160), (22, 912, 400), (41, 272, 208), (32, 240, 96)])
  func wideStripsAgreeWithTheDirectForm(side: Int, inputs: Int, outputs: Int) {
    let (x, w) = (random([1, side, side, inputs], 1), random([outputs / 16, inputs, 3, 3, 16], 2))
    let bias = random([outputs], 3)
    let direct = Winograd.$isUsed.withValue(false) {
      convolution(x, w, bias: bias, ConvolutionGeometry(kernel: 3))
    }
    for widest in [MatrixProduct.stripWidth, Row80.width] {
      let found = KernelStrips.with(w) {
        Winograd.convolution(x, $0, bias: bias, rotated: false, widestStrip: widest)
      }
      #expect(relativeError(found, direct) <= 5e-5)
    }
  }

  @Test(arguments: Case.chosen + Case.drawn)
  private func gradientsAgreeWithTheirDefinition(_ test: Case) {
    let (x, weights, gradient) = (test.x, test.weights, test.gradient)
    let expected = naiveConvolutionGradients(gradient, x, test.rows, test.geometry)
    poisonPool()
    let byInput = convolutionInputGradient(gradient, weights, inputShape: x.shape, test.geometry)
    poisonPool()
    #expect(relativeError(byInput, expected.input) <= 1e-5)
    for shape in [weights.shape, test.rows.shape] {
      poisonPool()
      let byWeights = convolutionWeightGradient(x, gradient, test.geometry, weightsShape: shape)
      #expect(byWeights.shape == shape)
      #expect(relativeError(byWeights.ordered(as: test.rows.shape), expected.weights) <= 1e-5)
      poisonPool()
      let inParts = joined(shape) {
        convolutionWeightGradient(
          x, gradient, test.geometry, weightsShape: shape, inParts: $0)
      }
      #expect(relativeError(inParts.ordered(as: test.rows.shape), expected.weights) <= 1e-5)
    }
  }

  /// Blocks of some whole rows, and square ones where there are so many tiles, and so many of either that threads share them.
  @Test(arguments: [(16, 336, 720), (18, 48, 80), (64, 208, 240), (21, 64, 1296)])
  func gradientsOfManyChannelsAgreeWithTheDirectForm(side: Int, inputs: Int, outputs: Int) {
    let test = Case(
      height: side, width: side, inputs: inputs, outputs: outputs,
      geometry: ConvolutionGeometry(kernel: 3))
    let (x, gradient) = (test.x, test.gradient)
    poisonPool()
    let found = convolutionWeightGradient(x, gradient, test.geometry)
    let inParts = joined(found.shape) {
      convolutionWeightGradient(x, gradient, test.geometry, inParts: $0)
    }
    let expected = Winograd.$isUsed.withValue(false) {
      convolutionWeightGradient(x, gradient, test.geometry)
    }
    #expect(relativeError(found, expected) <= 1e-5)
    #expect(inParts.array.map(\.bitPattern) == found.array.map(\.bitPattern))
  }

  /// The order in which sums are added up is the same, too, where products are not of few rows.
  @Test(arguments: Case.chosen + Case.drawn)
  private func theWeightGradientInPartsIsTheWholeOne(_ test: Case) {
    let whole = convolutionWeightGradient(test.x, test.gradient, test.geometry)
    let inParts = joined(whole.shape) {
      convolutionWeightGradient(test.x, test.gradient, test.geometry, inParts: $0)
    }
    #expect(inParts.array.map(\.bitPattern) == whole.array.map(\.bitPattern))
  }

  @Test func aBiasIsOptional() {
    let test = Case.chosen[6]
    #expect(
      relativeError(
        convolution(test.x, test.weights, bias: nil, test.geometry),
        naiveConvolution(test.x, test.rows, bias: nil, test.geometry)) <= 1e-5)
  }

  @Test(arguments: [
    ConvolutionGeometry(kernel: 3), ConvolutionGeometry(kernel: 3, stride: 2),
    ConvolutionGeometry(kernel: 1),
  ])
  func doesNotDependOnTheNumberOfThreads(_ geometry: ConvolutionGeometry) {
    let test = Case(
      batch: 2, height: 30, width: 33, inputs: 33, outputs: 49, geometry: geometry)
    let (x, weights, bias, gradient) = (test.x, test.weights, test.bias, test.gradient)
    expectSameBytesOnAnyThreads {
      [
        convolution(x, weights, bias: bias, geometry),
        convolutionInputGradient(gradient, weights, inputShape: x.shape, geometry),
        convolutionWeightGradient(x, gradient, geometry),
      ]
    }
  }

  @Test(arguments: [(1, 4, 176), (1, 7, 144), (4, 7, 176)])
  func fewTilesDoNotDependOnTheNumberOfThreads(_ batch: Int, _ extent: Int, _ channels: Int) {
    let geometry = ConvolutionGeometry(kernel: 3)
    let test = Case(
      batch: batch, height: extent, width: extent, inputs: channels, outputs: channels,
      geometry: geometry)
    let (x, weights, bias, gradient) = (test.x, test.weights, test.bias, test.gradient)
    expectSameBytesOnAnyThreads {
      [
        convolution(x, weights, bias: bias, geometry),
        convolutionInputGradient(gradient, weights, inputShape: x.shape, geometry),
        convolutionWeightGradient(x, gradient, geometry),
      ]
    }
  }

  @Test func outputExtents() {
    #expect(ConvolutionGeometry(kernel: 3).outputExtent(7) == 7)
    #expect(ConvolutionGeometry(kernel: 3, stride: 2).outputExtent(7) == 4)
    #expect(ConvolutionGeometry(kernel: 3, stride: 2).outputExtent(8) == 4)
    #expect(
      ConvolutionGeometry(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1).outputExtent(8)
        == 4)
    #expect(ConvolutionGeometry(kernel: 1, stride: 3).outputExtent(8) == 3)
  }

  @Test func aFrameOfZeros() {
    let x = random([2, 3, 4, 5], 1)
    let found = padded(x, before: (1, 2), after: (3, 0))
    var expected = Exact(zeros: [2, 7, 6, 5])
    let source = Exact(x)
    for b in 0..<2 {
      for y in 0..<3 {
        for x in 0..<4 {
          for c in 0..<5 { expected[b, y + 1, x + 2, c] = source[b, y, x, c] }
        }
      }
    }
    #expect(found.shape == expected.shape)
    #expect(found.array.map(Double.init) == expected.values)
  }
}
