import Foundation
import Images
import Tensors
import TestSupport
import Testing

@testable import Scenes

@Suite struct SceneFolderTests {
  private static func render(to path: String, count: Int = 12, masks: Bool = true) throws -> Bool {
    let stream = SceneStream(table: try SmallWorld.table(), seed: 8, split: .train)
    let renderer = SceneRenderer(library: SmallWorld.library(side: 32), side: 32)
    return try SceneFolder(path: path).write(
      stream, count: count, renderer: renderer, extras: SceneFolder.Extras(masks: masks)
    ) { _ in true }
  }

  @Test func picturesAndCaptionsGoTogether() throws {
    let folder = try TemporaryFolder()
    #expect(try Self.render(to: folder.path))
    let lines = try String(contentsOfFile: "\(folder.path)/metadata.jsonl", encoding: .utf8)
      .split(separator: "\n")
    #expect(lines.count == 12)
    let stream = SceneStream(table: try SmallWorld.table(), seed: 8, split: .train)
    let renderer = SceneRenderer(library: SmallWorld.library(side: 32), side: 32)
    for (index, line) in lines.enumerated() {
      let record = try #require(
        JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
      let scene = stream.scene(index)
      let name = String(format: "%06d.png", index)
      #expect(
        record == ["file_name": "images/\(name)", "text": scene.caption, "mask": "masks/\(name)"])
      let rendered = try renderer.render(scene)
      #expect(try Picture(contentsOf: "\(folder.path)/images/\(name)") == rendered.picture)
      let mask = try Picture(contentsOf: "\(folder.path)/masks/\(name)")
      #expect(mask.pixels == rendered.things.flatMap { [$0, $0, $0] })
    }
  }

  @Test func twinsGoWithTheirScenes() throws {
    let folder = try TemporaryFolder()
    let stream = SceneStream(table: try SmallWorld.table(), seed: 8, split: .train)
    let renderer = SceneRenderer(library: SmallWorld.library(side: 32), side: 32)
    let isWhole = try SceneFolder(path: folder.path).write(
      stream, count: 8, renderer: renderer, extras: SceneFolder.Extras(twins: true)
    ) { _ in true }
    #expect(isWhole)
    let lines = try String(contentsOfFile: "\(folder.path)/metadata.jsonl", encoding: .utf8)
      .split(separator: "\n")
    for (index, line) in lines.enumerated() {
      let record = try #require(
        JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
      let edit = try #require(EditStream(stream).edit(of: stream.scene(index), index))
      let rendered = try renderer.render(edit)
      #expect(record["text"] == edit.source.caption && record["twin_text"] == edit.target.caption)
      #expect(record["kind"] == edit.kind.rawValue)
      let twin = try #require(record["twin"])
      #expect(try Picture(contentsOf: "\(folder.path)/\(twin)") == rendered.target.picture)
      let mask = try #require(record["twin_mask"])
      #expect(
        try Picture(contentsOf: "\(folder.path)/\(mask)").pixels
          == rendered.mask.flatMap { [$0, $0, $0] })
    }
  }

  @Test func threadsDoNotMatter() throws {
    let before = Parallel.threads
    defer { Parallel.setThreads(before) }
    let folders = try (0..<2).map { _ in try TemporaryFolder() }
    for (folder, threads) in zip(folders, [1, 3]) {
      Parallel.setThreads(threads)
      #expect(try Self.render(to: folder.path))
    }
    for name in try FileManager.default.subpathsOfDirectory(atPath: folders[0].path) {
      let contents = folders.map { FileManager.default.contents(atPath: "\($0.path)/\(name)") }
      #expect(contents[0] == contents[1], "\(name)")
    }
  }

  /// Where metadata.jsonl is, everything is.
  @Test func aStoppedRunLeavesNoList() throws {
    let folder = try TemporaryFolder()
    #expect(try Self.render(to: folder.path, count: 3))
    let stream = SceneStream(table: try SmallWorld.table(), seed: 8, split: .train)
    let renderer = SceneRenderer(library: SmallWorld.library(side: 32), side: 32)
    let isWhole = try SceneFolder(path: folder.path).write(
      stream, count: 3, renderer: renderer, extras: SceneFolder.Extras()
    ) { _ in false }
    #expect(!isWhole)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/metadata.jsonl"))
  }

  @Test func theProgramNamesWhatIsMissing() throws {
    let program = BuiltProgram("scene-render")
    let folder = try TemporaryFolder()
    let noTable = try program.run(["--out", folder.path, "--table", "/nonexistent.yaml"])
    #expect(
      noTable.status == 66 && noTable.errors.contains("/nonexistent.yaml: there is no such file"))
    let noData = try program.run(["--out", folder.path, "--data", folder.path, "--count", "1"])
    #expect(noData.status == 66 && noData.errors.contains(folder.path))
    let noCount = try program.run(["--out", folder.path, "--count", "0"])
    #expect(noCount.status == 64 && noCount.errors.contains("--count: found 0"))
    let both = try program.run(["--out", folder.path, "--cases", "--photos"])
    #expect(both.status == 64 && both.errors.contains("--photos and --cases go with none of"))
  }
}
