import Foundation
import Images
import TestSupport
import Testing

@testable import Scenes

@Suite struct CaseFolderTests {
  @Test func aCaseIsWhatItSays() throws {
    // Another thing on the ground, so that there is one to put in the box's place.
    let yaml = SmallWorld.yaml.replacing("    stand: air\n", with: "")
    let table = try SceneTable(yaml: yaml, name: "small.yaml")
    let stream = EditStream(SceneStream(table: table, seed: 1, split: .heldOut))
    let renderer = SceneRenderer(library: SmallWorld.library(side: 32), side: 32)
    let folder = try TemporaryFolder()
    var seen: [Int] = []
    let isWhole = try CaseFolder(path: folder.path).write(stream, perKind: 3, renderer: renderer) {
      seen.append($0)
      return true
    }
    #expect(isWhole && seen == [3, 6, 9, 12, 15, 18])
    for kind in EditKind.allCases {
      for index in 0..<3 {
        let edit = try #require(stream.edit(kind, index))
        let rendered = try renderer.render(edit)
        let path = "\(folder.path)/\(kind.rawValue)-00\(index)"
        #expect(try Picture(contentsOf: "\(path)/input.png") == rendered.source.picture)
        #expect(try Picture(contentsOf: "\(path)/target.png") == rendered.target.picture)
        let again = try edit.again.map { try renderer.render($0).picture }
        #expect((try? Picture(contentsOf: "\(path)/again.png")) == again)
        let mask = try Picture(contentsOf: "\(path)/mask.png")
        #expect(mask.pixels == rendered.mask.flatMap { [$0, $0, $0] })
        let prompt = try String(contentsOfFile: "\(path)/prompt.txt", encoding: .utf8)
        #expect(prompt == edit.target.caption + "\n")
        let data = try #require(FileManager.default.contents(atPath: "\(path)/case.json"))
        let record = try JSONDecoder().decode(CaseFolder.Record.self, from: data)
        #expect(record.kind == kind.rawValue && record.target == edit.target.caption)
        #expect(record.source == edit.source.caption)
        #expect(!record.heldOut.source.isEmpty && !record.heldOut.target.isEmpty)
      }
    }
  }

  /// The small world has nothing to put in another's place.
  @Test func tooLittleHeldOutIsSaid() throws {
    let stream = EditStream(SceneStream(table: try SmallWorld.table(), seed: 1, split: .heldOut))
    let renderer = SceneRenderer(library: SmallWorld.library(side: 32), side: 32)
    let folder = try TemporaryFolder()
    let error = try #require(throws: SceneError.self) {
      try CaseFolder(path: folder.path).write(stream, perKind: 1, renderer: renderer) { _ in true }
    }
    #expect(error.kind == .badData && error.description.contains("edits of object"))
  }
}
