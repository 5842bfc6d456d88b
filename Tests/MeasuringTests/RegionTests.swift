import Images
import Testing

@testable import Measuring

@Suite struct RegionTests {
  private func row(_ pixels: [SIMD3<UInt8>]) -> Picture {
    Picture(
      width: pixels.count, height: 1, pixels: pixels.flatMap { [$0.x, $0.y, $0.z] })
  }

  @Test func aMaskCoversWhatItShowsInPartToo() {
    let mask = row([SIMD3(0, 0, 0), SIMD3(12, 12, 12), SIMD3(13, 0, 0), SIMD3(255, 255, 255)])
    let region = Region(white: mask)
    #expect(region.contains == [false, false, true, true])
    #expect(region.count == 2 && region.share == 0.5)
    #expect(region.complement.contains == [true, true, false, false])
  }

  @Test func regionsOverlapByWhatBothHaveOfWhatEitherHas() {
    let left = Region(width: 4, height: 1, contains: [true, true, true, false])
    let right = Region(width: 4, height: 1, contains: [false, true, true, true])
    #expect(left.overlap(with: right) == 0.5 && left.overlap(with: left) == 1)
    #expect(left.overlap(with: left.complement) == 0)
    let none = Region(width: 1, height: 1, contains: [false])
    #expect(none.overlap(with: none) == nil)
  }

  @Test func picturesDifferBeyondATolerance() {
    let first = row([SIMD3(10, 10, 10), SIMD3(10, 10, 10), SIMD3(10, 10, 10)])
    let second = row([SIMD3(10, 10, 18), SIMD3(10, 19, 10), SIMD3(1, 10, 10)])
    #expect(
      Region(differing: first, from: second, beyond: 8).contains == [false, true, true])
  }

  @Test func pixelsAreReplacedAndComparedInTheRegionAlone() {
    let first = row([SIMD3(1, 2, 3), SIMD3(4, 5, 6)])
    let second = row([SIMD3(11, 12, 13), SIMD3(4, 5, 12)])
    let right = Region(width: 2, height: 1, contains: [false, true])
    #expect(first.replacing(right, from: second) == row([SIMD3(1, 2, 3), SIMD3(4, 5, 12)]))
    #expect(first.meanSquaredError(to: second, in: right) == 12)
    #expect(first.meanSquaredError(to: second, in: right.complement) == 100)
    #expect(
      first.meanSquaredError(to: second, in: Region(allOf: first))
        == first.meanSquaredError(to: second))
  }
}
