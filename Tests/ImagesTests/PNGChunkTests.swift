import Testing

@testable import Images

@Suite struct PNGChunkTests {
  /// The checksum of an empty IEND chunk, as every PNG file ends.
  @Test func writesTheKnownChecksum() {
    #expect(
      PNGChunk.bytes(type: "IEND", data: [])
        == [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82])
  }

  @Test func listsAFile() throws {
    let file = PNGMaker(colorType: 0, depth: 8).file()
    let chunks = try PNGChunk.list(file, name: "made")
    #expect(chunks.map(\.type) == ["IHDR", "IDAT", "IEND"])
    #expect(chunks[0].data == 16..<29)
    #expect(try PNGChunk.list(file + [1, 2, 3], name: "made").count == 3)
  }

  @Test func refusesOtherStarts() {
    let file = PNGMaker(colorType: 0, depth: 8).file()
    #expect(throws: ImageError.self) { try PNGChunk.list(Array(file[1...]), name: "cut") }
    #expect(throws: ImageError.self) {
      try PNGChunk.list(PNGChunk.signature + file[33...], name: "no header")
    }
  }
}
