import Testing

@testable import Tensors

@Suite struct ElementwiseTests {
  /// Around a vector's sixteen elements and around the elements of one task.
  static let counts = [1, 3, 15, 16, 17, 33, 49, 32_768, 32_769, 70_001]

  /// The twin of an operation on corresponding elements.
  private func naive(_ a: Tensor, _ b: Tensor, _ body: (Double, Double) -> Double) -> Exact {
    var result = Exact(a)
    for i in result.values.indices { result[i] = body(Double(a.pointer[i]), Double(b.pointer[i])) }
    return result
  }

  @Test(arguments: counts) func arithmetic(_ count: Int) {
    let (a, b) = (random([count], 1), random([count], 2))
    #expect(relativeError(a + b, naive(a, b) { $0 + $1 }) <= 1e-7)
    #expect(relativeError(a - b, naive(a, b) { $0 - $1 }) <= 1e-7)
    #expect(relativeError(a * b, naive(a, b) { $0 * $1 }) <= 1e-7)
    #expect(relativeError(-2.5 * a, Exact(a).map { -2.5 * $0 }) <= 1e-7)
    let line = Tensor.combination(0.75, a, -1.5, b)
    #expect(relativeError(line, naive(a, b) { 0.75 * $0 - 1.5 * $1 }) <= 2e-7)
  }

  @Test(arguments: counts) func inPlace(_ count: Int) {
    let (a, b) = (random([count], 1), random([count], 2))
    let sum = a.copy()
    sum.add(inPlace: b)
    #expect(sum.array == (a + b).array)
    let product = a.copy()
    product.scale(inPlace: -3)
    #expect(product.array == (-3 * a).array)
  }

  @Test(arguments: counts) func sums(_ count: Int) {
    let (a, b) = (random([count], 1), random([count], 2))
    let pairs = zip(a.array.map(Double.init), b.array.map(Double.init))
    /// The sum of the terms, and that of their magnitudes, which an error is measured by.
    func check(_ found: Double, _ terms: [Double]) {
      let size = terms.reduce(0) { $0 + abs($1) }
      #expect(abs(found - terms.reduce(0, +)) <= 1e-6 * size)
    }
    check(a.sum(), pairs.map { $0.0 })
    check(a.dot(b), pairs.map { $0.0 * $0.1 })
    check(
      a.meanSquaredDifference(b) * Double(count), pairs.map { ($0.0 - $0.1) * ($0.0 - $0.1) })
  }

  @Test(arguments: [(1, 1), (3, 17), (255, 3), (256, 16), (257, 33), (1000, 49)])
  func sumOfRows(_ rows: Int, _ columns: Int) {
    let x = random([rows, columns], 1)
    var expected = Exact(zeros: [columns])
    for i in 0..<rows { for j in 0..<columns { expected[j] += Exact(x)[i, j] } }
    #expect(relativeError(x.sumOfRows(), expected) <= 1e-5)
  }

  @Test(arguments: [[1, 1, 1, 1], [2, 1, 19, 3], [3, 5, 7, 17], [2, 40, 33, 49], [3, 33]])
  func pixels(_ extents: [Int]) {
    let x = random(Shape(extents), 1)
    let (batch, channels) = (x.shape[0], x.shape.last)
    let pixels = x.count / (batch * channels)
    let vectors = random([batch, channels], 2)
    let source = Exact(x).reshaped([batch, pixels, channels])
    var added = source
    var summed = Exact(zeros: [batch, channels])
    for b in 0..<batch {
      for pixel in 0..<pixels {
        for c in 0..<channels {
          added[b, pixel, c] += Double(vectors.pointer[b * channels + c])
          summed[b, c] += source[b, pixel, c]
        }
      }
    }
    #expect(relativeError(x.addingToPixels(vectors), added.reshaped(x.shape)) <= 1e-7)
    #expect(relativeError(x.sumOfPixels(), summed) <= 1e-5)
  }

  // MARK: Activations

