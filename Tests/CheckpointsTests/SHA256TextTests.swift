import Foundation
import Testing

@testable import Checkpoints

@Suite struct SHA256TextTests {
  // FIPS 180-2, appendix B.1, and the digest of nothing.
  private let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  private let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  @Test func ofBytes() {
    #expect(SHA256Text.digest(of: "abc".utf8) == abc)
    #expect(SHA256Text.digest(of: [UInt8]()) == nothing)
  }

  /// FIPS 180-2, appendix B.3: a million times "a", which is not a whole number of pieces.
  @Test func ofFile() throws {
    try withFolder { folder in
      try Data(repeating: UInt8(ascii: "a"), count: 1_000_000).write(
        to: URL(filePath: "\(folder)/million"))
      #expect(
        try SHA256Text.digest(ofFile: "\(folder)/million")
          == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
      let error = #expect(throws: StoreError.self) {
        try SHA256Text.digest(ofFile: "\(folder)/absent")
      }
      #expect(error?.kind == .noInput)
      #expect(error?.description == "\(folder)/absent: can't be opened: No such file or directory")
    }
  }

  /// The listing that sha256sum would print, its paths sorted by bytes: capitals first, and "b.x" before "b/c".
  @Test func ofFolder() throws {
    try withFolder { folder in
      let manager = FileManager.default
      try manager.createDirectory(atPath: "\(folder)/b", withIntermediateDirectories: false)
      for name in ["b/c", "b.x", "a", "Z", ".hidden"] {
        try Data((name == "a" ? "abc" : "").utf8).write(to: URL(filePath: "\(folder)/\(name)"))
      }
      let listing = "\(nothing)  Z\n\(abc)  a\n\(nothing)  b.x\n\(nothing)  b/c\n"
      #expect(
        try SHA256Text.digest(ofFolder: folder) == SHA256Text.digest(of: listing.utf8))

      // A link counts as what it leads to; one that leads round and round ends in an error.
      try manager.createSymbolicLink(atPath: "\(folder)/zz", withDestinationPath: "a")
      #expect(
        try SHA256Text.digest(ofFolder: folder)
          == SHA256Text.digest(of: (listing + "\(abc)  zz\n").utf8))
      try manager.createSymbolicLink(atPath: "\(folder)/b/up", withDestinationPath: "..")
      #expect(throws: StoreError.self) { try SHA256Text.digest(ofFolder: folder) }
      #expect(throws: StoreError.self) { try SHA256Text.digest(ofFolder: "\(folder)/absent") }
    }
  }
}
