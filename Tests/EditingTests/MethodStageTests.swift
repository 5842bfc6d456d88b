// The third stage by the methods that take the base as it is.

import Foundation
import Images
import TestSupport
import Tensors
import Testing

@testable import Editing

/// Serialised: each test keeps all processors busy as it is.
@Suite(.serialized) struct MethodStageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func run(_ method: EditMethod, in name: String = "run") -> StageRun {
    var request = EditRequest()
    request.image = Repository.photograph
    request.prompt = "a photo of a cow at sunset"
    request.base = Repository.base
    request.size = PictureSize(width: 48, height: 32)
    request.generate = .init(
      method: method, strengths: [0, 0.5, 1], guidanceScales: [0, 3], seeds: [0, 7], steps: 4,
      guidanceScale: 2, details: .model)
    var run = StageRun(folder: RunFolder(path: "\(folder.path)/\(name)"))
    run.request = request
    run.shouldStop = { false }
    return run
  }

  private final class Events { var all: [StageEvent] = [] }

  private func written(by run: StageRun) throws -> [String] {
    var run = run
    let events = Events()
    run.report = { events.all.append($0) }
    try GenerateStage.run(run)
    return events.all.compactMap {
      guard case .wrote(let file) = $0 else { return nil }
      return String(file.dropFirst(run.folder.path.count + 1))
    }
  }

  private func edit(_ name: String) throws -> Picture {
    try Picture(contentsOf: "\(folder.path)/run/edits/\(name).png")
  }

  private func photograph() throws -> Picture {
    try Picture(contentsOf: Repository.photograph).fitted(width: 48, height: 32, by: .crop)
  }

  /// What the autoencoder gives of the photograph.
  private func reconstruction() throws -> Picture {
    let base = try Base(path: Repository.base)
    return try Picture(base.folder.autoencoder().image(of: base.latent(of: photograph())))
  }

  @Test func sdeditLeavesThePhotographTheMoreTheHigherTheStrength() throws {
    #expect(
      try written(by: run(.sdedit)) == [
        "edits/sdedit-strength-0.00-seed-0.png", "edits/sdedit-strength-0.50-seed-0.png",
        "edits/sdedit-strength-1.00-seed-0.png", "edits/sdedit-strength-0.00-seed-7.png",
        "edits/sdedit-strength-0.50-seed-7.png", "edits/sdedit-strength-1.00-seed-7.png",
        "contact-sheet-sdedit.png",
      ])
    #expect(try edit("sdedit-strength-0.00-seed-0") == reconstruction())
    for seed in [0, 7] {
      let distances = try ["0.00", "0.50", "1.00"].map {
        try edit("sdedit-strength-\($0)-seed-\(seed)").meanSquaredError(to: photograph())
      }
      #expect(distances == distances.sorted() && distances[1] < distances[2], "\(distances)")
    }
    #expect(try edit("sdedit-strength-0.50-seed-0") != edit("sdedit-strength-0.50-seed-7"))
  }

  /// Where nothing has changed, the photograph comes back to the bit; a sample of the sentence has none of it.
  @Test func editsGetThePhotographsDetailsBack() throws {
    var run = run(.sdedit)
    run.flags.generate.details = .photograph
    _ = try written(by: run)
    #expect(try edit("sdedit-strength-0.00-seed-0") == photograph())
    let changed = try edit("sdedit-strength-1.00-seed-0")
    // What the settings say is in the PNG, so that the model's are not taken for these.
    run.flags.generate.details = .model
    #expect(try written(by: run).contains("edits/sdedit-strength-1.00-seed-0.png"))
    let plain = try edit("sdedit-strength-1.00-seed-0")
    #expect(try changed.psnr(to: photograph()) > plain.psnr(to: photograph()))

    var sample = self.run(.sample)
    _ = try written(by: sample)
    sample.flags.generate.details = .photograph
    #expect(try written(by: sample) == ["contact-sheet-sample.png"])
  }

  @Test func anInversionWithoutGuidanceComesBackAndGuidanceLeads() throws {
    var run = run(.ddimInversion)
    run.flags.generate.steps = 25
    #expect(
      try written(by: run) == [
        "edits/ddim-inversion-guidance-0.00.png", "edits/ddim-inversion-guidance-3.00.png",
        "contact-sheet-ddim-inversion.png",
      ])
    let (back, led) = try (
      edit("ddim-inversion-guidance-0.00"), edit("ddim-inversion-guidance-3.00")
    )
    let reconstruction = try reconstruction()
    #expect(back.psnr(to: reconstruction) > 20)
    #expect(led.psnr(to: reconstruction) < back.psnr(to: reconstruction) - 3)

    // Another caption of the photograph makes another inversion.
    var captioned = run
    captioned.flags.generate.source = "a photo of a cow on grass"
    #expect(try written(by: captioned).count == 3)
    #expect(try edit("ddim-inversion-guidance-3.00") != led)
    #expect(try edit("ddim-inversion-guidance-0.00").psnr(to: reconstruction) > 20)
  }

  @Test func aSampleIsOfTheSentenceAndSeedAlone() throws {
    let run = run(.sample)
    #expect(
      try written(by: run) == [
        "edits/sample-seed-0.png", "edits/sample-seed-7.png", "contact-sheet-sample.png",
      ])
    let sample = try edit("sample-seed-0")
    var other = run
    other.flags.image = "\(Repository.path)/prompts/photos/cup.jpg"
    _ = try written(by: other)
    #expect(try edit("sample-seed-0") == sample)
    #expect(try edit("sample-seed-7") != sample)
  }

  @Test func onlyWhatIsMissingOrOfOtherSettingsIsMade() throws {
    var run = run(.sdedit)
    _ = try written(by: run)
    #expect(try written(by: run).isEmpty)
    run.flags.generate.strengths = [0.5, 0.75]
    #expect(
      try written(by: run) == [
        "edits/sdedit-strength-0.75-seed-0.png", "edits/sdedit-strength-0.75-seed-7.png",
        "contact-sheet-sdedit.png",
      ])
    run.flags.image = "\(Repository.path)/prompts/photos/cup.jpg"
    #expect(try written(by: run).count == 5)
    run.flags.prompt = "a photo of a blue cup"
    #expect(try written(by: run).count == 5)
  }

  @Test func eachMethodHasAnEntryInTheManifest() throws {
    for method in [EditMethod.sdedit, .sample] { try GenerateStage.run(run(method)) }
    let (manifest, problem) = Manifest.read("\(folder.path)/run/manifest.json")
    #expect(problem == nil)
    #expect(
      manifest.stages.keys.sorted()
        == ["interpolate-generate sample", "interpolate-generate sdedit"])
    let entry = try #require(manifest.stages["interpolate-generate sdedit"])
    #expect(entry.settings.generate.strengths == [0, 0.5, 1] && entry.checkpoints.isEmpty)
    #expect(entry.image.path == Repository.photograph)
  }

  @Test func picturesTellTheirSettingsAndNoPaths() throws {
    try GenerateStage.run(run(.sdedit))
    for (file, told) in [
      ("edits/sdedit-strength-0.50-seed-7.png", [#""method":"sdedit""#, #""strength":0.5"#]),
      ("contact-sheet-sdedit.png", [#""image":"cow.jpg""#, #""base":"base""#]),
    ] {
      let path = "\(folder.path)/run/\(file)"
      let chunks = try PNGText.read(Picture.bytes(ofFile: path), name: path)
      let settings = try #require(chunks.first { $0.keyword == "Settings" }?.text)
      for part in told { #expect(settings.contains(part), "\(settings)") }
      #expect(!chunks.contains { $0.text.contains(Repository.path) })
    }
  }

  /// Beside an edit by Imagic, its photograph and sentence are taken where no others are given.
  @Test func aRunOfImagicIsGroundForTheOthers() throws {
    var imagic = run(.imagic)
    imagic.flags.embedding = .init(steps: 1, learningRate: 0.01, batch: 1, source: "none")
    try EmbeddingStage.run(imagic)
    var other = StageRun(folder: imagic.folder)
    other.flags.generate = .init(method: .sdedit, strengths: [0], steps: 4)
    #expect(
      try written(by: other) == [
        "edits/sdedit-strength-0.00-seed-0.png", "edits/sdedit-strength-0.00-seed-7.png",
        "contact-sheet-sdedit.png",
      ])
    #expect(try edit("sdedit-strength-0.00-seed-0") == reconstruction())
    // Imagic itself still wants the stage between.
    other.flags.generate.method = nil
    let error = try #require(throws: EditingError.self) { try GenerateStage.run(other) }
    #expect(error.status == .noInput && error.description.hasSuffix("run model-finetune first"))
  }

  /// What `make` compares: no stage before has read what such a method edits.
  @Test func whatMakeComparesChangesWithThePhotographAndTheSentence() throws {
    var other = run(.sdedit)
    let before = try GenerateStage.printedSettings(other)
    #expect(try GenerateStage.printedSettings(other) == before)
    for change in [
      { $0.request?.prompt = "a photo of a cow at night" }, { $0.request?.seed = 5 },
      { $0.request?.size = PictureSize(width: 32, height: 32) }, { $0.request?.fit = .pad },
      { $0.request?.image = "\(Repository.path)/prompts/photos/cup.jpg" },
      { $0.request?.base = "\(folder.path)/other" },
    ] as [(inout StageRun) -> Void] {
      other = run(.sdedit)
      change(&other)
      #expect(try GenerateStage.printedSettings(other) != before)
    }
    other = run(.sdedit)
    other.request?.embedding.steps = 7
    #expect(try GenerateStage.printedSettings(other) == before)
    // Of Imagic it is what the stages before have read.
    other = run(.imagic)
    let own = try GenerateStage.printedSettings(other)
    other.request?.prompt = "a photo of a cow at night"
    #expect(try GenerateStage.printedSettings(other) == own)
  }

  @Test func listsThatAreNotUsedAreToldOf() throws {
    var asked = run(.ddimInversion)
    asked.flags.generate.strengths = [0.5]
    asked.isDry = true
    let events = Events()
    asked.report = { events.all.append($0) }
    try GenerateStage.run(asked)
    let warnings = events.all.compactMap { if case .warning(let text) = $0 { text } else { nil } }
    #expect(
      warnings == [
        "--strengths is not used: it is of --method sdedit, and this is ddim-inversion",
        "there is one row of edits for all 2 seeds: they start from the photograph's inversion, and "
          + "nothing is drawn",
      ])
  }

  @Test func aDryRunCountsTheStepsOfEachEdit() throws {
    var dry = run(.sdedit)
    dry.isDry = true
    let events = Events()
    dry.report = { events.all.append($0) }
    try GenerateStage.run(dry)
    guard case .plan(let plan)? = events.all.last else {
      Issue.record("found \(events.all), wanted a plan")
      return
    }
    // Of four steps none, two and all, for two seeds.
    #expect(plan.steps == 12 && plan.seconds > 0)
    #expect(!FileManager.default.fileExists(atPath: dry.folder.path))
  }
}
