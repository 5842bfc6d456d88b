// SHA-256 digests of bytes, files and folders, as 64 lowercase hexadecimal digits: what sha256sum prints.

import Crypto
import Foundation

/// Digests as text.
public enum SHA256Text {
  /// The digest of bytes in memory.
  public static func digest(of bytes: some Sequence<UInt8>) -> String {
    hex(SHA256.hash(data: Array(bytes)))
  }

  /// The digest of a file's content, read a piece at a time.
  /// - Throws: `StoreError` where the file is missing or can't be read.
  public static func digest(ofFile path: String, system: any SystemCalls = PosixCalls())
    throws(StoreError) -> String
  {
    let file = try OpenFile(reading: path, system: system)
    defer { file.abandon() }
    var hash = SHA256()
    try file.forEachPiece(from: 0, to: file.size()) { hash.update(bufferPointer: $0) }
    return hex(hash.finalize())
  }

  /// The digest of a folder: that of a listing with a line `<digest>  <path>` for each file in it, at any depth, sorted
  /// by the bytes of its path relative to the folder. Hidden files are left out; links are followed.
  ///
  /// The same as `find -L . -type f -not -path '*/.*' -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum`.
  /// - Throws: `StoreError` where the folder is missing or a file in it can't be read.
  public static func digest(ofFolder path: String) throws(StoreError) -> String {
    var listing = ""
    for relative in try files(under: path) {
      listing += "\(try digest(ofFile: "\(path)/\(relative)"))  \(relative)\n"
    }
    return digest(of: listing.utf8)
  }

  static func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func files(under folder: String) throws(StoreError) -> [String] {
    let deepest = 32
    var found: [String] = []
    var waiting = [(path: "", depth: 0)]
    while let (relative, depth) = waiting.popLast() {
      let path = relative.isEmpty ? folder : "\(folder)/\(relative)"
      guard depth <= deepest else {
        throw StoreError(.badData, "\(path): folders lie more than \(deepest) deep")
      }
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: path)
      } catch {
        throw StoreError(.noInput, "\(path): can't be listed as a folder")
      }
      for name in names where !name.hasPrefix(".") {
        let inner = relative.isEmpty ? name : "\(relative)/\(name)"
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: "\(folder)/\(inner)", isDirectory: &isFolder)
        else { throw StoreError(.noInput, "\(folder)/\(inner): a link to nothing") }
        if isFolder.boolValue { waiting.append((inner, depth + 1)) } else { found.append(inner) }
      }
    }
    return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}

extension OpenFile {
  /// Hands the bytes of a range to `body` in order, in pieces of one buffer.
  func forEachPiece(from start: Int, to end: Int, _ body: (UnsafeRawBufferPointer) -> Void)
    throws(StoreError)
  {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var offset = start
    while offset < end {
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<min(buffer.count, end - offset)])
      try read(into: piece, at: offset)
      body(UnsafeRawBufferPointer(piece))
      offset += piece.count
    }
  }
}
