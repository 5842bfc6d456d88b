import Testing

@testable import Editing

@Suite struct DifferenceTests {
  private let saved = StageIdentity(entries: [("prompt", "a cow"), ("seed", "0"), ("fit", "crop")])

  @Test func equalSettingsGoOn() throws {
    try StageIdentity.check(saved: saved, asked: saved, file: "a.h5")
  }

  @Test func everyDifferenceIsNamedWithBothValues() throws {
    let asked = StageIdentity(entries: [("prompt", "a dog"), ("seed", "0"), ("fit", "pad")])
    let error = try #require(throws: EditingError.self) {
      try StageIdentity.check(saved: saved, asked: asked, file: "run/embedding.h5")
    }
    #expect(error.status == .usage)
    #expect(
      error.description
        == "run/embedding.h5: was begun with another prompt (saved a cow, asked for a dog), "
        + "another fit (saved crop, asked for pad); "
        + "--restart begins anew and keeps it as embedding.h5.previous")
  }
}
