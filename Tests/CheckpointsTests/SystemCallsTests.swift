import Glibc
import Testing

@testable import Checkpoints

@Suite struct SystemCallsTests {
  private func write(_ folder: String, _ system: any SystemCalls) throws -> [UInt8] {
    let file = try OpenFile(creating: "\(folder)/file", system: system)
    defer {
      file.abandon()
      unlink("\(folder)/file")
    }
    let bytes = (0..<100).map { UInt8($0) }
    try bytes.withUnsafeBytes { try file.write($0, at: 5) }
    try file.sync()
    var back = [UInt8](repeating: 0, count: 100)
    try back.withUnsafeMutableBytes { try file.read(into: $0, at: 5) }
    #expect(try file.size() == 105)
    try file.truncate(to: 50)
    #expect(try file.size() == 50)
    return back
  }

  /// Interrupted and short transfers are none of the caller's business.
  @Test(arguments: [.error(EINTR), .short] as [Fault])
  func goesOn(fault: Fault) throws {
    try withFolder { folder in
      for index in 1...12 {
        let back = try write(folder, FaultyCalls(fault, at: index))
        #expect(back == Array(0..<100))
      }
    }
  }

  @Test(arguments: [ENOSPC, EIO, EDQUOT, EROFS])
  func givesUp(code: Int32) throws {
    try withFolder { folder in
      for (index, kind) in [
        (1, code == EROFS ? .cantCreate : .inputOutput), (2, .inputOutput), (3, .inputOutput),
        (4, .inputOutput), (5, .inputOutput), (6, .inputOutput), (7, .inputOutput),
      ] as [(Int, StoreError.Kind)] {
        let error = #expect(throws: StoreError.self) {
          try write(folder, FaultyCalls(.error(code), at: index))
        }
        #expect(error?.kind == kind)
        #expect(error?.description.hasSuffix(String(cString: strerror(code))) == true)
      }
    }
  }

  @Test func endOfFile() throws {
    try withFolder { folder in
      try AtomicFile.write([1, 2, 3], to: "\(folder)/file")
      let file = try OpenFile(reading: "\(folder)/file", system: PosixCalls())
      defer { file.abandon() }
      var target = [UInt8](repeating: 0, count: 4)
      #expect(
        throws: StoreError(.badData, "\(folder)/file: ends after 3 bytes, wanted 4 or more")
      ) { try target.withUnsafeMutableBytes { try file.read(into: $0, at: 0) } }
    }
  }
}
