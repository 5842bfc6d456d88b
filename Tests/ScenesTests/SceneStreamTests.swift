// What the streams of scenes hold, on the table that the program comes with. No photograph is read.

import Tensors
import Testing

@testable import Scenes

@Suite struct SceneStreamTests {
  /// What of a scene training never sees.
  static func heldOut(_ scene: Scene, _ table: SceneTable) -> [String] {
    let place = table.places.first { $0.name == scene.place }!
    var found: [String] = []
    if (place.photographs[.heldOut] ?? []).contains(scene.photograph) {
      found.append(scene.photograph.file)
    }
    guard let subject = scene.subject else { return found }
    let noun = table.nouns.first { $0.name == subject.noun }!
    found += subject.cutOuts.filter((noun.cutOuts[.heldOut] ?? []).contains).map(\.file)
    if noun.heldOutPlaces.contains(scene.place) { found.append("\(noun.name) \(scene.place)") }
    for colour in Set([subject.colour, subject.paint?.name].compactMap(\.self)) {
      if noun.heldOutColours.contains(colour) { found.append("\(colour) \(noun.name)") }
    }
    return found
  }

  @Test func trainingSeesNothingHeldOut() throws {
    let table = try SmallWorld.fullTable()
    let stream = SceneStream(table: table, seed: 1, split: .train)
    var (seen, cutOuts, photographs) = (Set<String>(), Set<String>(), Set<String>())
    for index in 0..<100_000 {
      let scene = stream.scene(index)
      let found = Self.heldOut(scene, table)
      #expect(found.isEmpty, "scene \(index): \(found)")
      photographs.insert(scene.photograph.file)
      cutOuts.formUnion(scene.subject?.cutOuts.map(\.file) ?? [])
      seen.insert("\(scene.subject?.noun ?? "") \(scene.place)")
    }
    // All the rest is seen.
    #expect(photographs.count == table.places.reduce(0) { $0 + $1.photographs[.train]!.count })
    #expect(cutOuts.count == table.nouns.reduce(0) { $0 + $1.cutOuts[.train]!.count })
    let pairs = table.nouns.reduce(table.places.count) {
      $0 + table.places.count - $1.heldOutPlaces.count
    }
    #expect(seen.count == pairs)
  }

  @Test func heldOutScenesHoldSomethingNew() throws {
    let table = try SmallWorld.fullTable()
    let stream = SceneStream(table: table, seed: 1, split: .heldOut)
    let kinds = (0..<5_000).map { index in
      let found = Self.heldOut(stream.scene(index), table)
      #expect(!found.isEmpty, "scene \(index)")
      return found.first ?? ""
    }
    #expect(Set(kinds).count > 60)
  }

  /// A scene depends on the seed and its index alone.
  @Test func scenesAreFunctionsOfTheirIndex() throws {
    let table = try SmallWorld.fullTable()
    let stream = SceneStream(table: table, seed: 5, split: .train)
    let forward = (0..<50).map(stream.scene)
    #expect(forward == (0..<50).reversed().map(stream.scene).reversed())
    let other = SceneStream(table: table, seed: 6, split: .train)
    #expect(forward != (0..<50).map(other.scene))
  }

  /// Every caption is one of the grammar, and names its scene's lighting.
  @Test func captionsFollowTheGrammar() throws {
    let table = try SmallWorld.fullTable()
    let colours = table.colours.map(\.name).joined(separator: "|")
    let nouns = table.nouns.map(\.name).joined(separator: "|")
    let plurals = table.nouns.map(\.plural).joined(separator: "|")
    let phrases = table.places.map(\.phrase).joined(separator: "|")
    let scenes = table.places.map(\.scene).joined(separator: "|")
    let single = "an? ((\(colours)) )?(\(nouns))( (\(phrases)))?"
    let two = "two ((\(colours)) )?(\(plurals))( (\(phrases)))?"
    let light = "( at night| at sunset| in winter)?"
    let grammar = try Regex(
      "a photo of ((\(single)\(light)( on the left| on the right)?)|((\(two)|(\(scenes)))\(light)))"
    )
    let stream = SceneStream(table: table, seed: 3, split: .train)
    for index in 0..<2_000 {
      let scene = stream.scene(index)
      #expect(scene.caption.wholeMatch(of: grammar) != nil, "\(scene.caption)")
      for lighting in Lighting.allCases {
        guard let phrase = lighting.phrase else { continue }
        #expect(scene.caption.contains(phrase) == (scene.lighting == lighting), "\(scene.caption)")
      }
    }
  }
}
