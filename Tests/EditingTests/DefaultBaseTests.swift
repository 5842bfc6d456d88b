import Foundation
import TestSupport
import Testing

@testable import Editing

@Suite struct DefaultBaseTests {
  @Test func itIsFoundInTheWorkingFolderOrAboveTheProgram() throws {
    let folder = try TemporaryFolder()
    let base = "\(folder.path)/checkpoints/base"
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
    let program = "\(folder.path)/.build/release/embed-optimize"
    #expect(throws: EditingError.self) {
      try DefaultBase.locate(from: folder.path, program: program)
    }
    _ = try folder.write("{}", to: "checkpoints/base/model_index.json")
    #expect(try DefaultBase.locate(from: folder.path, program: nil) == base)
    #expect(try DefaultBase.locate(from: "/", program: program) == base)
    let error = try #require(throws: EditingError.self) {
      try DefaultBase.locate(from: "/", program: nil)
    }
    #expect(error.status == .noInput && error.description.contains("--base"))
  }
}
