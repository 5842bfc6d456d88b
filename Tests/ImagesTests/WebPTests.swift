import Testing

@testable import Images

@Suite struct WebPTests {
  @Test func agreesWithPillow() throws {
    #expect(try reference("lossless.webp") == reference("scene.png"))
    #expect(try reference("lossy.webp") == reference("lossy.webp.png"))
  }

  @Test func animationsAreRefused() throws {
    let error = decodingError(try referenceBytes("animated.webp"))
    #expect(error?.description == "photo.x: an animated WebP, wanted a still picture")
  }

  /// The same picture as WebP and as PNG gives the same on white.
  @Test func transparencyIsPutOnWhiteAsInPNG() throws {
    let webP = try reference("transparent.webp")
    #expect(try webP == reference("transparent.png"))
    #expect(webP[44, 36] == SIMD3(255, 255, 255))
  }
}
