import Foundation
import TestSupport
import Testing

@testable import Scenes

@Suite struct PhotographStreamTests {
  private static func shown(_ crop: PhotographStream.Crop) -> String {
    switch crop.source {
    case .part(let file, _, _, _): file
    case .studio(let cutOut, _, _, _, _): cutOut.file
    }
  }

  @Test func splitsShareNothing() throws {
    let table = try SmallWorld.fullTable()
    let shown = Split.allCases.map { split in
      let stream = PhotographStream(table: table, seed: 1, split: split)
      return Set((0..<20_000).map { Self.shown(stream.crop($0)) })
    }
    #expect(shown[0].isDisjoint(with: shown[1]))
    #expect(shown[0].isSuperset(of: table.allPhotographs(.train)))
    #expect(shown[1].isSuperset(of: table.allPhotographs(.heldOut)))
    #expect(Set(table.allPhotographs(.heldOut)).count >= 40)
  }

  /// The photographs that the examples show, by what prompts/photos/README.md says of them, are never trained on.
  @Test func theExamplesAreInNoSplit() throws {
    let readme = try String(
      contentsOfFile: "\(Repository.path)/prompts/photos/README.md", encoding: .utf8)
    let names = readme.matches(of: /`[a-z_\/]*?([a-z]+\/[a-z]+\.(webp|jpg|png))`/).map {
      $0.output.1
    }
    #expect(names.contains("animals/cow.webp") && names.contains("data/apple.jpg"))
    let table = try SmallWorld.fullTable()
    let all = Split.allCases.flatMap(table.allPhotographs)
    for name in names { #expect(!all.contains { $0.hasSuffix("/\(name)") }, "\(name)") }
  }

  @Test func picturesAreFunctionsOfTheirIndex() throws {
    let table = try SmallWorld.table()
    let renderer = SceneRenderer(library: SmallWorld.library(side: 24), side: 24)
    let stream = PhotographStream(table: table, seed: 3, split: .train)
    let pictures = try (0..<40).map { try renderer.render(stream.crop($0)) }
    #expect(try renderer.render(stream.crop(17)) == pictures[17])
    #expect(Set(pictures.map { SmallWorld.digest($0.pixels) }).count > 35)
  }

  /// A part of an even photograph is even, whatever part it is, and a cut-out in the studio has its colour.
  @Test func partsLieInThePhotograph() throws {
    let picture = SmallWorld.slope(1, 1, 90).resized(width: 70, height: 50)
    let even = SceneLibrary(folder: "/nonexistent", side: 24, pictures: ["even.png": picture])
    let renderer = SceneRenderer(library: even, side: 24)
    for place in [Float(0), 0.3, 0.999] {
      let source = PhotographStream.Source.part(
        file: "even.png", size: place, across: place, down: 1 - place)
      let picture = try renderer.render(PhotographStream.Crop(source: source, mirrored: true))
      #expect(picture.pixels == (0..<576).flatMap { _ in [UInt8(200), 60, 90] })
    }
  }
}
