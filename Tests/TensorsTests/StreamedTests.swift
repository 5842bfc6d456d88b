import Synchronization
import Testing

@testable import Tensors

/// Kernels whose results are so large that several threads store them past the caches. One thread doesn't, and has to find the
/// same bytes.
@Suite struct StreamedTests {
  private static let least = 1 << 20

  /// On any processor as on those that stream most. No result depends on it, so other tests may run meanwhile.
  init() { Tensor.leastStreamed.store(Self.least, ordering: .relaxed) }

  @Test func whatIsStreamed() {
    withThreads(2) {
      #expect(Tensor(uninitialized: [Self.least]).isStreamed)
      #expect(!Tensor(uninitialized: [Self.least - 1]).isStreamed)
    }
    withThreads(1) { #expect(!Tensor(uninitialized: [Self.least]).isStreamed) }
  }

  /// Of one block of the inner dimension and of several, with rows that are left over, and of columns that don't fill lines.
  @Test(arguments: [(1030, 1024, 200), (1030, 1024, 600), (4100, 272, 300), (1100, 1001, 300)])
  func products(_ size: (Int, Int, Int)) {
    let (rows, columns, inner) = size
    let (a, b, bias) = (
      random([rows, inner], 1), random([inner, columns], 2), random([columns], 3)
    )
    let (turned, others) = (random([columns, inner], 4), random([rows, columns], 5))
    expectSameBytesOnAnyThreads {
      [
        matrixProduct(a, b, bias: bias), matrixProduct(a, turned, transposingRight: true),
        matrixProduct(a, b, bias: bias, adding: others),
      ]
    }
  }

  @Test func convolutions() {
    let (x, weights, bias) = (
      random([1, 64, 63, 16], 1), random([17, 16, 3, 3, 16], 2), random([272], 3)
    )
    expectSameBytesOnAnyThreads {
      [convolution(x, weights, bias: bias, ConvolutionGeometry(kernel: 3))]
    }
  }

  /// Here it is the transformed tiles, and the operand that the product in parts packs, that are so large.
  @Test func gradientsByWeights() {
    let (x, gradient) = (random([1, 64, 64, 128], 1), random([1, 64, 64, 128], 2))
    let (a, b) = (random([4100, 48], 3), random([4100, 272], 4))
    expectSameBytesOnAnyThreads {
      [
        convolutionWeightGradient(x, gradient, ConvolutionGeometry(kernel: 3)),
        joined([48, 272]) { transposedMatrixProduct(a, b, inParts: $0) },
      ]
    }
  }

  @Test func normalisations() {
    let (x, gradient) = (random([1, 65, 64, 256], 1), random([1, 65, 64, 256], 2))
    let (scale, shift) = (random([256], 3), random([256], 4))
    expectSameBytesOnAnyThreads {
      let (normal, statistics) = groupNormalization(
        x, scale: scale, shift: shift, groups: 32, epsilon: 1e-5, silu: true)
      let back = groupNormalizationGradient(
        gradient, x, scale: scale, shift: shift, groups: 32, silu: true, statistics)
      let (rows, ofRows) = layerNormalization(x, scale: scale, shift: shift, epsilon: 1e-5)
      let backOfRows = layerNormalizationGradient(gradient, x, scale: scale, ofRows)
      return [normal, back.input, rows, backOfRows.input]
    }
  }

  @Test func elementByElement() {
    let (x, other) = (random([1050, 2048], 1), random([1050, 2048], 2))
    let upper = random([1050, 1024], 3)
    let (pixels, vectors) = (random([2, 600, 1024], 4), random([2, 1024], 5))
    expectSameBytesOnAnyThreads {
      [
        x + other, 0.3 * x, x.gatedGELU(), x.gatedGELUGradient(upper),
        pixels.addingToPixels(vectors),
      ]
    }
  }
}
