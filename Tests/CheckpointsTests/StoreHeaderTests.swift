import Foundation
import Testing

@testable import Checkpoints

@Suite struct StoreHeaderTests {
  @Test func isTextOfItsLength() {
    let bytes = StoreHeader(fileSize: 4711, contentDigest: String(repeating: "a", count: 64)).bytes
    #expect(bytes.count == 512)
    #expect(
      String(decoding: bytes, as: UTF8.self).hasPrefix(
        "imagic store 1\nbytes 00000000000000004711\nsha256 aaaa"))
    #expect(bytes.last == UInt8(ascii: "\n"))
  }

  @Test func sealedFileProvesItself() throws {
    try withFolder { folder in
      let path = "\(folder)/file"
      let file = try OpenFile(creating: path, system: PosixCalls())
      defer { file.abandon() }
      let bytes = [UInt8](repeating: 9, count: 600)
      try bytes.withUnsafeBytes { try file.write($0, at: 512) }
      #expect(try !StoreHeader.isPresent(in: file))
      try StoreHeader.seal(file)
      #expect(try StoreHeader.isPresent(in: file))
      #expect(try StoreHeader.verify(file) == SHA256Text.digest(ofFile: path))
      let header = try Data(contentsOf: URL(filePath: path)).prefix(512)
      #expect(
        Array(header)
          == StoreHeader(fileSize: 1112, contentDigest: SHA256Text.digest(of: bytes)).bytes)

      // A header before nothing is no file.
      try file.truncate(to: 512)
      let error = #expect(throws: StoreError.self) { try StoreHeader.verify(file) }
      #expect(error?.kind == .badData)
    }
  }
}
