import Testing

@testable import Tensors

@Suite struct TranspositionTests {
  @Test func oneBlock() {
    let source = random([16, 20], 1)
    let target = Tensor(repeating: -1, [16, 24])
    transpose16x16(source.pointer, 20, into: target.pointer, 24)
    for i in 0..<16 {
      for j in 0..<24 {
        let expected = j < 16 ? source.pointer[j * 20 + i] : -1
        #expect(target.pointer[i * 24 + j] == expected)
      }
    }
  }

  @Test(arguments: [1, 3, 15, 16, 17, 31, 33, 49], [1, 15, 16, 32, 50])
  func matrices(_ rows: Int, _ columns: Int) {
    let x = random([rows, columns], 1)
    let found = x.transposed()
    var expected = Exact(zeros: [columns, rows])
    for i in 0..<rows { for j in 0..<columns { expected[j, i] = Exact(x)[i, j] } }
    #expect(relativeError(found, expected) == 0)
    #expect(found.transposed().array == x.array)
  }

  @Test(arguments: [
    [1, 1, 1, 1], [2, 3, 5, 7], [1, 17, 1, 33], [3, 33, 4, 9], [2, 16, 8, 8], [2, 49, 6, 5],
  ])
  func pictures(_ extents: [Int]) {
    let files = random(Shape(extents), 1)  // [batch, channels, height, width]
    let found = files.channelsLast()
    let source = Exact(files)
    var expected = Exact(zeros: [extents[0], extents[2], extents[3], extents[1]])
    for b in 0..<extents[0] {
      for c in 0..<extents[1] {
        for y in 0..<extents[2] {
          for x in 0..<extents[3] { expected[b, y, x, c] = source[b, c, y, x] }
        }
      }
    }
    #expect(relativeError(found, expected) == 0)
    #expect(found.channelsFirst().array == files.array)
    #expect(found.channelsFirst().shape == files.shape)
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let x = random([2, 49, 30, 33], 1)
    expectSameBytesOnAnyThreads {
      [x.channelsLast(), x.channelsFirst()]
    }
  }
}
