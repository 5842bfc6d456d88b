// The 512 bytes in front of the HDF5 part of a stored file (its "user block", which HDF5 leaves to the program). They
// make a file prove itself: a flipped bit or a missing end is found before HDF5 reads a byte.
//
// As text, so that `head -c 512` shows it and `tail -c +513 FILE | sha256sum` checks it:
//
//     imagic store 1
//     bytes <the whole file's length, 20 digits>
//     sha256 <of what follows these 512 bytes, 64 hexadecimal digits>
//
// and spaces up to a newline at the end.

import Crypto

struct StoreHeader: Equatable {
  static let byteCount = 512
  private static let firstLine = "imagic store 1\n"

  /// The length of the whole file.
  let fileSize: Int
  /// The SHA-256 of everything behind the header.
  let contentDigest: String

  /// The one form of this header: any other bytes are damage.
  var bytes: [UInt8] {
    let digits = String(fileSize)
    let padded = String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    var result = Array("\(Self.firstLine)bytes \(padded)\nsha256 \(contentDigest)\n".utf8)
    result += [UInt8](repeating: UInt8(ascii: " "), count: Self.byteCount - 1 - result.count)
    result.append(UInt8(ascii: "\n"))
    return result
  }

  /// The digests of a file: of what follows the header, and of all of it.
  static func digests(of file: OpenFile, size: Int) throws(StoreError) -> (
    content: String, file: String
  ) {
    var content = SHA256()
    var whole = SHA256()
    try file.forEachPiece(from: 0, to: byteCount) { whole.update(bufferPointer: $0) }
    try file.forEachPiece(from: byteCount, to: size) {
      content.update(bufferPointer: $0)
      whole.update(bufferPointer: $0)
    }
    return (SHA256Text.hex(content.finalize()), SHA256Text.hex(whole.finalize()))
  }

  /// Writes the header of a file whose other bytes are all there.
  static func seal(_ file: OpenFile) throws(StoreError) {
    let size = try file.size()
    var content = SHA256()
    try file.forEachPiece(from: byteCount, to: size) { content.update(bufferPointer: $0) }
    let header = Self(fileSize: size, contentDigest: SHA256Text.hex(content.finalize()))
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
    defer { bytes.deallocate() }
    bytes.copyBytes(from: header.bytes)
    try file.write(UnsafeRawBufferPointer(bytes), at: 0)
  }

  /// Whether a file begins as those of this program do.
  static func isPresent(in file: OpenFile) throws(StoreError) -> Bool {
    guard try file.size() >= byteCount else { return false }
    return try start(of: file).starts(with: firstLine.utf8)
  }

  /// Checks that a file is, byte for byte, what was saved.
  /// - Throws: `badData` where it is not.
  /// - Returns: the digest of the whole file.
  @discardableResult
  static func verify(_ file: OpenFile) throws(StoreError) -> String {
    let size = try file.size()
    guard size > byteCount else {
      throw StoreError(.badData, "\(file.path): has \(size) bytes, too few for a saved file")
    }
    guard try isPresent(in: file) else {
      throw StoreError(
        .badData, "\(file.path): doesn't begin with \"imagic store 1\", so it is damaged or foreign"
      )
    }
    let digests = try digests(of: file, size: size)
    let wanted = Self(fileSize: size, contentDigest: digests.content)
    guard try start(of: file).elementsEqual(wanted.bytes) else {
      throw StoreError(
        .badData,
        "\(file.path): damaged: its \(size) bytes have the SHA-256 \(digests.content), "
          + "not the length and SHA-256 that its header says")
    }
    return digests.file
  }

  private static func start(of file: OpenFile) throws(StoreError) -> [UInt8] {
    var start: [UInt8] = []
    try file.forEachPiece(from: 0, to: byteCount) { start += $0 }
    return start
  }
}
