import Images
import Testing

@testable import Measuring

@Suite struct SeamTests {
  /// Grey columns 0, 10, 40 in two rows; the last column is the region.
  @Test func aJumpIsTheMeanOverPairsAcrossTheBorder() throws {
    var picture = Picture(width: 3, height: 2, color: SIMD3(repeating: 0))
    for y in 0..<2 {
      picture[1, y] = SIMD3(repeating: 10)
      picture[2, y] = SIMD3(repeating: 40)
    }
    let column = Region(width: 3, height: 2, contains: [false, false, true, false, false, true])
    #expect(Seam.jump(picture, around: column) == 30)
    // The corner alone: 30 across, and in one channel 6 down.
    picture[2, 1].x = 46
    let corner = Region(width: 3, height: 2, contains: [false, false, true, false, false, false])
    #expect(Seam.jump(picture, around: corner) == (30.0 + 2) / 2)
  }

  @Test func withoutABorderThereIsNone() {
    let picture = Picture(width: 3, height: 2, color: SIMD3(repeating: 9))
    let all = Region(allOf: picture)
    #expect(Seam.jump(picture, around: all) == nil)
    #expect(Seam.jump(picture, around: all.complement) == nil)
  }
}
