import Foundation
import TestSupport
import Testing

@testable import Scenes

@Suite struct CaptionTests {
  private static func scene(_ change: (inout Scene) -> Void) throws -> Scene {
    let table = try SmallWorld.table()
    let noun = table.nouns[0]
    var scene = Scene(place: "plain", photograph: table.places[0].photographs[.train]![0])
    scene.subject = Scene.Subject(
      noun: "box", cutOuts: [noun.cutOuts[.train]![0]], mirrored: [false])
    change(&scene)
    return scene
  }

  @Test func saysWhatThereIs() throws {
    let table = try SmallWorld.table()
    let plain = try Self.scene { _ in }
    #expect(plain.caption(in: table) == "a photo of a box on a plain")
    let all = try Self.scene {
      $0.subject?.colour = "red"
      $0.subject?.position = .left
      $0.lighting = .sunset
    }
    #expect(all.caption(in: table) == "a photo of a red box on a plain at sunset on the left")
    #expect(
      all.caption(in: table, Scene.CaptionParts(place: false, position: false))
        == "a photo of a red box at sunset")
    let two = try Self.scene {
      $0.subject?.cutOuts = table.nouns[0].cutOuts[.train]!
      $0.lighting = .winter
    }
    #expect(two.caption(in: table) == "a photo of two boxes on a plain in winter")
    let empty = try Self.scene {
      $0.subject = nil
      $0.lighting = .night
    }
    #expect(empty.caption(in: table) == "a photo of a plain at night")
  }

  @Test func articlesGoBySpelling() {
    #expect(Scene.withArticle("apple") == "an apple")
    #expect(Scene.withArticle("orange car") == "an orange car")
    #expect(Scene.withArticle("red apple") == "a red apple")
  }

  @Test func theirPartsAreTold() throws {
    let lines = try SmallWorld.table().captionParts.split(separator: "\n").filter {
      !$0.hasPrefix("#")
    }
    #expect(lines.count == 7 && lines[0] == "a photo of" && lines[1] == "a / two")
    #expect(lines[2].hasPrefix("> ? | red"))
    #expect(lines[3].hasPrefix("box / boxes"))
    #expect(lines[4].hasPrefix("? | on a plain"))
    #expect(lines[5] == "- | at night | at sunset | in winter")
    #expect(lines[6] == "- | on the left | on the right")
  }

  @Test func theEmbeddedBaseHasThoseOfTheTable() throws {
    let table = try SceneTable(contentsOf: "\(Repository.path)/scenes/scenes.yaml")
    let file = try String(contentsOfFile: "\(Repository.base)/captions.txt", encoding: .utf8)
    #expect(table.captionParts == file)
  }
}
