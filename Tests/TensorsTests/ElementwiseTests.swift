import Testing

@testable import Tensors

@Suite struct ElementwiseTests {
  /// Around a vector's sixteen elements and around the elements of one task.
  static let counts = [1, 3, 15, 16, 17, 33, 49, 32_768, 32_769, 70_001]

  @Test(arguments: counts) func arithmetic(_ count: Int) {
    let (a, b) = (random([count], 1), random([count], 2))
    #expect(relativeError(a + b, naiveMap(a, b) { $0 + $1 }) <= 1e-7)
    #expect(relativeError(a - b, naiveMap(a, b) { $0 - $1 }) <= 1e-7)
    #expect(relativeError(a * b, naiveMap(a, b) { $0 * $1 }) <= 1e-7)
    #expect(relativeError(-2.5 * a, Exact(a).map { -2.5 * $0 }) <= 1e-7)
    let line = Tensor.combination(0.75, a, -1.5, b)
    #expect(relativeError(line, naiveMap(a, b) { 0.75 * $0 - 1.5 * $1 }) <= 2e-7)
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
        a + b, Tensor.combination(2, a, -3, b), a.sumOfRows(),
        a.reshaped([2, 200, 500]).sumOfPixels(),
        a.reshaped([2, 200, 500]).addingToPixels(b.slice(0..<2)),
        Tensor([Float(a.sum()), Float(a.dot(b)), Float(a.meanSquaredDifference(b))], [3]),
      ]
    }
  }
}
