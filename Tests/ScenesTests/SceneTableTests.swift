import TestSupport
import Testing

@testable import Scenes

@Suite struct SceneTableTests {
  @Test func readsATable() throws {
    let table = try SmallWorld.table()
    #expect(table.nouns.map(\.name) == ["box", "kite"])
    #expect(table.nouns[0].plural == "boxes" && table.nouns[1].plural == "kites")
    #expect(
      table.nouns[0].cutOuts[.train] == [
        CutOut(file: "photographs/box.png", colour: "red"),
        CutOut(file: "photographs/tall.png", flips: false),
      ])
    #expect(table.nouns[0].heldOutColours == ["blue"])
    #expect(table.nouns[1].stand == .air && !table.nouns[1].isRecolourable)
    #expect(
      table.places[0].photographs[.heldOut] == [
        Photograph(
          file: "photographs/new-plain.png", ground: 0.6,
          box: Photograph.Box(left: 0.1, top: 0.1, right: 0.9, bottom: 1))
      ])
    #expect(table.places[1].lightings == [.day, .night])
    #expect(table.photographs[.train] == ["photographs/one.webp", "photographs/two.webp"])
    #expect(
      table.allPhotographs(.heldOut) == ["photographs/new-plain.png", "photographs/three.jpg"])
    #expect(table.colours[1] == Colour(name: "blue", value: SIMD3(30, 60, 200) / 255))
  }

  /// What the program comes with: enough of everything, and something held out of each kind.
  @Test func theFullTableIsWhole() throws {
    let table = try SmallWorld.fullTable()
    #expect(table.nouns.count >= 30 && table.places.count >= 12 && table.colours.count >= 8)
    #expect(table.nouns.filter { !($0.cutOuts[.heldOut] ?? []).isEmpty }.count >= 10)
    #expect(table.places.filter { !($0.photographs[.heldOut] ?? []).isEmpty }.count >= 5)
    #expect(table.nouns.allSatisfy { !$0.heldOutPlaces.isEmpty })
  }

  /// A change of the small table, and what is said about it.
  @Test(arguments: [
    ("plural: boxes", "plurals: boxes", "small.yaml:7: found the unknown key plurals"),
    ("size: 0.4", "size: 4", "wanted a number from 0.05 to 1.0"),
    ("recolour: yes", "recolour: perhaps", "found perhaps, wanted yes or no"),
    ("here/kite.png", "there/kite.png", "there/kite.png begins with none of the folders"),
    ("here/kite.png", "here/box.png", "photographs/box.png is of box and kite, wanted each once"),
    ("here/new-plain.png", "here/hill.png", "is of plain and hill, wanted each once"),
    ("places: [hill]", "places: [dale]", "noun box: never with the unknown place dale"),
    ("places: [hill]", "places: [hill, plain]", "noun box: never with any place"),
    ("colours: [blue]", "colours: [red]", "box.png is red, which is held out for box"),
    ("colour: red", "colour: mauve", "box.png has the unknown colour mauve"),
    ("here/three.jpg", "here/plain.png", "plain.png is both for training and held out"),
    ("{one,two}", "{one,two", "a brace that is not closed"),
    ("ground: 0.5 ", "", "there is no ground"),
    ("lighting: [day, night]", "lighting: [dusk]", "found dusk, which is none of the choices"),
  ])
  func refusesWhatIsWrong(old: String, new: String, message: String) throws {
    let changed = SmallWorld.yaml.replacing(old, with: new)
    #expect(changed != SmallWorld.yaml)
    let error = try #require(throws: SceneError.self) {
      try SceneTable(yaml: changed, name: "small.yaml")
    }
    #expect(error.kind == .badData && error.description.contains(message), "\(error)")
  }

  @Test func aMissingFileIsNamed() throws {
    let error = try #require(throws: SceneError.self) {
      try SceneTable(contentsOf: "/nonexistent/scenes.yaml")
    }
    #expect(error.kind == .noInput && error.description.hasPrefix("/nonexistent/scenes.yaml: "))
  }
}
