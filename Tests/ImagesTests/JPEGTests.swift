import Testing

@testable import Images

@Suite struct JPEGTests {
  /// What Pillow decodes the same files to, by the same library with the accurate transform.
  @Test(arguments: ["baseline.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"])
  func agreesWithPillow(name: String) throws {
    #expect(try largestDifference(reference(name), reference(name + ".png")) <= 1)
  }

  /// A file whose decoder has something to warn of is refused: it would give half a picture.
  @Test func refusesDamage() throws {
    var bytes = try referenceBytes("baseline.jpg")
    bytes.replaceSubrange(
      bytes.count / 2..<bytes.count / 2 + 40, with: Array(repeating: 0xFF, count: 40))
    #expect(decodingError(bytes)?.description.contains("damaged JPEG") == true)
  }

  @Test func segmentsOfAnyLengthNeverTrap() throws {
    let bytes = try referenceBytes("baseline.jpg")
    for length in [0, 1, 2, 3, 7, 8, 9, 65_535] {
      let segment: [UInt8] = [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)]
      let exif = Array("Exif\0\0II*\0".utf8)
      _ = decodingError(bytes[..<2] + segment + exif + bytes[2...])
    }
  }
}
