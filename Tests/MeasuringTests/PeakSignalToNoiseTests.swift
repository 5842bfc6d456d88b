import Images
import Testing

@testable import Measuring

@Suite struct PeakSignalToNoiseTests {
  @Test func decibelsAreThoseOfScikitImage() throws {
    let scene = try Reference.picture("scene")
    for (name, expected) in try Reference.all() {
      let found = try #require(
        PeakSignalToNoise.decibels(
          scene, Reference.picture(name), in: Region(allOf: scene)))
      #expect(abs(found - expected.psnr) < 1e-9, "\(name): \(found)")
    }
  }

  @Test func onlyTheRegionCounts() throws {
    let black = Picture(width: 2, height: 1, color: SIMD3(0, 0, 0))
    var other = black
    other[1, 0] = SIMD3(255, 255, 255)
    let left = Region(width: 2, height: 1, contains: [true, false])
    #expect(PeakSignalToNoise.decibels(black, other, in: left) == PeakSignalToNoise.most)
    // The whole range apart is 0 dB.
    #expect(PeakSignalToNoise.decibels(black, other, in: left.complement) == 0)
    let none = Region(width: 2, height: 1, contains: [false, false])
    #expect(PeakSignalToNoise.decibels(black, other, in: none) == nil)
  }
}
