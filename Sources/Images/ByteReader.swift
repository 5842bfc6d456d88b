// Bounds-checked reading of numbers from the bytes of a file.

/// Which byte of a number comes first.
enum ByteOrder { case bigEndian, littleEndian }

extension [UInt8] {
  /// The unsigned number of `size` bytes (at most 4) at `offset`; nil beyond the end.
  func number(at offset: Int, size: Int, _ order: ByteOrder) -> Int? {
    guard offset >= 0, size >= 0, offset <= count, size <= count - offset else { return nil }
    let bytes = self[offset..<offset + size]
    switch order {
    case .bigEndian: return bytes.reduce(0) { $0 << 8 | Int($1) }
    case .littleEndian: return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
  }

  /// Whether the bytes at `offset` are those of `text`.
  func holds(_ text: String, at offset: Int) -> Bool {
    let wanted = text.utf8
    guard offset >= 0, offset <= count, wanted.count <= count - offset else { return false }
    return self[offset..<offset + wanted.count].elementsEqual(wanted)
  }
}
