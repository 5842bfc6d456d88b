import Images
import Testing

@testable import Measuring

@Suite struct StructuralSimilarityTests {
  @Test func similaritiesAreThoseOfScikitImage() throws {
    let scene = try Reference.picture("scene")
    let left = Region(
      width: scene.width, height: scene.height,
      contains: (0..<scene.width * scene.height).map { $0 % scene.width < 16 })
    for (name, expected) in try Reference.all() {
      let other = try Reference.picture(name)
      let whole = StructuralSimilarity.mean(scene, other, in: Region(allOf: scene))
      #expect(abs(try #require(whole) - expected.ssim) < 1e-9, "\(name)")
      let part = StructuralSimilarity.mean(scene, other, in: left)
      #expect(abs(try #require(part) - expected.ssimOfLeft) < 1e-9, "\(name)")
    }
  }

  @Test func equalPicturesAreWhollyAlike() throws {
    let scene = try Reference.picture("scene")
    let same = StructuralSimilarity.mean(scene, scene, in: Region(allOf: scene))
    #expect(abs(try #require(same) - 1) < 1e-12)
  }

  @Test func withoutAWindowThereIsNone() throws {
    let small = Picture(width: 10, height: 40, color: SIMD3(1, 2, 3))
    #expect(StructuralSimilarity.mean(small, small, in: Region(allOf: small)) == nil)
    let scene = try Reference.picture("scene")
    // The windows' middles are at least five pixels from the sides.
    let corner = Region(
      width: scene.width, height: scene.height,
      contains: (0..<scene.width * scene.height).map { $0 < 5 * scene.width })
    #expect(StructuralSimilarity.mean(scene, scene, in: corner) == nil)
  }
}
