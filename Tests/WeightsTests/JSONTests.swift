import Foundation
import Testing

@testable import Weights

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSON {
    try JSON(parsing: Array(text.utf8), file: "a.json")
  }

  @Test func readsEveryKindOfValue() throws {
    let json = try parse(
      #" {"a": [1, -2.5e1, true, false, null], "b": {"c": "\u00e9\n\ud83d\ude00\"x"}, "d": -Infinity} "#
    )
    #expect(
      json
        == .object([
          .init(key: "a", value: .array([1, .number(-25), true, false, .null])),
          .init(key: "b", value: .object([.init(key: "c", value: "é\n😀\"x")])),
          .init(key: "d", value: .number(-.infinity)),
        ]))
    #expect(json["b"]?["c"] == "é\n😀\"x")
    #expect(json["z"] == nil)
  }

  @Test func tellsIntegersFromNumbers() throws {
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .number(9223372036854775808))
    #expect(try parse("1.0") == .number(1))
    #expect(try parse("-0") == .integer(0))
  }

  @Test(arguments: [
    "", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "01", "1.", "1e", "-", "+1", "tru",
    "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "\"a",
    "1 2",
    "1e999", "nul", "[\"\\", "{\"a\":",
  ])
  func refuses(_ text: String) {
    #expect(throws: LoadingError.self) { try parse(text) }
  }

  @Test func refusesBytesThatAreNotUTF8() {
    #expect(throws: LoadingError.self) {
      try JSON(parsing: [0x22, 0xFF, 0x22], file: "a.json")
    }
  }

  @Test func namesARepeatedKey() {
    #expect {
      try parse(#"{"a": 1, "\u0061": 2}"#)
    } throws: {
      "\($0)" == #"a.json: the key "a" stands twice in one object"#
    }
  }

  @Test func refusesDeepNestingWithoutRunningOutOfStack() {
    #expect(throws: LoadingError.self) {
      try parse(String(repeating: "[", count: 1_000_000))
    }
  }

  @Test func saysWhereAFileEnds() {
    #expect {
      try parse("[1")
    } throws: {
      "\($0)" == #"a.json: ends at byte 2, wanted "," or "]""#
    }
  }

  /// Every prefix and every change of one byte is read or refused, and never traps.
  @Test func survivesDamage() {
    let text = Array(#"{"a":[1,-2.5e1,true,null],"b":{"c":"\ud83d\ude00é"},"d":-Infinity}"#.utf8)
    for end in 0..<text.count {
      #expect(throws: LoadingError.self) {
        try JSON(parsing: Array(text[..<end]), file: "a.json")
      }
    }
    for index in text.indices {
      for byte in UInt8.min...UInt8.max {
        var damaged = text
        damaged[index] = byte
        _ = try? JSON(parsing: damaged, file: "a.json")
      }
    }
  }

  @Test func namesAFileThatIsNotThere() {
    let url = URL(fileURLWithPath: "/nowhere/config.json")
    #expect {
      try JSON(contentsOf: url)
    } throws: {
      ($0 as? LoadingError)?.kind == .missing
        && "\($0)" == "/nowhere/config.json: can't open: No such file or directory"
    }
  }

  @Test func descriptionsAreOneShortLine() throws {
    let long = JSON.array(Array(repeating: "a\nb", count: 100_000))
    #expect(long.description.count == 100)
    #expect(!long.description.contains("\n"))
  }
}
