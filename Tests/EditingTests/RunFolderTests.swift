import Foundation
import TestSupport
import Testing

@testable import Editing

@Suite struct RunFolderTests {
  @Test func filesAreNamedAfterWhatTheyHold() {
    let folder = RunFolder(path: RunFolder.path(ofRequestAt: "prompts/horse.v2.yaml"))
    #expect(folder.path == "checkpoints/horse.v2")
    #expect(folder.embedding == "checkpoints/horse.v2/embedding.h5")
    #expect(RunFolder(path: "a/").edit(alpha: 0.7, seed: 3) == "a/edits/alpha-0.70-seed-3.png")
    #expect(RunFolder(path: "a").edit(alpha: 1.2, seed: nil) == "a/edits/alpha-1.20.png")
  }

  @Test func eachMethodHasAContactSheet() {
    let folder = RunFolder(path: "a")
    #expect(folder.contactSheet == "a/contact-sheet.png")
    #expect(folder.contactSheet(of: .ddimInversion) == "a/contact-sheet-ddim-inversion.png")
  }

  @Test func aFolderThatCannotBeMadeIsNamed() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("", to: "file")
    try RunFolder(path: "\(folder.path)/a/b").createEdits()
    #expect(FileManager.default.fileExists(atPath: "\(folder.path)/a/b/edits"))
    for path in ["\(file)/run", file] {
      let error = try #require(throws: EditingError.self) { try RunFolder(path: path).create() }
      #expect(error.status == .cannotCreate)
      #expect(
        error.description == "\(path): the folder can't be made or written to: Not a directory")
    }
  }
}
