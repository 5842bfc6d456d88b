import Tensors
import Testing

@testable import Measuring

@Suite struct PoolingTests {
  @Test func theLargestOfEachWindowIsLeft() {
    // Two channels, the second the first's negative.
    let values: [Float] = (0..<20).map { Float(($0 * 7) % 20) }
    let x = Tensor(values.flatMap { [$0, -$0] }, [1, 4, 5, 2])
    let pooled = maximumPool(x, stride: 2)
    #expect(pooled.shape == [1, 1, 2, 2])
    let expected = [0, 2].flatMap { column -> [Float] in
      let window = (0..<9).map { values[$0 / 3 * 5 + column + $0 % 3] }
      return [window.max() ?? 0, -(window.min() ?? 0)]
    }
    #expect(pooled.array == expected)
    #expect(maximumPool(x, stride: 1).shape == [1, 2, 3, 2])
  }

  @Test func aBlurOfOneValueIsThatValue() {
    let pooled = blurPool(Tensor(repeating: 3, [2, 5, 6, 4]))
    #expect(pooled.shape == [2, 4, 4, 4])
    #expect(pooled.array.allSatisfy { $0 == 3 })
  }

  /// A line 0, 1, 2, 3 mirrored to 2 1 0 1 2 3 2 1, and each second triple of it weighted 1, 2, 1.
  @Test func aBlurMirrorsAtTheSides() {
    let line: [Float] = [0, 1, 2, 3]
    let x = Tensor((0..<4).flatMap { _ in line }, [1, 4, 4, 1])
    let pooled = blurPool(x)
    #expect(pooled.shape == [1, 3, 3, 1])
    #expect(Array(pooled.array.prefix(3)) == [1, 1, 2.5])
  }
}
