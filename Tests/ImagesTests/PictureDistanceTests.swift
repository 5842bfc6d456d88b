import Testing

@testable import Images

@Suite struct PictureDistanceTests {
  @Test func knownDistances() {
    let grey = Picture(width: 5, height: 4, color: SIMD3(100, 100, 100))
    #expect(grey.meanSquaredError(to: grey) == 0)
    #expect(grey.psnr(to: grey) == .infinity)
    let other = Picture(width: 5, height: 4, color: SIMD3(100, 103, 96))
    #expect(grey.meanSquaredError(to: other) == (9 + 16) / 3.0)
    // A difference of 25.5 everywhere is a tenth of the range: 20 dB; 26 is a little less.
    let tenth = Picture(width: 5, height: 4, color: SIMD3(126, 126, 126))
    #expect(abs(grey.psnr(to: tenth) - 19.8314) < 1e-4)
  }
}
