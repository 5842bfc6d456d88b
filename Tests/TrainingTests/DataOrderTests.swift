import Testing

@testable import Training

@Suite struct DataOrderTests {
  @Test func eachEpochHasEachPictureOnce() {
    var order = DataOrder(count: 7, seed: 3)
    let samples = (0..<21).map { order.picture($0) }
    for epoch in 0..<3 {
      #expect(samples[(7 * epoch)..<(7 * epoch + 7)].sorted() == Array(0..<7))
    }
    #expect(samples[0..<7] != samples[7..<14])
  }

  @Test func aSampleDoesNotDependOnWhatWasAskedBefore() {
    var order = DataOrder(count: 5, seed: 1)
    let straight = (0..<40).map { order.picture($0) }
    var other = DataOrder(count: 5, seed: 1)
    #expect((0..<40).reversed().map { other.picture($0) } == straight.reversed())
    #expect(other.batch(3, size: 4) == Array(straight[12..<16]))
  }
}
