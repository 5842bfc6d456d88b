import Foundation
import Testing

@testable import Scenes

@Suite struct QtResourcesTests {
  private static func big(_ value: Int, _ size: Int) -> [UInt8] {
    (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// The file that `rcc --binary --format-version 1` makes of `pictures/a.txt` and `b.txt`: a header, data, names, and
  /// the nodes of the root, of `b.txt`, of `pictures` and of `a.txt`.
  private static func file(flags: Int = 0) -> [UInt8] {
    let data = big(3, 4) + Array("abc".utf8) + big(2, 4) + Array("de".utf8)
    var names: [UInt8] = []
    func name(_ text: String) -> Int {
      defer {
        names += big(text.utf16.count, 2) + big(0, 4) + text.utf16.flatMap { big(Int($0), 2) }
      }
      return names.count
    }
    let (pictures, a, b) = (name("pictures"), name("a.txt"), name("b.txt"))
    func folder(_ name: Int, count: Int, first: Int) -> [UInt8] {
      big(name, 4) + big(2, 2) + big(count, 4) + big(first, 4)
    }
    func leaf(_ name: Int, at offset: Int) -> [UInt8] {
      big(name, 4) + big(flags, 2) + big(0, 4) + big(offset, 4)
    }
    let tree =
      folder(0, count: 2, first: 1) + leaf(b, at: 7) + folder(pictures, count: 1, first: 3)
      + leaf(a, at: 0)
    let start = 20
    let header =
      Array("qres".utf8) + big(1, 4) + big(start + data.count + names.count, 4) + big(start, 4)
      + big(start + data.count, 4)
    return header + data + names + tree
  }

  @Test func readsFilesByTheirPaths() throws {
    let resources = try QtResources(Data(Self.file()), name: "small.rcc")
    #expect(resources.paths == ["b.txt", "pictures/a.txt"])
    #expect(try resources.bytes(of: "pictures/a.txt") == Array("abc".utf8))
    #expect(try resources.bytes(of: "b.txt") == Array("de".utf8))
    let error = try #require(throws: SceneError.self) { try resources.bytes(of: "c.txt") }
    #expect(error.description == "small.rcc: there is no c.txt in it")
  }

  @Test func compressedFilesAreLeftOut() throws {
    #expect(try QtResources(Data(Self.file(flags: 1)), name: "small.rcc").paths == [])
  }

  /// However a file is cut short or changed, it is read or refused, never read beyond its end.
  @Test func damagedFilesAreRefused() throws {
    let whole = Self.file()
    for length in 0..<whole.count {
      #expect(throws: SceneError.self) {
        try QtResources(Data(whole[..<length]), name: "small.rcc")
      }
    }
    for index in whole.indices {
      var changed = whole
      changed[index] ^= 0xFF
      if let resources = try? QtResources(Data(changed), name: "small.rcc") {
        for path in resources.paths { _ = try resources.bytes(of: path) }
      }
    }
  }
}
