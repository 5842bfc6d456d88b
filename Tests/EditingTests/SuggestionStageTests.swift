// The suggested alpha in a run of the stages.

import Foundation
import Images
import TestSupport
import Testing

@testable import Editing

/// Serialised: each test keeps all processors busy as it is.
@Suite(.serialized) struct SuggestionStageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private final class Events {
    var all: [StageEvent] = []
    var steps: [String] {
      all.compactMap { if case .progress(let progress) = $0 { progress.subject } else { nil } }
    }
    var notes: [String] {
      all.compactMap { if case .note(let text) = $0 { text } else { nil } }
    }
    var suggested: Double? {
      all.compactMap { if case .finished(let result) = $0 { result.suggestedAlpha } else { nil } }
        .last
    }
  }

  private func telling(_ run: StageRun) -> (StageRun, Events) {
    var run = run
    let events = Events()
    run.report = { events.all.append($0) }
    return (run, events)
  }

  /// A run that is trained, with its edits still to be made.
  private func trained(_ name: String = "run") throws -> StageRun {
    var request = EditRequest()
    request.image = Repository.photograph
    request.prompt = "a photo of a cow on grass at sunset"
    request.base = Repository.base
    request.size = PictureSize(width: 48, height: 32)
    request.embedding = .init(steps: 4, learningRate: 0.01, batch: 2, source: "none")
    request.finetune = .init(steps: 2, learningRate: 1e-4, batch: 2)
    request.generate = .init(alphas: [0, 0.5, 1], steps: 3, guidanceScale: 2, start: .noise)
    var run = StageRun(folder: RunFolder(path: "\(folder.path)/\(name)"))
    run.request = request
    run.shouldStop = { false }
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    return run
  }

  private func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test func itIsToldMarkedAndKept() throws {
    let (run, events) = telling(try trained())
    try GenerateStage.run(run)
    let alpha = try #require(events.suggested)
    #expect([0.5, 1].contains(alpha))
    #expect(events.notes.contains("suggested alpha: \(NumberList.label(alpha))"))
    #expect(events.steps.count { $0 == "the suggested alpha" } == 3 * EditMeter.levels)
    let entry = try #require(
      Manifest.read(run.folder.manifest).manifest.stages["interpolate-generate"])
    #expect(entry.suggestion?.alpha == alpha)
    #expect(entry.suggestion?.measures.map(\.alpha) == [0, 0.5, 1])
    let sheet = try bytes(run.folder.contactSheet)

    // Nothing is measured twice.
    let (again, told) = telling(run)
    try GenerateStage.run(again)
    #expect(told.steps.isEmpty && told.suggested == alpha)
    #expect(try bytes(run.folder.contactSheet) == sheet)

    // Without it, the sheet has no mark.
    var (without, silent) = telling(run)
    without.flags.generate.suggests = false
    try GenerateStage.run(without)
    #expect(silent.steps.isEmpty && silent.suggested == nil)
    #expect(try bytes(run.folder.contactSheet) != sheet)

    // Other edits are measured anew.
    var (other, measured) = telling(run)
    other.flags.generate.alphas = [0.25, 1]
    try GenerateStage.run(other)
    #expect(measured.steps.count { $0 == "the suggested alpha" } == 2 * EditMeter.levels)
  }

  @Test func stoppedWhileMeasuringItComesToTheSame() throws {
    let whole = try trained("whole")
    try GenerateStage.run(whole)
    var (parts, events) = telling(try trained("parts"))
    parts.shouldStop = { events.steps.last == "the suggested alpha" }
    let error = try #require(throws: EditingError.self) { try GenerateStage.run(parts) }
    #expect(error.status == .stopped && error.description.contains("with all edits made"))
    #expect(!FileManager.default.fileExists(atPath: parts.folder.suggestion))
    parts.shouldStop = { false }
    try GenerateStage.run(parts)
    #expect(try bytes(parts.folder.suggestion) == bytes(whole.folder.suggestion))
    #expect(try bytes(parts.folder.contactSheet) == bytes(whole.folder.contactSheet))
  }

  @Test func aDamagedFileIsMeasuredAnew() throws {
    let run = try trained()
    try GenerateStage.run(run)
    let before = try bytes(run.folder.suggestion)
    try Data(before.prefix(40)).write(to: URL(fileURLWithPath: run.folder.suggestion))
    try GenerateStage.run(run)
    #expect(try bytes(run.folder.suggestion) == before)
  }

  @Test func aSingleAlphaLeavesNoChoice() throws {
    var (run, events) = telling(try trained())
    run.flags.generate.alphas = [1]
    try GenerateStage.run(run)
    #expect(events.suggested == nil && !events.steps.contains("the suggested alpha"))
    #expect(!FileManager.default.fileExists(atPath: run.folder.suggestion))
  }
}
