import Testing

@testable import Images

@Suite struct PNGTextTests {
  @Test func textsComeBack() throws {
    let texts = [
      PNGText("prompt", "a photo of a cow on grass at sunset"),
      PNGText("Title", "Kühe, naïve café"),
      PNGText("prompt (other)", "ein Foto 牛 🐄 – α 0.7\nsecond line"),
      PNGText("empty", ""),
      PNGText("prompt", "a keyword twice"),
    ]
    let picture = pattern(8, 8)
    let bytes = try picture.png(text: texts)
    #expect(try PNGText.read(bytes, name: "written") == texts)
    #expect(try Picture(decoding: bytes, name: "written") == picture)
    #expect(
      try PNGChunk.list(bytes, name: "written").map(\.type).filter { $0.hasSuffix("Xt") }
        == ["tEXt", "tEXt", "iTXt", "tEXt", "tEXt"])
    #expect(try picture.png(text: texts) == bytes)
  }

  @Test func refusesWhatPNGDoesNotAllow() {
    let long = String(repeating: "k", count: 80)
    for keyword in ["", " a", "a ", "a  b", "a\nb", "α", long] {
      let error = #expect(throws: ImageError.self) {
        try pattern(1, 1).png(text: [PNGText(keyword, "x")])
      }
      #expect(error?.description.contains("keyword") == true)
    }
    #expect(throws: ImageError.self) { try pattern(1, 1).png(text: [PNGText("key", "a\0b")]) }
  }

  @Test func refusesMalformedChunks() throws {
    func file(_ type: String, _ data: [UInt8]) -> [UInt8] {
      let plain = PNGMaker(colorType: 0, depth: 8).file()
      return plain[..<33] + PNGChunk.bytes(type: type, data: data) + plain[33...]
    }
    let key = Array("key".utf8)
    for (type, data) in [
      ("tEXt", key), ("iTXt", []), ("iTXt", key), ("iTXt", key + [0]), ("iTXt", key + [0, 0]),
      ("iTXt", key + [0, 0, 0]), ("iTXt", key + [0, 0, 0, 0]),
      ("iTXt", key + [0, 0, 0, 0, 0, 0xFF]),
    ] {
      #expect(throws: ImageError.self, "\(type) \(data)") {
        try PNGText.read(file(type, data), name: "made")
      }
    }
    // A compressed text is left out, not misread.
    #expect(try PNGText.read(file("iTXt", key + [0, 1, 0, 0, 0, 1, 2]), name: "made").isEmpty)
  }
}
