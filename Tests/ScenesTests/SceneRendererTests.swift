import Images
import Testing

@testable import Scenes

@Suite struct SceneRendererTests {
  private static func scene(_ change: (inout Scene) -> Void = { _ in }) throws -> Scene {
    let table = try SmallWorld.table()
    var scene = Scene(place: "plain", photograph: table.places[0].photographs[.train]![0])
    scene.subject = Scene.Subject(
      noun: "box", cutOuts: [table.nouns[0].cutOuts[.train]![0]], mirrored: [false])
    scene.scatter = 99
    change(&scene)
    return scene
  }

  private static func render(_ scene: Scene, side: Int = 48) throws -> RenderedScene {
    try SceneRenderer(library: SmallWorld.library(side: side), side: side).render(scene)
  }

  private static func mean(_ picture: Picture) -> SIMD3<Double> {
    var sum = SIMD3<Double>.zero
    for index in 0..<picture.width * picture.height {
      for channel in 0..<3 { sum[channel] += Double(picture.pixels[index * 3 + channel]) }
    }
    return sum / Double(picture.width * picture.height)
  }

  /// Digests of what this program rendered and a person looked at: they hold on any machine, as nothing but the basic
  /// operations is computed.
  @Test func pixelsStayTheSame() throws {
    let table = try SmallWorld.table()
    let stream = SceneStream(table: table, seed: 4, split: .train)
    let renderer = SceneRenderer(library: SmallWorld.library(side: 40), side: 40)
    let digests = try (0..<6).map { index in
      try SmallWorld.digest(renderer.render(stream.scene(index)).picture.pixels)
    }
    #expect(
      digests == [
        11_372_125_882_594_867_676, 17_785_175_125_939_306_869, 2_631_012_848_826_150_437,
        13_355_601_753_128_411_382, 5_873_580_805_231_558_448, 10_298_166_010_516_703_998,
      ])
  }

  @Test func thingsCoverTheirFrame() throws {
    let scene = try Self.scene()
    let rendered = try Self.render(scene)
    let frame = scene.frames(of: [(30, 20)], side: 48)[0]
    for index in rendered.things.indices {
      let (x, y) = (index % 48, index / 48)
      let isInside =
        x >= frame.x && x < frame.x + frame.width && y >= frame.y && y < frame.y + frame.height
      if !isInside { #expect(rendered.things[index] == 0) }
    }
    // An ellipse fills pi/4 of its frame.
    let covered = rendered.things.reduce(0) { $0 + Int($1) }
    let share = Float(covered) / 255 / Float(frame.width * frame.height)
    #expect(abs(share - 0.785) < 0.03)
    #expect(rendered.things[(frame.y + frame.height / 2) * 48 + frame.x + frame.width / 2] == 255)
  }

  @Test func shadowsLieBelow() throws {
    let rendered = try Self.render(try Self.scene())
    let rows = (0..<48).map { row in rendered.shadows[row * 48..<row * 48 + 48].max()! }
    #expect(rows.max()! > 60 && rows[..<20].allSatisfy { $0 == 0 })
    let flying = try Self.render(try Self.scene { $0.subject?.stand = .air })
    #expect(flying.shadows.allSatisfy { $0 == 0 })
  }

  /// Night is dark and blue, the sunset warm, winter pale.
  @Test func lightIsWhatItIsCalled() throws {
    let means = try Lighting.allCases.map { light in
      Self.mean(try Self.render(try Self.scene { $0.lighting = light }).picture)
    }
    let (day, night, sunset, winter) = (means[0], means[1], means[2], means[3])
    #expect(night.sum() < 0.6 * day.sum() && night.z / night.x > 1.5 * day.z / day.x)
    #expect(sunset.x / sunset.z > 1.2 * day.x / day.z)
    #expect(winter.sum() > day.sum() && winter.max() - winter.min() < day.max() - day.min())
  }

  @Test func anEmptyPlaceHasNoThings() throws {
    let rendered = try Self.render(try Self.scene { $0.subject = nil })
    #expect(rendered.things.allSatisfy { $0 == 0 } && rendered.shadows.allSatisfy { $0 == 0 })
  }

  /// Paint changes the thing alone.
  @Test func paintStaysOnTheThing() throws {
    let plain = try Self.render(try Self.scene())
    let blue = try Self.render(
      try Self.scene { $0.subject?.paint = Colour(name: "blue", value: SIMD3(0.1, 0.2, 0.8)) })
    #expect(plain.things == blue.things)
    for index in plain.things.indices where plain.things[index] == 0 {
      let pixel = index * 3..<index * 3 + 3
      #expect(plain.picture.pixels[pixel] == blue.picture.pixels[pixel])
    }
    #expect(plain.picture != blue.picture)
  }
}
