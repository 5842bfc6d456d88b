import Foundation
import Testing

@testable import Tensors

@Suite struct VectorsTests {
  /// `body` of each value, sixteen at a time.
  private func map(_ values: [Float], _ body: (Vector) -> Vector) -> [Float] {
    var result = values
    result.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for (i, n) in VectorRuns(0..<buffer.count) { write(body(read(base + i, n)), base + i, n) }
    }
    return result
  }

  @Test func exponentialOfItsWholeRange() {
    let values = (0...400_000).map { -87 + Float($0) * (175.0 / 400_000) }
    let found = map(values, exponential)
    var largest = 0.0
    for (x, y) in zip(values, found) {
      let exact = exp(Double(x))
      largest = max(largest, abs(Double(y) - exact) / exact)
      #expect(!y.isNaN)
    }
    #expect(largest <= 3e-7)
  }

  @Test func exponentialBeyondItsRange() {
    let found = map([-88, -1e30, -.infinity, 89, 1e30, .infinity, .nan, 0, -0.0], exponential)
    #expect(Array(found[0...2]) == [0, 0, 0])
    for value in found[3...5] { #expect(abs(value / 2.39e38 - 1) < 0.01) }
    #expect(found[6].isNaN)
    #expect(Array(found[7...]) == [1, 1])
  }

  @Test func powersOfTwoOfTheirWholeRange() {
    let values = (0...400_000).map { -64 + Float($0) * (191.0 / 400_000) }
    let found = map(values, powerOfTwo)
    var largest = 0.0
    for (x, y) in zip(values, found) {
      largest = max(largest, abs(Double(y) / exp2(Double(x)) - 1))
      #expect(!y.isNaN)
    }
    #expect(largest <= 2e-7)
    let beyond = map([-64.001, -127, -1e30, -.infinity, .nan, 0, -0.0], powerOfTwo)
    #expect(Array(beyond[..<4]) == [0x1p-64, 0x1p-64, 0x1p-64, 0x1p-64])
    #expect(beyond[4].isNaN)
    #expect(Array(beyond[5...]) == [1, 1])
  }

  @Test func logarithmOfItsWholeRange() {
    // All powers of 2, and numbers around 1, where the error is that of the number itself.
    var values = (-126...127).map { exp2(Float($0)) }
    values += (0...200_000).map { exp2(-126 + Float($0) * (253.9 / 200_000)) }
    values += (0...200_000).map { 0.5 + Float($0) * (1.5 / 200_000) }
    values += [.leastNormalMagnitude, .greatestFiniteMagnitude, Float(1).nextUp, Float(1).nextDown]
    for (x, y) in zip(values, map(values, logarithm)) {
      let exact = log(Double(x))
      #expect(abs(Double(y) - exact) <= 2e-7 * max(1, abs(exact)), "at \(x)")
    }
    #expect(map([1], logarithm) == [0])
  }

  @Test func sigmoidOfItsWholeRange() {
    let values = (-30_000...30_000).map { Float($0) / 300 }
    let found = map(values, sigmoid)
    #expect(largestDifference(found, values.map { 1 / (1 + exp(-Double($0))) }) <= 2e-7)
  }

  @Test func errorFunctionOfItsWholeRange() {
    let values = (-60_000...60_000).map { Float($0) / 10_000 }
    let found = map(values, errorFunction)
    #expect(largestDifference(found, values.map { erf(Double($0)) }) <= 3e-7)
    // Near 0 the relative error counts: GELU's slope hangs on it.
    for (x, y) in zip(values, found) where abs(x) <= 1 && x != 0 {
      #expect(abs(Double(y) / erf(Double(x)) - 1) <= 3e-7, "at \(x)")
    }
  }

  @Test func errorFunctionBeyondItsRange() {
    let found = map([.infinity, -.infinity, 1e30, -1e30, 1e-30, 0, .nan], errorFunction)
    #expect(Array(found[..<4]) == [1, -1, 1, -1])
    #expect(abs(found[4] / 1.128_379_2e-30 - 1) < 1e-6)
    #expect(found[5] == 0)
    #expect(found[6].isNaN)
  }

  @Test(arguments: [0, 1, 15, 16, 17, 32, 50]) func runsCoverARange(_ count: Int) {
    var seen: [Int] = []
    for (offset, n) in VectorRuns(3..<(3 + count)) {
      #expect(n >= 1 && n <= 16)
      seen += offset..<(offset + n)
    }
    #expect(seen == Array(3..<(3 + count)))
  }

  @Test(arguments: 1...16) func partsOfAVector(_ count: Int) {
    let source = (1...32).map(Float.init)
    var target = [Float](repeating: -1, count: 32)
    source.withUnsafeBufferPointer { source in
      let vector = read(source.baseAddress! + 5, count)
      for lane in 0..<16 { #expect(vector[lane] == (lane < count ? Float(6 + lane) : 0)) }
      target.withUnsafeMutableBufferPointer { write(vector, $0.baseAddress! + 7, count) }
    }
    for index in 0..<32 {
      let written = index >= 7 && index < 7 + count
      #expect(target[index] == (written ? Float(index - 1) : -1))
    }
  }

  @Test func lanesTogether() {
    let values = random([16], 1)
    let vector = load(values.pointer)
    let sum = values.array.reduce(0.0) { $0 + Double($1) }
    #expect(abs(Double(vector.total) - sum) < 2e-6)
    #expect(vector.largest == values.array.max())
    for lane in 0..<16 {
      var one = Vector(repeating: -3)
      one[lane] = 2
      #expect(one.largest == 2)
      #expect(one.total == 2 - 45)
    }
  }

  @Test func pairsOfLanes() {
    let (a, b) = (load(random([16], 1).pointer), load(random([16], 2).pointer))
    for lane in 0..<16 {
      #expect(a.larger(b)[lane] == max(a[lane], b[lane]))
      #expect(a.smaller(b)[lane] == min(a[lane], b[lane]))
    }
  }
}
