import Testing

@testable import Images

@Suite struct OrientationTests {
  /// An EXIF structure with nothing but an orientation.
  static func exif(_ value: Int, littleEndian: Bool) -> [UInt8] {
    func number(_ value: Int, _ size: Int) -> [UInt8] {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      return littleEndian ? bytes : bytes.reversed()
    }
    let start = Array((littleEndian ? "II*\0" : "MM\0*").utf8)
    // One entry: the tag, its type (short), how many, and the value in the first two of four bytes.
    let entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(value, 2) + [0, 0]
    return start + number(8, 4) + number(1, 2) + entry + number(0, 4)
  }

  /// The file with an EXIF segment right after its first mark.
  static func jpeg(_ bytes: [UInt8], exif: [UInt8]) -> [UInt8] {
    let content = Array("Exif\0\0".utf8) + exif
    let length = content.count + 2
    return bytes[..<2] + [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)] + content
      + bytes[2...]
  }

  /// Where the stored picture's first row and first column end up (EXIF 2.32, tag 0x0112), checked
  /// at the pixel that they share and at its two neighbours in the corners.
  @Test func turnsAsTheStandardSays() {
    let stored = pattern(5, 3)
    let (first, right, below) = (stored[0, 0], stored[4, 0], stored[0, 2])
    // By orientation: the size, and where the stored top left, top right and bottom left come.
    let places: [(Int, (Int, Int), (Int, Int), (Int, Int), (Int, Int))] = [
      (1, (5, 3), (0, 0), (4, 0), (0, 2)), (2, (5, 3), (4, 0), (0, 0), (4, 2)),
      (3, (5, 3), (4, 2), (0, 2), (4, 0)), (4, (5, 3), (0, 2), (4, 2), (0, 0)),
      (5, (3, 5), (0, 0), (0, 4), (2, 0)), (6, (3, 5), (2, 0), (2, 4), (0, 0)),
      (7, (3, 5), (2, 4), (2, 0), (0, 4)), (8, (3, 5), (0, 4), (0, 0), (2, 4)),
    ]
    for (value, size, topLeft, topRight, bottomLeft) in places {
      let upright = stored.upright(Orientation(rawValue: value)!)
      #expect((upright.width, upright.height) == size)
      #expect(upright[topLeft.0, topLeft.1] == first, "orientation \(value)")
      #expect(upright[topRight.0, topRight.1] == right, "orientation \(value)")
      #expect(upright[bottomLeft.0, bottomLeft.1] == below, "orientation \(value)")
    }
  }

  @Test(arguments: 1...8)
  func isReadFromJPEG(value: Int) throws {
    let bytes = try referenceBytes("baseline.jpg")
    let stored = try Picture(decoding: bytes, name: "stored")
    let orientation = try #require(Orientation(rawValue: value))
    for littleEndian in [false, true] {
      let file = Self.jpeg(bytes, exif: Self.exif(value, littleEndian: littleEndian))
      #expect(try Picture(decoding: file, name: "turned") == stored.upright(orientation))
    }
  }

  @Test func isReadFromPNG() throws {
    let bytes = try referenceBytes("scene.png")
    let chunk = PNGChunk.bytes(type: "eXIf", data: Self.exif(6, littleEndian: true))
    let turned = try Picture(decoding: bytes[..<33] + chunk + bytes[33...], name: "turned")
    #expect(try turned == reference("scene.png").upright(.clockwise))
  }

  /// Pillow wrote orientation 6, and turned by a quarter clockwise what it decoded.
  @Test func agreesWithPillow() throws {
    #expect(try largestDifference(reference("turned.jpg"), reference("turned.jpg.png")) <= 1)
    #expect(try reference("turned.webp") == reference("scene.png").upright(.clockwise))
  }

  @Test func damagedNotesAreLeftOut() throws {
    let whole = Self.exif(6, littleEndian: true)
    let offsetOfValue = whole.count - 8
    for length in 0..<offsetOfValue + 2 {
      #expect(Orientation(exif: whole, in: 0..<length) == .upright)
    }
    #expect(Orientation(exif: whole, in: 0..<whole.count) == .clockwise)
    for value in [0, 9, 65_535] {
      let odd = Self.exif(value, littleEndian: false)
      #expect(Orientation(exif: odd, in: 0..<odd.count) == .upright)
    }
    var endless = whole
    endless.replaceSubrange(4..<8, with: [255, 255, 255, 255])
    #expect(Orientation(exif: endless, in: 0..<endless.count) == .upright)
  }
}
