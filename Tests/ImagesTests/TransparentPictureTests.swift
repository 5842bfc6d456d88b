import Foundation
import Testing

@testable import Images

@Suite struct TransparentPictureTests {
  /// A PNG of three pixels, `[200, 0, 0, 255], [200, 0, 0, 128], [255, 255, 255, 0]`, put together in Python by struct
  /// and zlib.
  private static let file =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAABCAYAAAAb4BS0AAAAFElEQVR4nGM4wcDwH4gb/v//zwAAJBsG"
    + "DU/pwDQAAAAASUVORK5CYII="

  @Test func coloursAreMultipliedByAlpha() throws {
    let bytes = [UInt8](try #require(Data(base64Encoded: Self.file)))
    let picture = try PNG.decodeTransparent(bytes, name: "three", limits: PictureLimits())
    #expect(picture.width == 3 && picture.height == 1)
    #expect(picture.pixels == [SIMD4(200, 0, 0, 255), SIMD4(100, 0, 0, 128), .zero])
  }

  @Test func trimmedIsWhatCanBeSeen() {
    var pixels = [SIMD4<UInt8>](repeating: .zero, count: 20)
    pixels[6] = SIMD4(9, 9, 9, 255)
    pixels[12] = SIMD4(7, 7, 7, 200)
    let picture = TransparentPicture(width: 5, height: 4, pixels: pixels).trimmed
    #expect(picture.width == 2 && picture.height == 2)
    #expect(picture.pixels == [pixels[6], .zero, .zero, pixels[12]])
    let empty = TransparentPicture(width: 2, height: 1, pixels: [.zero, .zero])
    #expect(empty.trimmed == empty)
  }

  @Test func fastPNGsAreTheSamePicture() throws {
    let picture = pattern(19, 7)
    #expect(try Picture(decoding: picture.fastPNG(), name: "fast") == picture)
    let mask: [UInt8] = [0, 255, 128, 7, 9, 200]
    let read = try Picture(decoding: maskPNG(mask, width: 3, height: 2), name: "mask")
    #expect(read.pixels == mask.flatMap { [$0, $0, $0] })
  }
}