  @Test(arguments: [Activation.silu, .quickGELU, .gelu])
  func activations(_ activation: Activation) {
    // Every two thousandth of [-20, 20]: small magnitudes, the bends, and where the functions are flat.
    let values = (-40_000...40_000).map { Float($0) / 2_000 }
    let x = Tensor(values, [values.count])
    let (found, slopes) = (
      x.applying(activation), x.activationGradient(activation, Tensor(repeating: 1, x.shape))
    )
    for (index, value) in values.enumerated() {
      let (exact, slope) = (
        naiveValue(activation, Double(value)), naiveDerivative(activation, Double(value))
      )
      // A float of magnitude 20 is itself known to 1e-6.
      let unit = 3e-7 * max(1, abs(exact))
      #expect(abs(Double(found.pointer[index]) - exact) <= unit, "at \(value)")
      #expect(abs(Double(slopes.pointer[index]) - slope) <= 1e-6, "slope at \(value)")
    }
  }

  @Test(arguments: [Activation.silu, .quickGELU, .gelu], counts)
  func activationGradients(_ activation: Activation, _ count: Int) {
    let (x, gradient) = (random([count], 1), random([count], 2))
    #expect(
      relativeError(x.applying(activation), Exact(x).map { naiveValue(activation, $0) }) <= 1e-5)
    #expect(
      relativeError(
        x.activationGradient(activation, gradient),
        naive(x, gradient) { naiveDerivative(activation, $0) * $1 }) <= 1e-5)
  }

  @Test(arguments: [Activation.silu, .quickGELU, .gelu])
  func farOut(_ activation: Activation) {
    let x = Tensor([-1e4, -200, -60, 60, 200, 1e4], [6])
    let found = x.applying(activation).array
    #expect(largestDifference(found, [0, 0, 0, 60, 200, 1e4]) <= 1e-6)
    let slopes = x.activationGradient(activation, Tensor(repeating: 1, [6])).array
    #expect(largestDifference(slopes, [0, 0, 0, 1, 1, 1]) <= 1e-6)
    #expect(Tensor([.nan], [1]).applying(activation).scalar.isNaN)
  }

  @Test(arguments: [(1, 1), (5, 3), (2, 16), (33, 49), (300, 170)])
  func gatedUnit(_ rows: Int, _ width: Int) {
    let (x, gradient) = (random([rows, 2 * width], 1), random([rows, width], 2))
    let (source, upper) = (Exact(x), Exact(gradient))
    var expected = Exact(zeros: [rows, width])
    var slopes = Exact(zeros: x.shape)
    for i in 0..<rows {
      for j in 0..<width {
        let (a, g) = (source[i, j], source[i, width + j])
        expected[i, j] = a * naiveValue(.gelu, g)
        slopes[i, j] = upper[i, j] * naiveValue(.gelu, g)
        slopes[i, width + j] = upper[i, j] * a * naiveDerivative(.gelu, g)
      }
    }
    #expect(relativeError(x.gatedGELU(), expected) <= 1e-5)
    #expect(relativeError(x.gatedGELUGradient(gradient), slopes) <= 1e-5)
  }

  @Test(arguments: counts) func clamping(_ count: Int) {
    let x = random([count], 1)
    let expected = x.array.map { min(0.75, max(-0.5, $0)) }
    #expect(x.clamped(to: -0.5...0.75).array == expected)
  }

  @Test func clampingKeepsNaN() {
    #expect(Tensor([.nan], [1]).clamped(to: 0...1).scalar.isNaN)
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let (a, b) = (random([400, 500], 1), random([400, 500], 2))
    expectSameBytesOnAnyThreads {
      [
        a + b, Tensor.combination(2, a, -3, b), a.applying(.gelu), a.activationGradient(.silu, b),
        a.gatedGELU(), a.sumOfRows(), a.reshaped([2, 200, 500]).sumOfPixels(),
        a.reshaped([2, 200, 500]).addingToPixels(b.slice(0..<2)),
        Tensor([Float(a.sum()), Float(a.dot(b)), Float(a.meanSquaredDifference(b))], [3]),
      ]
    }
  }
}
