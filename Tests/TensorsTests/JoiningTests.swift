import Testing

@testable import Tensors

@Suite struct JoiningTests {
  @Test(arguments: [([1], 1, 1), ([2, 3, 5], 3, 17), ([2, 30, 31], 33, 49), ([4, 7], 16, 32)])
  func joinedChannels(_ outer: [Int], _ first: Int, _ second: Int) {
    let (a, b) = (random(Shape(outer + [first]), 1), random(Shape(outer + [second]), 2))
    let joined = a.joiningChannels(b)
    #expect(joined.shape == Shape(outer + [first + second]))
    var expected: [Float] = []
    for row in 0..<a.shape.rows {
      expected += a.array[(row * first)..<((row + 1) * first)]
      expected += b.array[(row * second)..<((row + 1) * second)]
    }
    #expect(joined.array == expected)
    #expect(joined.channels(0..<first).array == a.array)
    #expect(joined.channels(first..<(first + second)).array == b.array)
    #expect(joined.channels(0..<first).shape == a.shape)
  }

  @Test func channelsFromTheMiddle() {
    let x = random([3, 4, 17], 1)
    var expected: [Float] = []
    for row in 0..<12 { expected += x.array[(row * 17 + 5)..<(row * 17 + 9)] }
    #expect(x.channels(5..<9).array == expected)
    #expect(x.channels(5..<9).shape == [3, 4, 4])
    #expect(x.channels(5..<5).count == 0)
  }

  @Test func rowsOfATable() {
    let table = random([5, 7], 1)
    let found = table.rows(at: [4, 0, 4, 2])
    #expect(found.shape == [4, 7])
    for (row, index) in [4, 0, 4, 2].enumerated() {
      #expect(found.slice(row..<(row + 1)).array == table.slice(index..<(index + 1)).array)
    }
    #expect(table.rows(at: []).count == 0)
  }

  struct Resize {
    var shape: Shape
    var height: Int
    var width: Int
  }
  static let sizes = [
    Resize(shape: [1, 1, 1, 1], height: 1, width: 1),
    Resize(shape: [1, 1, 13, 3], height: 2, width: 26),
    Resize(shape: [2, 3, 4, 17], height: 6, width: 8),
    Resize(shape: [2, 3, 4, 5], height: 5, width: 7),
    Resize(shape: [3, 9, 10, 33], height: 7, width: 3),
    Resize(shape: [1, 2, 3, 49], height: 2, width: 3),
  ]

  /// The source of a target pixel is floor(target * source extent / target extent).
  @Test(arguments: sizes) func nearestPixels(_ size: Resize) {
    let x = random(size.shape, 1)
    let found = x.resizedToNearest(height: size.height, width: size.width)
    let gradient = random(found.shape, 2)
    let (source, upper) = (Exact(x), Exact(gradient))
    var expected = Exact(zeros: found.shape)
    var slopes = Exact(zeros: x.shape)
    for b in 0..<x.shape[0] {
      for i in 0..<size.height {
        for j in 0..<size.width {
          let (y, column) = (i * x.shape[1] / size.height, j * x.shape[2] / size.width)
          for c in 0..<x.shape[3] {
            expected[b, i, j, c] = source[b, y, column, c]
            slopes[b, y, column, c] += upper[b, i, j, c]
          }
        }
      }
    }
    #expect(relativeError(found, expected) == 0)
    #expect(found.shape == [x.shape[0], size.height, size.width, x.shape[3]])
    #expect(relativeError(gradient.nearestGradient(inputShape: x.shape), slopes) <= 1e-6)
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let (a, b) = (random([2, 20, 21, 33], 1), random([2, 20, 21, 17], 2))
    expectSameBytesOnAnyThreads {
      let enlarged = a.resizedToNearest(height: 43, width: 40)
      return [
        a.joiningChannels(b), a.channels(3..<20), enlarged,
        enlarged.nearestGradient(inputShape: a.shape),
      ]
    }
  }
}
