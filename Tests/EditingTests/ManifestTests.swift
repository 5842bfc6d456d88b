import Foundation
import TestSupport
import Testing

@testable import Editing

@Suite struct ManifestTests {
  private let folder: TemporaryFolder
  private let entry = Manifest.Entry(
    settings: EditSettings(published: "/a.png", prompt: "a sentence", base: "/base"),
    image: .init(path: "/a.png", sha256: "01"), base: .init(path: "/base", sha256: "02"),
    checkpoints: [.init(path: "embedding.h5", sha256: "03")], step: 5, steps: 10, complete: false,
    version: "1", threads: 2, seconds: 3, peakMemory: 100)

  init() throws { folder = try TemporaryFolder() }

  @Test func itComesBackAsItWas() throws {
    var manifest = Manifest()
    manifest.enter(.embedOptimize, entry, begunAnew: true)
    let path = try folder.write(SettingsJSON.encode(manifest, pretty: true), to: "manifest.json")
    #expect(Manifest.read(path) == (manifest, nil))
  }

  @Test func timeAddsUpOverRunsThatWereStopped() throws {
    var manifest = Manifest()
    manifest.enter(.embedOptimize, entry, begunAnew: true)
    var later = entry
    later.step = 10
    later.peakMemory = 90
    manifest.enter(.embedOptimize, later, begunAnew: false)
    let entered = try #require(manifest.stages["embed-optimize"])
    #expect(entered.step == 10 && entered.seconds == 6 && entered.peakMemory == 100)
    manifest.enter(.embedOptimize, entry, begunAnew: true)
    #expect(manifest.stages["embed-optimize"] == entry)
  }

  @Test func aMissingOrBrokenOneIsEmpty() throws {
    #expect(Manifest.read("\(folder.path)/none.json") == (Manifest(), nil))
    let path = try folder.write("{\"format\": ", to: "manifest.json")
    let read = Manifest.read(path)
    #expect(read.manifest == Manifest())
    #expect(try #require(read.problem).hasPrefix("\(path): can't be read and is written anew"))
  }
}
