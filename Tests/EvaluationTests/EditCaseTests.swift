import Editing
import Foundation
import Images
import TestSupport
import Testing

@testable import Evaluation

@Suite struct EditCaseTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aCaseIsReadWithWhatItHas() throws {
    try folder.writeCase("one")
    try folder.writeCase("two", kind: "position", withTarget: false, withMask: false)
    let one = try EditCase("one", in: folder.path)
    #expect(one.kind == .colour && one.prompt == "a photo of a green cow")
    #expect(one.source == "a photo of a cow")
    let pictures = try one.pictures(at: PictureSize(width: 32, height: 32))
    #expect(pictures.input.width == 32 && pictures.target?.height == 32)
    #expect(pictures.mask?[0, 0] == SIMD3(255, 255, 255))
    let two = try EditCase("two", in: folder.path)
    #expect(two.kind == .position && two.target == nil && two.mask == nil)
  }

  @Test func whatIsWrongIsNamed() throws {
    func error(_ spoil: (String) throws -> Void) throws -> String {
      try folder.writeCase("case")
      try spoil("case")
      let error = try #require(throws: EditingError.self) {
        try EditCase("case", in: folder.path).pictures(at: PictureSize(width: 32, height: 32))
      }
      #expect(error.description.hasPrefix("\(folder.path)/case/"))
      return String(error.description.dropFirst(folder.path.count + 6))
    }
    func remove(_ file: String) -> (String) throws -> Void {
      { try FileManager.default.removeItem(atPath: "\(folder.path)/\($0)/\(file)") }
    }
    for file in ["input.png", "prompt.txt", "case.json"] {
      #expect(try error(remove(file)) == "\(file): there is no such file")
    }
    #expect(
      try error { _ = try folder.write(#"{"kind": "size"}"#, to: "\($0)/case.json") }
        .hasPrefix(#"case.json: found the kind "size", wanted one of colour, background"#))
    #expect(
      try error { _ = try folder.write("{", to: "\($0)/case.json") }
        .contains("not valid JSON"))
    #expect(
      try error { _ = try folder.write(" \n", to: "\($0)/prompt.txt") }
        .hasPrefix(#"prompt.txt: found "", wanted a sentence"#))
    #expect(
      try error {
        try folder.write(Picture(width: 9, height: 40, color: SIMD3(0, 0, 0)), to: "\($0)/mask.png")
      }
        == "mask.png: found a picture of 9x40, wanted the input's 40x40")
  }

  @Test func aFolderGivesSoManyOfEachKindAndTellsTheBad() throws {
    for name in ["a", "b", "c"] { try folder.writeCase(name) }
    try folder.writeCase("d", kind: "lighting")
    try folder.writeCase("e", kind: "size")
    _ = try folder.write("", to: "file.txt")
    let all = try EditCases(in: folder.path)
    #expect(all.cases.map(\.name) == ["a", "b", "c", "d"])
    #expect(all.skipped.map(\.name) == ["e"])
    #expect(try EditCases(in: folder.path).limited(to: 2).cases.map(\.name) == ["a", "b", "d"])
  }

  @Test func casesWithWordsThatABaseHasNeverSeenAreLeftOut() throws {
    for name in ["a", "b"] { try folder.writeCase(name) }
    let base = try Base(path: Repository.base)
    _ = try folder.write("a photo of a green unicorn", to: "a/prompt.txt")
    #expect(try EditCases(in: folder.path).known(to: base).cases.map(\.name) == ["b"])
    _ = try folder.write("a photo of a blue unicorn", to: "b/prompt.txt")
    let error = #expect(throws: EditingError.self) {
      try EditCases(in: folder.path).known(to: base)
    }
    #expect(error?.status == .badData)
  }

  @Test func aFolderWithoutCasesIsNamed() throws {
    var error = try #require(throws: EditingError.self) {
      try EditCases(in: "\(folder.path)/none")
    }
    #expect(error.status == .noInput)
    error = try #require(throws: EditingError.self) { try EditCases(in: folder.path) }
    #expect(error.status == .badData && error.description.contains("found no case"))
  }
}
