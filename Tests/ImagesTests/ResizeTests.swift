import Testing

@testable import Images

@Suite struct ResizeTests {
  /// Pillow's `resize(size, LANCZOS)` of the same picture.
  @Test(arguments: [(16, 16), (13, 29), (96, 80), (45, 20), (7, 64)])
  func agreesWithPillow(width: Int, height: Int) throws {
    let resized = try reference("scene.png").resized(width: width, height: height)
    #expect(try largestDifference(resized, reference("resized-\(width)x\(height).png")) == 0)
  }

  @Test func sameSizeIsTheSamePicture() {
    #expect(pattern(9, 5).resized(width: 9, height: 5) == pattern(9, 5))
  }

  /// The weights of a pixel add up to one: an even colour stays to the bit.
  @Test(arguments: [(1, 1), (2, 3), (17, 40), (300, 5)])
  func evenColorsStay(width: Int, height: Int) {
    let even = Picture(width: 23, height: 31, color: SIMD3(0, 200, 255))
    #expect(
      even.resized(width: width, height: height)
        == Picture(width: width, height: height, color: SIMD3(0, 200, 255)))
  }

  @Test func onePixelGrows() {
    let pixel = Picture(width: 1, height: 1, color: SIMD3(9, 99, 199))
    #expect(pixel.resized(width: 4, height: 3)[3, 2] == SIMD3(9, 99, 199))
  }
}
