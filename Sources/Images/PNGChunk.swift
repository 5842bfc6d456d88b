// The chunks that a PNG file is made of: walking them, checking them, and making one.
// Pixels are libpng's business; what it leaves out (text, a check of the whole file) is here.

/// One chunk of a PNG file (PNG specification, third edition, section 5.3).
struct PNGChunk {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Four letters.
  let type: String
  /// Where its data lie in the file.
  let data: Range<Int>

  /// The chunks of a file from IHDR to IEND. What comes after IEND is left unread.
  ///
  /// - Throws: `ImageError.badData` where the file ends early, the checksum of a chunk is wrong, or
  ///   the first chunk is not IHDR.
  static func list(_ bytes: [UInt8], name: String) throws -> [PNGChunk] {
    guard bytes.starts(with: signature) else {
      throw ImageError.badData(name, "no PNG signature, wanted a PNG file")
    }
    var chunks: [PNGChunk] = []
    var offset = signature.count
    while true {
      guard let length = bytes.number(at: offset, size: 4, .bigEndian),
        length <= bytes.count - offset - 12
      else {
        throw ImageError.badData(
          name, "a truncated PNG: it ends at byte \(bytes.count), before its IEND chunk")
      }
      let data = offset + 8..<offset + 8 + length
      let type = String(decoding: bytes[offset + 4..<offset + 8], as: UTF8.self)
      guard type.utf8.count == 4, type.allSatisfy({ $0.isASCII && $0.isLetter }) else {
        throw ImageError.badData(name, "a damaged PNG: no chunk begins at byte \(offset)")
      }
      let stored = bytes.number(at: data.upperBound, size: 4, .bigEndian)
      guard stored == Int(checksum(bytes[offset + 4..<data.upperBound])) else {
        throw ImageError.badData(
          name, "a damaged PNG: the checksum of the chunk \(type) at byte \(offset) is wrong")
      }
      guard !chunks.isEmpty || (type == "IHDR" && length == 13) else {
        throw ImageError.badData(name, "a damaged PNG: begins with \(type), wanted IHDR")
      }
      chunks.append(PNGChunk(type: type, data: data))
      if type == "IEND" { return chunks }
      offset = data.upperBound + 4
    }
  }

  /// The bytes of a chunk: length, type, data, checksum.
  static func bytes(type: String, data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    return bigEndian(UInt32(data.count)) + body + bigEndian(checksum(body[...]))
  }

  private static func bigEndian(_ number: UInt32) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  /// The CRC-32 of the specification's annex D.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var value: UInt32 = 0xFFFF_FFFF
    for byte in bytes { value = table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ (value >> 8) }
    return ~value
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
    }
  }
}
