// Notes in a PNG file: text chunks, written and read back.

/// A text chunk: a keyword and its text.
public struct PNGText: Hashable, Sendable {
  /// 1 to 79 printable characters of Latin-1, no spaces at the ends or two together.
  public let keyword: String
  /// Any text without the character zero.
  public let text: String

  public init(_ keyword: String, _ text: String) {
    self.keyword = keyword
    self.text = text
  }

  /// The text chunks of a PNG file in their order: tEXt, and iTXt that is not compressed. Others
  /// are left out.
  ///
  /// - Throws: `ImageError.badData` if the file is no whole PNG file or a text chunk is malformed.
  public static func read(_ bytes: [UInt8], name: String) throws -> [PNGText] {
    try PNGChunk.list(bytes, name: name).compactMap { chunk in
      switch chunk.type {
      case "tEXt": try latin(bytes[chunk.data], name: name)
      case "iTXt": try international(bytes[chunk.data], name: name)
      default: nil
      }
    }
  }

  private static func latin(_ data: ArraySlice<UInt8>, name: String) throws -> PNGText {
    guard let zero = data.firstIndex(of: 0) else {
      throw ImageError.badData(name, "a tEXt chunk without a zero after its keyword")
    }
    return PNGText(string(data[..<zero]), string(data[(zero + 1)...]))
  }

  /// Keyword, 0, compression flag, compression method, language tag, 0, translated keyword, 0, text.
  private static func international(_ data: ArraySlice<UInt8>, name: String) throws -> PNGText? {
    let parts = data.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count >= 2 else {
      throw ImageError.badData(name, "an iTXt chunk that ends before its text")
    }
    guard parts[1].first == 0 else { return nil }
    let rest = parts[1].dropFirst(2)
      .split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard rest.count == 3, let text = String(validating: rest[2], as: UTF8.self) else {
      throw ImageError.badData(name, "an iTXt chunk without a text in UTF-8")
    }
    return PNGText(string(parts[0]), text)
  }

  /// Latin-1's 256 characters are Unicode's first.
  private static func string(_ latin: ArraySlice<UInt8>) -> String {
    String(String.UnicodeScalarView(latin.map { Unicode.Scalar($0) }))
  }

  private static func latinBytes(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      let isPrintable = (0x20...0x7E).contains(scalar.value) || (0xA1...0xFF).contains(scalar.value)
      guard isPrintable || scalar == "\n" else { return nil }
      bytes.append(UInt8(scalar.value))
    }
    return bytes
  }

  /// The chunk: tEXt where the text is Latin-1, else iTXt.
  ///
  /// - Throws: `ImageError.badData` for a keyword or a text that PNG does not allow.
  func chunk() throws -> [UInt8] {
    guard let keywordBytes = Self.latinBytes(keyword), (1...79).contains(keywordBytes.count),
      !keyword.contains("\n"), !keyword.hasPrefix(" "), !keyword.hasSuffix(" "),
      !keyword.contains("  ")
    else {
      throw ImageError.badData(
        "a PNG text", "the keyword '\(keyword)', wanted 1 to 79 printable Latin-1 characters")
    }
    guard !text.utf8.contains(0) else {
      throw ImageError.badData("the PNG text '\(keyword)'", "holds the character zero")
    }
    if let textBytes = Self.latinBytes(text) {
      return PNGChunk.bytes(type: "tEXt", data: keywordBytes + [0] + textBytes)
    }
    return PNGChunk.bytes(type: "iTXt", data: keywordBytes + [0, 0, 0, 0, 0] + Array(text.utf8))
  }
}

extension Picture {
  /// The bytes of a PNG file of this picture: 8-bit RGB, marked sRGB, with the texts in the order
  /// given. The same picture and texts give the same bytes.
  ///
  /// - Throws: `ImageError.badData` for a keyword or a text that PNG does not allow.
  public func png(text: [PNGText] = []) throws -> [UInt8] {
    var bytes = try PNG.encode(self)
    // Right after the header: signature, then IHDR with its 13 bytes of data.
    let afterHeader = PNGChunk.signature.count + 12 + 13
    bytes.insert(contentsOf: try text.flatMap { try $0.chunk() }, at: afterHeader)
    return bytes
  }
}
