import Testing

@testable import Images

@Suite struct AlphaTests {
  @Test func opaqueStaysAndTransparentIsWhite() {
    #expect(Alpha.onWhite(rgba: [10, 20, 30, 255, 10, 20, 30, 0]) == [10, 20, 30, 255, 255, 255])
  }

  /// Half of black over white is half the light: 188 in sRGB (0.5 to the power 1 / 2.4, IEC
  /// 61966-2-1), not 128. An alpha of 128 leaves 127/255 of white: 187.
  @Test func mixesLinearLight() {
    #expect(Alpha.onWhite(rgba: [0, 0, 0, 128]) == [187, 187, 187])
  }
}
