import Testing

@testable import Images

@Suite struct PictureLikenessTests {
  private func picture(_ grey: (Int, Int) -> Double) -> Picture {
    var picture = Picture(width: 32, height: 24, color: SIMD3(0, 0, 0))
    for y in 0..<24 {
      for x in 0..<32 { picture[x, y] = SIMD3(repeating: UInt8(grey(x, y).rounded())) }
    }
    return picture
  }

  /// Numbers from 0 to 1 that look drawn.
  private func noise(_ x: Int, _ y: Int, _ seed: Int) -> Double {
    let drawn = (x * 7919 + y * 104_729 + seed * 1_299_709) % 4093
    return Double(drawn * 31 % 251) / 250
  }

  @Test func theSameStructureIsLikeItselfInAnyLight() {
    let bright = picture { 200 * noise($0, $1, 1) + 40 }
    let dark = picture { 100 * noise($0, $1, 1) }
    #expect(bright.likeness(to: bright) > 0.99)
    #expect(bright.likeness(to: dark) > 0.97)
    // Turned inside out.
    #expect(bright.likeness(to: picture { 240 - 200 * noise($0, $1, 1) }) < -0.97)
  }

  @Test func structuresOfTheirOwnAreNotAlike() {
    let first = picture { 200 * noise($0, $1, 1) }
    let second = picture { 200 * noise($0, $1, 2) }
    #expect(abs(first.likeness(to: second)) < 0.15)
    let flat = picture { _, _ in 100 }
    #expect(abs(first.likeness(to: flat)) < 1e-6 && abs(flat.likeness(to: flat)) < 1e-6)
  }

  @Test func aPartThatChangesCountsByItsSize() {
    let first = picture { 200 * noise($0, $1, 1) }
    var half = picture { 200 * noise($0, $1, 2) }
    half.paste(first.cropped(x: 0, y: 0, width: 16, height: 24), x: 0, y: 0)
    #expect(abs(first.likeness(to: half) - 0.5) < 0.12)
  }
}
