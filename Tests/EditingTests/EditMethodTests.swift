import Testing

@testable import Editing

@Suite struct EditMethodTests {
  private func settings(_ method: EditMethod) -> GenerateSettings {
    var settings = EditSettings(published: "/a.png", prompt: "a sentence", base: "/base").generate
    settings.method = method
    settings.alphas = [0, 0.7]
    settings.strengths = [0.5]
    settings.guidanceScales = [0, 2]
    settings.seeds = [0, 4]
    return settings
  }

  private func files(_ settings: GenerateSettings) -> [String] {
    settings.places.map { String($0.file.dropFirst("edits/".count).dropLast(".png".count)) }
  }

  @Test func editsAreNamedAfterTheirMethodAxisAndSeed() {
    var imagic = settings(.imagic)
    #expect(
      files(imagic) == [
        "alpha-0.00-seed-0", "alpha-0.70-seed-0", "alpha-0.00-seed-4", "alpha-0.70-seed-4",
      ])
    imagic.start = .inversion
    #expect(files(imagic) == ["alpha-0.00", "alpha-0.70"])
    #expect(
      files(settings(.sdedit)) == ["sdedit-strength-0.50-seed-0", "sdedit-strength-0.50-seed-4"])
    #expect(
      files(settings(.ddimInversion))
        == ["ddim-inversion-guidance-0.00", "ddim-inversion-guidance-2.00"])
    #expect(files(settings(.sample)) == ["sample-seed-0", "sample-seed-4"])
  }

  /// What takes in noise on its way makes another edit of each seed, also from the inversion.
  @Test func noiseOnTheWayHasSeeds() {
    for change: (inout GenerateSettings) -> Void in [
      { $0.sampler = .ddpm }, { $0.resample = 2 },
    ] {
      var inversion = settings(.ddimInversion)
      #expect(inversion.noiseSeeds == [nil])
      change(&inversion)
      #expect(inversion.inverts && inversion.noiseSeeds == [0, 4])
    }
  }

  @Test func guidanceIsThatOfTheMethod() {
    var imagic = settings(.imagic)
    imagic.guidanceCourse = .rising
    #expect(imagic.guidanceScale(on: 0.5) == 2)
    for method in [EditMethod.sdedit, .sample] {
      var other = settings(method)
      other.guidanceCourse = .rising
      #expect(other.guidanceScale(on: 0.5) == 3)
    }
    #expect(settings(.ddimInversion).guidanceScale(on: 2) == 2)
  }
}
