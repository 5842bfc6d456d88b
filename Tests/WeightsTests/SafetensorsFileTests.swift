import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct SafetensorsFileTests {
  /// Opens a file of these bytes and hands it on.
  private func open(_ bytes: [UInt8], _ body: (SafetensorsFile) throws -> Void = { _ in }) throws {
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      try Data(bytes).write(to: url)
      try body(try SafetensorsFile(url))
    }
  }

  @Test func readsEveryFloatingPointType() throws {
    // 19 elements, so that the vectors of 16 have a rest. All are exact in bfloat16.
    let values = (0..<19).map { Float($0 - 9) * 0.25 }
    let data =
      bytes(of: values) + bytes(of: values.map { Float16($0) })
      + bytes(of: values.map { UInt16($0.bitPattern >> 16) }) + bytes(of: values.map(Double.init))
    let header = """
      {"a":{"dtype":"F32","shape":[19],"data_offsets":[0,76]},
       "b":{"dtype":"F16","shape":[19,1],"data_offsets":[76,114]},
       "c":{"dtype":"BF16","shape":[1,19],"data_offsets":[114,152]},
       "d":{"dtype":"F64","shape":[19],"data_offsets":[152,304]},
       "__metadata__":{"format":"pt"}}
      """
    try open(safetensors(header, data)) { file in
      #expect(file.metadata == ["format": "pt"])
      try #expect(file.tensor(named: "a", shape: [19]).array == values)
      try #expect(file.tensor(named: "b", shape: [19, 1]).array == values)
      try #expect(file.tensor(named: "c", shape: [1, 19]).array == values)
      try #expect(file.tensor(named: "d", shape: [19]).array == values)
    }
  }

  /// Each of the 65536 patterns of both types, against the scalar conversion of the standard library.
  @Test func widensEveryPattern() throws {
    let patterns = Array(UInt16.min...UInt16.max)
    let header = """
      {"a":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]},
       "b":{"dtype":"BF16","shape":[65536],"data_offsets":[131072,262144]}}
      """
    try open(safetensors(header, bytes(of: patterns + patterns))) { file in
      let halves = try file.tensor(named: "a", shape: [65536]).array
      let brains = try file.tensor(named: "b", shape: [65536]).array
      for (index, pattern) in patterns.enumerated() {
        let half = Float(Float16(bitPattern: pattern))
        #expect(halves[index].bitPattern == half.bitPattern || (half.isNaN && halves[index].isNaN))
        #expect(brains[index].bitPattern == UInt32(pattern) << 16)
      }
    }
  }

  @Test func readsScalarsAndEmptyTensors() throws {
    let header = """
      {"empty":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},
       "scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}
      """
    try open(safetensors(header, bytes(of: [Float(3)]))) { file in
      try #expect(file.tensor(named: "scalar", shape: []).scalar == 3)
      try #expect(file.tensor(named: "empty", shape: [0, 4]).count == 0)
    }
  }

  @Test func namesTheTensorAndBothShapes() throws {
    try open(safetensors([("w", [2, 3], [1, 2, 3, 4, 5, 6])])) { file in
      expectLoadingError(saying: "a.safetensors", "\"w\"", "[2, 3]", "wanted [3, 2]") {
        _ = try file.tensor(named: "w", shape: [3, 2])
      }
      expectLoadingError(saying: "a.safetensors", "\"v\"", "wanted one of shape [3, 2]") {
        _ = try file.tensor(named: "v", shape: [3, 2])
      }
    }
  }

  @Test func refusesIntegersAsParameters() throws {
    let header = #"{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#
    try open(safetensors(header, bytes(of: [Int64(1)]))) { file in
      expectLoadingError(saying: "\"ids\" holds I64", "wanted F32") {
        _ = try file.tensor(named: "ids", shape: [1])
      }
    }
  }

  @Test(arguments: [
    ("[]", 0, "object"),
    ("{\"a\":{}}", 0, "\"dtype\""),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4, "no more"),
    (#"{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}"#, 1, "\"dtype\""),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "0 or more"),
    (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "0 or more"),
    (
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, 4, "2^63"
    ),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "wanted 8 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, 4, "within the 4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "within the 4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "within the 4 bytes"),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775807,9223372036854775807]}}"#,
      4, "within the 4 bytes"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "start at byte"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8, "end of the file"),
    ("{}", 1, "end of the file"),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      4, "start at byte"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8, "twice"
    ),
    (#"{"__metadata__":{"a":1}}"#, 0, "text"),
    (#"{"__metadata__":[]}"#, 0, "texts"),
  ])
  func refuses(header: String, dataCount: Int, reason: String) {
    expectLoadingError(saying: "a.safetensors", reason) {
      try open(safetensors(header, Array(repeating: 0, count: dataCount)))
    }
  }

  @Test(arguments: [UInt64(3), 100_000_001, .max, UInt64(Int64.max)])
  func refusesAHeaderBeyondTheFile(length: UInt64) {
    expectLoadingError(saying: "a header of \(length) bytes, wanted at most 2") {
      try open(withUnsafeBytes(of: length.littleEndian, Array.init) + Array("{}".utf8))
    }
  }

  @Test func refusesEveryTruncation() throws {
    let whole = safetensors([("a", [2], [1, 2]), ("b", [1], [3])])
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      for length in 0..<whole.count {
        try Data(whole[..<length]).write(to: url)
        expectLoadingError(saying: "a.safetensors") { _ = try SafetensorsFile(url) }
      }
    }
  }

  /// Whatever a changed byte of the header makes of the file, reading it never traps.
  @Test func survivesDamage() throws {
    let whole = safetensors([("a", [2], [1, 2])])
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      for index in 0..<(whole.count - 8) {
        for bit in 0..<8 {
          var damaged = whole
          damaged[index] ^= 1 << bit
          try Data(damaged).write(to: url)
          _ = try? SafetensorsFile(url).tensor(named: "a", shape: [2])
        }
      }
    }
  }

  @Test func namesWhatIsNotAFile() throws {
    expectLoadingError(saying: "/nowhere/a.safetensors: can't open") {
      _ = try SafetensorsFile(URL(fileURLWithPath: "/nowhere/a.safetensors"))
    }
    try withTemporaryFolder { folder in
      expectLoadingError(saying: "not a regular file") { _ = try SafetensorsFile(folder) }
    }
  }
}
