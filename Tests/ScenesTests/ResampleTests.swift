import Images
import Testing

@testable import Scenes

@Suite struct ResampleTests {
  private func layer(_ picture: TransparentPicture, _ width: Int, _ height: Int) -> Layer {
    let whole = Area(x: 0, y: 0, width: Float(picture.width), height: Float(picture.height))
    return Layer(picture, whole, width: width, height: height)
  }

  @Test func sameSizeIsTheSamePicture() {
    let disc = SmallWorld.disc(17, 23, red: 200)
    #expect(disc.resized(width: 17, height: 23) == disc)
  }

  @Test(arguments: [(3, 5), (40, 31), (90, 2)])
  func evenColoursStay(width: Int, height: Int) {
    let even = TransparentPicture(
      width: 30, height: 20, pixels: Array(repeating: SIMD4(10, 100, 200, 255), count: 600))
    #expect(
      even.resized(width: width, height: height).pixels
        == Array(repeating: SIMD4(10, 100, 200, 255), count: width * height))
  }

  /// A slope halved is the slope between its pixels' pairs, away from the edges: the filter is even.
  @Test func slopesStaySlopes() {
    let pixels = (0..<64 * 4).map { SIMD4<UInt8>(UInt8($0 % 64 * 4), 0, 0, 255) }
    let half = layer(TransparentPicture(width: 64, height: 4, pixels: pixels), 32, 4)
    for x in 4..<28 {
      #expect(abs(half.pixels[32 + x].x - (8 * Float(x) + 2) / 255) < 1e-5)
    }
  }

  @Test func mirroredIsTheMirrorImage() {
    let disc = SmallWorld.slope(31, 9, 7)
    let area = Area(x: 2.5, y: 1, width: 20.25, height: 7.5)
    let plain = Layer(disc, area, width: 13, height: 6)
    let mirrored = Layer(disc, area, width: 13, height: 6, mirrored: true)
    for y in 0..<6 {
      for x in 0..<13 { #expect(mirrored.pixels[y * 13 + x] == plain.pixels[y * 13 + 12 - x]) }
    }
  }

  /// Colours stay within their alpha, so that no edge shines.
  @Test func edgesDoNotOvershoot() {
    for pixel in layer(SmallWorld.disc(40, 40, red: 255), 13, 57).pixels {
      #expect(pixel.w >= 0 && pixel.w <= 1 && pixel.rgb.min() >= 0 && pixel.rgb.max() <= pixel.w)
    }
  }
}
