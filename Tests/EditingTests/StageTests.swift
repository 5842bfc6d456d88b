// The stages on the embedded base, a few steps each.

import Checkpoints
import Foundation
import Images
import TestSupport
import Testing
import Weights

@testable import Editing
@testable import Tensors

/// Serialised: each test keeps all processors busy as it is.
@Suite(.serialized) struct StageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func request(steps: Int = 4) -> EditRequest {
    var request = EditRequest()
    request.image = Repository.photograph
    request.prompt = "a photo of a cow on grass at sunset"
    request.base = Repository.base
    request.size = PictureSize(width: 48, height: 32)
    // The search for a caption has a test of its own.
    request.embedding = .init(steps: steps, learningRate: 0.01, batch: 2, source: "none")
    request.finetune = .init(steps: steps, learningRate: 1e-4, batch: 2)
    request.generate = .init(
      alphas: [0, 1], seeds: [0, 7], steps: 3, guidanceScale: 2, start: .noise)
    return request
  }

  private func run(_ name: String, _ request: EditRequest?) -> StageRun {
    var run = StageRun(folder: RunFolder(path: "\(folder.path)/\(name)"))
    run.request = request
    run.command = "the command"
    run.shouldStop = { false }
    return run
  }

  /// A run that is told to stop once it has done some steps.
  private func stopping(_ run: StageRun, after steps: Int) -> StageRun {
    var run = run
    let done = Counter()
    run.report = { if case .progress = $0 { done.value += 1 } }
    run.shouldStop = { done.value >= steps }
    return run
  }

  private final class Counter { var value = 0 }

  /// What a run tells.
  private final class Events {
    var all: [StageEvent] = []
    var notes: [String] {
      all.compactMap { if case .note(let text) = $0 { text } else { nil } }
    }
    var warnings: [String] {
      all.compactMap { if case .warning(let text) = $0 { text } else { nil } }
    }
    var steps: [Int] {
      all.compactMap { if case .progress(let progress) = $0 { progress.step } else { nil } }
    }
    var written: [String] {
      all.compactMap { if case .wrote(let file) = $0 { file } else { nil } }
    }
  }

  private func telling(_ run: StageRun) -> (StageRun, Events) {
    var run = run
    let events = Events()
    run.report = { events.all.append($0) }
    return (run, events)
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/\(name)"))
  }

  private func expectStopped(_ body: () throws -> Void) throws {
    let error = try #require(throws: EditingError.self) { try body() }
    #expect(error.status == .stopped)
    #expect(error.description.hasSuffix("go on with: the command"))
  }

  @Test func stoppedAndResumedEqualsUninterrupted() throws {
    let whole = run("whole", request())
    try EmbeddingStage.run(whole)
    try WeightsStage.run(whole)
    try GenerateStage.run(whole)
    let parts = run("parts", request())
    for steps in [0, 1, 2] {
      try expectStopped { try EmbeddingStage.run(stopping(parts, after: steps)) }
    }
    try EmbeddingStage.run(parts)
    for steps in [0, 3, 0] {
      try expectStopped { try WeightsStage.run(stopping(parts, after: steps)) }
    }
    try WeightsStage.run(parts)
    for steps in [1, 4] {
      try expectStopped { try GenerateStage.run(stopping(parts, after: steps)) }
    }
    try GenerateStage.run(parts)
    let names = [
      "alpha-0.00-seed-0", "alpha-1.00-seed-0", "alpha-0.00-seed-7", "alpha-1.00-seed-7",
    ]
    for file in ["embedding.h5", "weights.h5", "contact-sheet.png"]
      + names.map({ "edits/\($0).png" })
    {
      #expect(try bytes("whole/\(file)") == bytes("parts/\(file)"), "\(file)")
    }
  }

  @Test func moreStepsGoOnAndFewerAreComplete() throws {
    // The saved settings are those of every stage, so the others have to be alike.
    func request(steps: Int) -> EditRequest {
      var request = self.request()
      request.embedding.steps = steps
      return request
    }
    try EmbeddingStage.run(run("whole", request(steps: 5)))
    try EmbeddingStage.run(run("parts", request(steps: 2)))
    // Without a request, by what is saved.
    var (more, events) = telling(run("parts", nil))
    more.flags.embedding.steps = 5
    try EmbeddingStage.run(more)
    #expect(events.steps == [3, 4, 5])
    #expect(try bytes("whole/embedding.h5") == bytes("parts/embedding.h5"))

    let (fewer, told) = telling(run("parts", request(steps: 3)))
    try EmbeddingStage.run(fewer)
    #expect(told.steps.isEmpty)
    #expect(
      told.notes == ["\(more.folder.embedding) is complete: it has 5 steps, and 3 were asked for"])
    #expect(try bytes("whole/embedding.h5") == bytes("parts/embedding.h5"))
  }

  /// With the sentence itself as the photograph's caption, nothing is left to edit, whatever alpha and guidance are; by
  /// equation 3 alone alpha 1 would be what the base makes of the sentence.
  @Test func aCaptionIsWhereTheEditStarts() throws {
    var request = self.request(steps: 2)
    request.embedding.learningRate = 1e-3
    request.generate.seeds = [0]
    request.generate.guidanceCourse = .fromPhotograph
    request.embedding.source = request.prompt
    let same = run("same", request)
    try EmbeddingStage.run(same)
    try WeightsStage.run(same)
    try GenerateStage.run(same)
    let unchanged = try Picture(contentsOf: same.folder.edit(alpha: 0, seed: 0))
    #expect(unchanged.psnr(to: try Picture(contentsOf: same.folder.edit(alpha: 1, seed: 0))) > 45)

    request.embedding.source = "a photo of a cow on grass"
    let other = run("other", request)
    try expectStopped { try EmbeddingStage.run(stopping(other, after: 1)) }
    try EmbeddingStage.run(other)
    let saved = try EmbeddingCheckpoint(contentsOf: other.folder.embedding)
    let start = try #require(saved.start)
    #expect(start.caption == "a photo of a cow on grass")
    let caption = try Base(path: Repository.base).embeddings(of: [start.caption]).tensor
    #expect(start.embedding.array == caption.array)
    // Two steps of Adam move no number further than twice the learning rate.
    let moved = zip(saved.optimized.array, caption.array).map { abs($0 - $1) }.max() ?? 0
    #expect(moved > 1e-3 && moved < 2.1e-3, "\(moved)")
    let whole = run("whole", request)
    try EmbeddingStage.run(whole)
    #expect(try bytes("whole/embedding.h5") == bytes("other/embedding.h5"))
    try WeightsStage.run(other)
    try GenerateStage.run(other)
    let edit = try Picture(contentsOf: other.folder.edit(alpha: 1, seed: 0))
    #expect(edit.psnr(to: try Picture(contentsOf: other.folder.edit(alpha: 0, seed: 0))) < 35)

    // A run keeps to its caption.
    var changed = run("other", request)
    changed.flags.embedding.source = "none"
    let error = try #require(throws: EditingError.self) { try EmbeddingStage.run(changed) }
    #expect(error.status == .usage && error.description.contains("source"))
  }

  /// The embedded base's denoiser is of half precision on disk, so that holding it so loses nothing.
  @Test func frozenWeightsOfHalfPrecisionGiveTheSameWhereTheyAreExact() throws {
    let full = run("full", request(steps: 3))
    var half = run("half", request(steps: 3))
    half.flags.embedding.frozenPrecision = .float16
    try EmbeddingStage.run(full)
    try EmbeddingStage.run(half)
    let (wanted, found) = try (
      EmbeddingCheckpoint(contentsOf: full.folder.embedding),
      EmbeddingCheckpoint(contentsOf: half.folder.embedding)
    )
    #expect(found.optimized.array == wanted.optimized.array && found.losses == wanted.losses)
    #expect(wanted.header.settings.embedding.frozenPrecision == nil)
    #expect(found.header.settings.embedding.frozenPrecision == .float16)

    // A run keeps to its precision.
    var other = run("half", request(steps: 5))
    other.flags.embedding.frozenPrecision = .float32
    let error = try #require(throws: EditingError.self) { try EmbeddingStage.run(other) }
    #expect(error.status == .usage && error.description.contains("frozen precision"))
  }

  /// A fine-tuning by the base's own settings amplifies rounding, whatever the convolutions: of embeddings that differ in
  /// their last bit, trainings with direct ones end up to 2% apart. Those with Winograd's, which round more, by a digit, end
  /// where these do. Single trainings are compared over the second half of their losses: over the last 50 alone, as their
  /// means are, one of six with Winograd's ended 1.1% below the lowest of six direct ones.
  @Test func trainingIsAsStableAsWithDirectConvolutions() throws {
    var request = self.request()
    request.size = nil
    request.embedding.steps = 20
    request.finetune = .init(steps: 200, learningRate: 1e-4, batch: 4)
    let embedded = run("embedded", request)
    try EmbeddingStage.run(embedded)
    let checkpoint = try EmbeddingCheckpoint(contentsOf: embedded.folder.embedding)

    func losses(isWinograd: Bool, nudge: Int) throws -> [Float] {
      let run = run("\(isWinograd)-\(nudge)", request)
      try FileManager.default.createDirectory(
        atPath: run.folder.path, withIntermediateDirectories: true)
      var nudged = checkpoint
      let factor = 1 + Float(nudge) * .ulpOfOne
      nudged.optimized = Tensor(
        checkpoint.optimized.array.map { $0 * factor }, checkpoint.optimized.shape)
      try nudged.save(to: run.folder.embedding)
      try Winograd.$isUsed.withValue(isWinograd) { try WeightsStage.run(run) }
      return try WeightsCheckpoint(contentsOf: run.folder.weights, withOptimizer: false).losses
    }
    func mean(_ values: some Collection<Float>) -> Float {
      values.reduce(0, +) / Float(values.count)
    }
    func end(_ losses: [Float]) -> Float { mean(losses.suffix(50)) }
    func half(_ losses: [Float]) -> Float { mean(losses.suffix(100)) }
    let direct = try (0..<3).map { try losses(isWinograd: false, nudge: $0) }
    let fast = try (0..<3).map { try losses(isWinograd: true, nudge: $0) }
    #expect((direct + fast).allSatisfy { $0.count == 200 && end($0) < 0.8 * $0[0] })
    let halves = direct.map(half)
    let span = try 0.99 * #require(halves.min())...1.01 * #require(halves.max())
    #expect(fast.map(half).allSatisfy(span.contains), "\(fast.map(half)), \(halves)")
    let ends = direct.map(end)
    #expect(abs(mean(fast.map(end)) - mean(ends)) <= 0.01 * mean(ends))
    for (one, other) in zip(fast[0].prefix(20), direct[0]) {
      #expect(abs(one - other) <= 0.01 * other)
    }
    #expect(fast[0] != direct[0] && abs(fast[0][0] - direct[0][0]) < 1e-6 * direct[0][0])
  }

  @Test func fewerStepsThanAStoppedRunHasDoneCompleteIt() throws {
    let run = run("run", request(steps: 5))
    try expectStopped { try EmbeddingStage.run(stopping(run, after: 3)) }
    let other = self.run("run", request(steps: 2))
    let error = try #require(throws: EditingError.self) { try WeightsStage.run(other) }
    #expect(error.status == .badData && error.description.contains("found step 3 of 5"))
    try EmbeddingStage.run(other)
    let header = try EmbeddingCheckpoint(contentsOf: run.folder.embedding).header
    #expect(header.isComplete && header.step == 3 && header.settings.embedding.steps == 3)
  }

  @Test func aLossThatIsReachedEndsAStageAtTheSameStepHoweverOftenItWasStopped() throws {
    func request(untilLoss: Double?) -> EditRequest {
      var request = self.request()
      request.embedding = .init(steps: 70, learningRate: 0.01, batch: 2, untilLoss: untilLoss)
      return request
    }
    let all = run("all", request(untilLoss: nil))
    try EmbeddingStage.run(all)
    let full = try EmbeddingCheckpoint(contentsOf: all.folder.embedding)
    let means = (50...70).map { LossGoal.mean(Array(full.losses.prefix($0))) ?? 0 }
    let lowest = try #require((3...17).last { means[$0] < (means[..<$0].min() ?? 0) })
    let (goal, steps) = (means[lowest], 50 + lowest)

    let (whole, told) = telling(run("whole", request(untilLoss: goal)))
    try EmbeddingStage.run(whole)
    #expect(told.steps.last == steps)
    let note = try #require(told.notes.last)
    #expect(
      note.hasPrefix("complete: after \(steps) of 70 steps, the mean of the last 50 losses is"))
    let header = try EmbeddingCheckpoint(contentsOf: whole.folder.embedding).header
    #expect(header.isComplete && header.step == steps && header.steps == steps)
    #expect(header.settings.embedding.steps == 70 && header.settings.embedding.untilLoss == goal)

    let parts = run("parts", request(untilLoss: goal))
    for done in [20, steps - 21] {
      try expectStopped { try EmbeddingStage.run(stopping(parts, after: done)) }
    }
    try EmbeddingStage.run(parts)
    #expect(try bytes("whole/embedding.h5") == bytes("parts/embedding.h5"))

    // It stays complete, also where more steps are asked for: a run with those would have ended here too.
    var (again, events) = telling(run("parts", nil))
    try EmbeddingStage.run(again)
    again.flags.embedding.steps = 100
    try EmbeddingStage.run(again)
    #expect(events.steps.isEmpty)
    #expect(events.notes.last?.contains("is complete: after \(steps) of 100 steps") == true)
    #expect(try bytes("whole/embedding.h5") == bytes("parts/embedding.h5"))
    // Without the goal, or with one that is never reached, it goes on.
    again.flags.embedding.steps = nil
    again.flags.embedding.untilLoss = 0
    try EmbeddingStage.run(again)
    let further = try EmbeddingCheckpoint(contentsOf: parts.folder.embedding)
    #expect(further.losses == full.losses && further.optimized.array == full.optimized.array)
    try EmbeddingStage.run(run("whole", request(untilLoss: nil)))
    #expect(try bytes("whole/embedding.h5") == bytes("all/embedding.h5"))
    // A stage that was stopped is complete where a goal is given that it has reached.
    let late = run("late", request(untilLoss: nil))
    try expectStopped { try EmbeddingStage.run(stopping(late, after: 60)) }
    try EmbeddingStage.run(run("late", request(untilLoss: 100)))
    let ended = try EmbeddingCheckpoint(contentsOf: late.folder.embedding).header
    #expect(ended.isComplete && ended.step == 60 && ended.settings.embedding.untilLoss == 100)
    #expect(ended.settings.embedding.steps == 70)
  }

  @Test func differencesAreRefusedAndARestartKeepsTheOldFile() throws {
    try EmbeddingStage.run(run("run", request()))
    let before = try bytes("run/embedding.h5")
    var other = request()
    other.image = "\(Repository.path)/prompts/photos/cup.jpg"
    other.prompt = "a photo of a cup"
    other.seed = 1
    other.fit = .pad
    other.size = PictureSize(width: 32, height: 32)
    other.embedding.learningRate = 0.02
    other.embedding.batch = 1
    let error = try #require(throws: EditingError.self) {
      try EmbeddingStage.run(run("run", other))
    }
    #expect(error.status == .usage)
    for part in [
      "another photograph (saved SHA-256 ", "another fit (saved crop, asked for pad)",
      "another sentence (saved \"a photo of a cow on grass at sunset\", asked for \"a photo of a cup\")",
      "another size (saved 48x32, asked for 32x32)", "another seed (saved 0, asked for 1)",
      "another learning rate (saved 0.01, asked for 0.02)", "another batch (saved 2, asked for 1)",
      "--restart begins anew and keeps it as embedding.h5.previous",
    ] {
      #expect(error.description.contains(part), "\(error)")
    }
    #expect(try bytes("run/embedding.h5") == before)

    var anew = run("run", other)
    anew.restarts = true
    try EmbeddingStage.run(anew)
    #expect(try bytes("run/embedding.h5.previous") == before)
    try EmbeddingStage.run(run("fresh", other))
    #expect(try bytes("run/embedding.h5") == bytes("fresh/embedding.h5"))
  }

  /// Without a request, what is to begin anew may be asked for in another form than what is saved.
  @Test func aRestartTakesThePhotographAnewInAnotherForm() throws {
    try EmbeddingStage.run(run("run", request(steps: 1)))
    var anew = run("run", nil)
    anew.restarts = true
    anew.flags.size = PictureSize(width: 32, height: 40)
    try EmbeddingStage.run(anew)
    var found = try EmbeddingCheckpoint(contentsOf: anew.folder.embedding)
    #expect(PictureSize(of: found.picture) == PictureSize(width: 32, height: 40))
    try WeightsStage.run(run("run", nil))

    let cropped = found.picture.pixels
    anew.flags.size = nil
    anew.flags.fit = .stretch
    try EmbeddingStage.run(anew)
    found = try EmbeddingCheckpoint(contentsOf: anew.folder.embedding)
    #expect(found.header.settings.fit == .stretch && found.picture.pixels != cropped)
  }

  /// Until there is something to take its place, a restart leaves what is saved where it is.
  @Test func aRestartThatIsStoppedBeforeItSavesLosesNothing() throws {
    try EmbeddingStage.run(run("run", request(steps: 1)))
    try WeightsStage.run(run("run", nil))
    let before = try (bytes("run/embedding.h5"), bytes("run/weights.h5"))
    for stage in [EmbeddingStage.run, { try WeightsStage.run($0) }] as [(StageRun) throws -> Void] {
      var anew = stopping(run("run", nil), after: 0)
      anew.restarts = true
      let error = try #require(throws: EditingError.self) { try stage(anew) }
      #expect(error.status == .stopped)
      #expect(
        error.description == "stopped before the first step; go on with: the command --restart")
    }
    #expect(try bytes("run/embedding.h5") == before.0 && bytes("run/weights.h5") == before.1)
    var anew = run("run", nil)
    anew.restarts = true
    anew.flags.seed = 3
    try EmbeddingStage.run(anew)
    #expect(try bytes("run/embedding.h5.previous") == before.0)
    // The weights are of another embedding now; their own settings are what a restart goes by all the same.
    try WeightsStage.run(anew)
    #expect(try bytes("run/weights.h5.previous") == before.1)
  }

  /// What began with settings of its own begins anew with them, with the embedding as it is now.
  @Test func aRestartKeepsTheFineTuningsOwnSettings() throws {
    try EmbeddingStage.run(run("run", request(steps: 1)))
    var tuned = run("run", nil)
    tuned.flags.lowRank = .init(tune: .lora, rank: 3)
    tuned.flags.finetune.learningRate = 1e-3
    try WeightsStage.run(tuned)
    var embedding = run("run", nil)
    embedding.restarts = true
    embedding.flags.prompt = "a photo of a cow at night"
    try EmbeddingStage.run(embedding)
    let stale = try #require(throws: EditingError.self) { try WeightsStage.run(run("run", nil)) }
    #expect(stale.description.contains("weights.h5: was begun with another sentence (saved"))
    #expect(stale.description.contains("; --restart begins anew"))

    var anew = run("run", nil)
    anew.restarts = true
    try WeightsStage.run(anew)
    let found = try WeightsCheckpoint(headOf: anew.folder.weights).header.settings
    #expect(found.finetune.lora?.rank == 3 && found.finetune.learningRate == 1e-3)
    #expect(found.prompt == "a photo of a cow at night")
    try GenerateStage.run(run("run", nil))

    // A damaged file says nothing, and is no harm.
    try Data("damaged".utf8).write(to: URL(fileURLWithPath: anew.folder.weights))
    try WeightsStage.run(anew)
    #expect(try WeightsCheckpoint(headOf: anew.folder.weights).header.settings.finetune.lora == nil)
  }

  /// Adam's moments are in memory where a training goes on.
  @Test func goingOnWantsNoMoreMemoryThanThereIs() throws {
    let parameters = try Base(path: Repository.base).folder.unet().parameters
    let weights = parameters.reduce(0) { $0 + $1.value.count } * 4
    func error(hasMoments: Bool, _ available: Int?) -> EditingError? {
      do {
        try StageRun.checkMemory(
          toTrain: parameters, hasMoments: hasMoments, available: available)
        return nil
      } catch { return error as? EditingError }
    }
    #expect(error(hasMoments: true, weights / 2) == nil)
    #expect(error(hasMoments: false, weights * 2)?.status == .internalError)
    #expect(error(hasMoments: false, weights * 3) == nil)
    #expect(error(hasMoments: true, 0)?.description.contains("found 0.0 GB") == true)
    #expect(error(hasMoments: false, nil) == nil)
  }

  @Test func aLaterStageRefusesAnotherRequestThanTheFirst() throws {
    try EmbeddingStage.run(run("run", request()))
    var other = request()
    other.prompt = "another sentence"
    let error = try #require(throws: EditingError.self) { try WeightsStage.run(run("run", other)) }
    #expect(error.status == .usage)
    #expect(error.description.contains("embedding.h5: was begun with another sentence (saved"))
    #expect(error.description.contains("; embed-optimize --restart begins anew and keeps it as"))

    // The embedding goes on, and with it goes what was tuned to the old one.
    try WeightsStage.run(run("run", request()))
    try EmbeddingStage.run(run("run", request(steps: 6)))
    let stale = try #require(throws: EditingError.self) { try GenerateStage.run(run("run", nil)) }
    #expect(stale.status == .badData && stale.description.contains("model-finetune --restart"))
    let tuned = try #require(throws: EditingError.self) { try WeightsStage.run(run("run", nil)) }
    #expect(tuned.description.contains("another embedding (saved SHA-256 "))
  }

  @Test func onlyEditsThatAreMissingAreMade() throws {
    let run = run("run", request())
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    try GenerateStage.run(run)
    let removed = run.folder.edit(alpha: 1, seed: 7)
    let wanted = try Data(contentsOf: URL(fileURLWithPath: removed))
    try FileManager.default.removeItem(atPath: removed)
    // A damaged one counts as missing.
    let damaged = run.folder.edit(alpha: 0, seed: 7)
    let whole = try Data(contentsOf: URL(fileURLWithPath: damaged))
    try whole.dropLast(40).write(to: URL(fileURLWithPath: damaged))
    let (again, events) = telling(self.run("run", nil))
    try GenerateStage.run(again)
    #expect(events.written == [damaged, removed])
    #expect(try Data(contentsOf: URL(fileURLWithPath: removed)) == wanted)
    #expect(try Data(contentsOf: URL(fileURLWithPath: damaged)) == whole)

    var (wider, widerEvents) = telling(self.run("run", nil))
    wider.flags.generate.alphas = [0, 0.5, 1]
    try GenerateStage.run(wider)
    #expect(
      widerEvents.written == [
        run.folder.edit(alpha: 0.5, seed: 0), run.folder.edit(alpha: 0.5, seed: 7),
        run.folder.contactSheet,
      ])
  }

  @Test func startedFromThePhotographThereIsOneEditForEachAlpha() throws {
    var request = request()
    request.generate.start = .inversion
    let (run, events) = telling(run("run", request))
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    try GenerateStage.run(run)
    #expect(
      events.written == [
        run.folder.edit(alpha: 0, seed: nil), run.folder.edit(alpha: 1, seed: nil),
        run.folder.contactSheet,
      ])
    let edit = try Picture(contentsOf: run.folder.edit(alpha: 0, seed: nil))
    #expect(edit.width == 48 && edit.height == 32)
  }

  @Test(arguments: SamplingStart.allCases)
  func theSamplerIsOfTheEditsAndTold(start: SamplingStart) throws {
    var request = request()
    request.generate.start = start
    request.generate.seeds = [0]
    let run = run("run", request)
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    try GenerateStage.run(run)
    let edit = run.folder.edit(alpha: 1, seed: start == .noise ? 0 : nil)
    let before = try Data(contentsOf: URL(fileURLWithPath: edit))
    var (other, events) = telling(run)
    other.flags.generate.sampler = .dpmSolver
    try GenerateStage.run(other)
    #expect(events.written.contains(edit))
    let after = try Picture.bytes(ofFile: edit)
    #expect(
      try Picture(decoding: after, name: edit) != Picture(decoding: Array(before), name: edit))
    let notes = try #require(PNGText.read(after, name: edit).first { $0.keyword == "Settings" })
    #expect(notes.text.contains(#""sampler":"dpm-solver++""#))
    let entry = try #require(
      Manifest.read(run.folder.manifest).manifest.stages["interpolate-generate"])
    #expect(entry.settings.generate.sampler == .dpmSolver)

    try GenerateStage.run(run)
    #expect(try Data(contentsOf: URL(fileURLWithPath: edit)) == before)
    other.flags.generate.steps = 1000
    let error = try #require(throws: (any Error).self) { try GenerateStage.run(other) }
    #expect(ExitStatus(of: error) == .usage && "\(error)".contains("1000 sampling steps of dpm-"))
  }

  @Test func aNumberThatIsNoneStopsAStageUnsaved() throws {
    // A base whose latents overflow: its autoencoder multiplies them by nearly the largest float.
    let base = "\(folder.path)/base"
    try FileManager.default.copyItem(atPath: Repository.base, toPath: base)
    let config = "\(base)/vae/config.json"
    let text = try String(contentsOfFile: config, encoding: .utf8)
    let scale = try #require(text.firstMatch(of: /"scaling_factor" *: *([0-9.e-]+)/))
    try text.replacingCharacters(
      in: scale.output.1.startIndex..<scale.output.1.endIndex, with: "1e38"
    )
    .write(
      toFile: config, atomically: true, encoding: .utf8)
    var request = request()
    request.base = base
    let run = run("run", request)
    let error = try #require(throws: EditingError.self) { try EmbeddingStage.run(run) }
    #expect(error.status == .internalError)
    #expect(error.description.hasPrefix("step 1: found the loss "))
    #expect(!FileManager.default.fileExists(atPath: run.folder.embedding))
  }

  @Test func aSentenceThatIsTooLongIsCutAndThatIsSaid() throws {
    var request = request(steps: 1)
    request.prompt = "a photo of" + String(repeating: " a cow", count: 40)
    let (run, events) = telling(run("run", request))
    try EmbeddingStage.run(run)
    let warning = try #require(events.warnings.first)
    #expect(warning.contains("tokens, and the base takes 22: the last"), "\(warning)")
  }

  @Test func aDryRunMeasuresAndWritesNothing() throws {
    var (dry, events) = telling(run("run", request(steps: 100)))
    dry.isDry = true
    try EmbeddingStage.run(dry)
    #expect(!FileManager.default.fileExists(atPath: dry.folder.path))
    guard case .plan(let plan)? = events.all.last else {
      Issue.record("found \(events.all), wanted a plan at the end")
      return
    }
    #expect(plan.step == 0 && plan.steps == 100 && plan.seconds > 0.01 && plan.memory > 1 << 20)
  }

  @Test func aMissingOrDamagedCheckpointIsNamed() throws {
    let run = run("run", request(steps: 1))
    for stage in [{ try WeightsStage.run($0) }, GenerateStage.run] as [(StageRun) throws -> Void] {
      let error = try #require(throws: EditingError.self) { try stage(run) }
      #expect(error.status == .noInput && error.description.hasSuffix("run embed-optimize first"))
    }
    // A name that was mistyped leaves no folder.
    #expect(!FileManager.default.fileExists(atPath: run.folder.path))
    try FileManager.default.createDirectory(
      atPath: run.folder.path, withIntermediateDirectories: true)
    var error = try #require(throws: EditingError.self) { try WeightsStage.run(run) }
    #expect(error.status == .noInput && error.description.hasSuffix("run embed-optimize first"))
    try EmbeddingStage.run(run)
    error = try #require(throws: EditingError.self) { try GenerateStage.run(run) }
    #expect(error.status == .noInput && error.description.hasSuffix("run model-finetune first"))
    var damaged = try bytes("run/embedding.h5")
    damaged[damaged.count / 2] ^= 4
    try damaged.write(to: URL(fileURLWithPath: run.folder.embedding))
    error = try #require(throws: EditingError.self) { try EmbeddingStage.run(run) }
    #expect(error.status == .badData && error.description.hasSuffix("--restart begins anew"))
    var anew = run
    anew.restarts = true
    try EmbeddingStage.run(anew)
    #expect(try bytes("run/embedding.h5.previous") == damaged)
  }

  @Test func theManifestTellsEachStageAndItsLossIsNoHarm() throws {
    let run = run("run", request(steps: 1))
    try EmbeddingStage.run(run)
    try "{".write(toFile: run.folder.manifest, atomically: true, encoding: .utf8)
    let (again, events) = telling(run)
    try WeightsStage.run(again)
    #expect(events.warnings.count == 1 && events.warnings[0].contains("is written anew"))
    try GenerateStage.run(run)
    let (manifest, problem) = Manifest.read(run.folder.manifest)
    #expect(problem == nil)
    #expect(manifest.stages.keys.sorted() == ["interpolate-generate", "model-finetune"])
    let entry = try #require(manifest.stages["model-finetune"])
    #expect(entry.complete && entry.step == 1 && entry.seconds > 0 && entry.peakMemory > 1 << 20)
    #expect(try entry.checkpoints[0].sha256 == SHA256Text.digest(ofFile: run.folder.weights))
    #expect(try entry.base.sha256 == Base(path: Repository.base).digest())
  }

  /// What a run that was killed after its last save has not entered.
  @Test func aCompleteStageThatWasNotEnteredIs() throws {
    let run = run("run", request(steps: 2))
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    let whole = Manifest.read(run.folder.manifest).manifest
    try FileManager.default.removeItem(atPath: run.folder.manifest)
    try EmbeddingStage.run(run)
    var stale = Manifest.read(run.folder.manifest).manifest
    stale.stages["model-finetune"] = whole.stages["model-finetune"]
    stale.stages["model-finetune"]?.checkpoints[0].sha256 = "old"
    stale.stages["model-finetune"]?.complete = false
    try SettingsJSON.encode(stale).write(
      toFile: run.folder.manifest, atomically: true, encoding: .utf8)
    try WeightsStage.run(run)
    let found = Manifest.read(run.folder.manifest).manifest
    for (stage, file) in [
      ("embed-optimize", run.folder.embedding), ("model-finetune", run.folder.weights),
    ] {
      let entry = try #require(found.stages[stage])
      #expect(entry.complete && entry.step == 2)
      #expect(try entry.checkpoints[0].sha256 == SHA256Text.digest(ofFile: file))
    }
    let before = try bytes("run/manifest.json")
    try WeightsStage.run(run)
    #expect(try bytes("run/manifest.json") == before)
  }

  @Test func aBaseThatDoesNotFitIsNamed() throws {
    var request = request()
    request.size = PictureSize(width: 50, height: 32)
    var error = try #require(throws: EditingError.self) {
      try EmbeddingStage.run(run("a", request))
    }
    #expect(error.status == .usage)
    #expect(error.description == "size: found 50x32, wanted a width and a height that 8 divides")
    request.base = "\(folder.path)/none"
    error = try #require(throws: EditingError.self) { try EmbeddingStage.run(run("a", request)) }
    #expect(error.status == .noInput)
    #expect(error.description.contains("/none: there is no such folder, wanted a base model"))

    // A base of pictures that none can be of.
    let base = "\(folder.path)/large"
    let files = FileManager.default
    try files.createDirectory(atPath: "\(base)/unet", withIntermediateDirectories: true)
    let inUNet = try files.contentsOfDirectory(atPath: "\(Repository.base)/unet")
    for name in try files.contentsOfDirectory(atPath: Repository.base)
      + inUNet.map({ "unet/\($0)" })
    where !["unet", "unet/config.json"].contains(name) {
      try files.createSymbolicLink(
        atPath: "\(base)/\(name)", withDestinationPath: "\(Repository.base)/\(name)")
    }
    let text = try String(contentsOfFile: "\(Repository.base)/unet/config.json", encoding: .utf8)
    try text.replacing(/"sample_size" : \d+/, with: "\"sample_size\" : 1048576")
      .write(toFile: "\(base)/unet/config.json", atomically: true, encoding: .utf8)
    request.base = base
    request.size = nil
    error = try #require(throws: EditingError.self) { try EmbeddingStage.run(run("a", request)) }
    #expect(error.status == .badData)
    #expect(
      error.description.hasSuffix(
        "/large: found pictures of 8388608x8388608, wanted for each side a whole number from 8 to 8192"
      ), "\(error)")
  }

  private func requestOfLoRA(steps: Int = 4, convolutions: Bool) -> EditRequest {
    var request = request(steps: steps)
    request.finetune.learningRate = 1e-3
    request.lowRank = .init(tune: .lora, rank: 4, convolutions: convolutions)
    return request
  }

  @Test(arguments: [false, true])
  func loRAStoppedAndResumedEqualsUninterrupted(convolutions: Bool) throws {
    let request = requestOfLoRA(convolutions: convolutions)
    let (whole, parts) = (run("whole", request), run("parts", request))
    for run in [whole, parts] { try EmbeddingStage.run(run) }
    try WeightsStage.run(whole)
    for steps in [0, 1, 2] {
      try expectStopped { try WeightsStage.run(stopping(parts, after: steps)) }
    }
    // Without a request, by what is saved.
    try WeightsStage.run(self.run("parts", nil))
    #expect(try bytes("whole/weights.h5") == bytes("parts/weights.h5"))
    for run in [whole, self.run("parts", nil)] { try GenerateStage.run(run) }
    #expect(try bytes("whole/contact-sheet.png") == bytes("parts/contact-sheet.png"))

    let file = try StoreFile.read(whole.folder.weights)
    #expect(file.names(under: "/unet").isEmpty)
    let names = file.names(under: "/lora")
    let module = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"
    #expect(names.contains("\(module)/down") && names.contains("\(module)/up"))
    #expect(names.contains { $0.contains(".conv1/") } == convolutions)
    #expect(file.names(under: "/optimizer/first_moment") == names)
    // All weights with Adam's state are 53 million bytes.
    #expect(try bytes("whole/weights.h5").count < 5_000_000)
    for name in names { try #expect(file.tensor("/lora/\(name)").array.contains { $0 != 0 }) }
  }

  @Test func anotherTuningIsRefused() throws {
    let run = run("run", requestOfLoRA(convolutions: false))
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    for (tuning, told) in [
      (EditRequest.LowRank(tune: .all), "all"), (.init(rank: 5), "lora of rank 5"),
      (.init(convolutions: true), "lora of rank 4 with convolutions"),
    ] {
      var other = run
      other.flags.lowRank = tuning
      let error = try #require(throws: EditingError.self) { try WeightsStage.run(other) }
      #expect(error.status == .usage)
      #expect(
        error.description.contains("another tune (saved lora of rank 4, asked for \(told));"),
        "\(error)")
    }
  }

  @Test func loRAIsExportedMergedAndByItself() throws {
    let (run, events) = telling(run("run", requestOfLoRA(convolutions: true)))
    let (export, file) = ("\(folder.path)/exported", "\(folder.path)/lora.safetensors")
    try EmbeddingStage.run(run)
    try WeightsStage.run(run, export: export, exportLoRA: file)
    #expect(events.warnings.isEmpty)
    guard case .finished(let result)? = events.all.last else {
      Issue.record("found \(events.all), wanted a result at the end")
      return
    }
    #expect(result.files == [run.folder.weights, export, file])

    // The file alone, by diffusers' names: the weights are the base's and `up * down`.
    let lora = try SafetensorsFile(URL(fileURLWithPath: file))
    let base = try Base(path: Repository.base).folder.unet()
    let tuned = try Base(path: export).folder.unet()
    var changed = 0
    for (before, after) in zip(base.parameters, tuned.parameters) {
      let module = before.name.replacingOccurrences(of: ".weight", with: "")
      guard lora.entries["unet.\(module).lora_A.weight"] != nil else {
        #expect(before.storedValue.array == after.storedValue.array, "\(before.name)")
        continue
      }
      changed += 1
      let extents = before.storedShape.array
      let inner = extents.dropFirst().reduce(1, *)
      let down = try lora.tensor(
        named: "unet.\(module).lora_A.weight", shape: Shape([4] + extents.dropFirst()))
      let up = try lora.tensor(
        named: "unet.\(module).lora_B.weight",
        shape: Shape([extents[0], 4] + extents.dropFirst(2).map { _ in 1 }))
      let product = matrixProduct(up.reshaped([extents[0], 4]), down.reshaped([4, inner]))
      let wanted = zip(before.storedValue.array, product.array).map(+)
      let difference = zip(wanted, after.storedValue.array).map { abs($0 - $1) }.max() ?? 1
      #expect(difference <= 1e-6, "\(before.name): \(difference)")
    }
    #expect(changed > 40 && lora.entries.count == 2 * changed)

    let again = try #require(throws: EditingError.self) {
      try WeightsStage.run(run, exportLoRA: file)
    }
    #expect(again.status == .cannotCreate)
    // Where the stage is complete, it exports all the same.
    let second = "\(folder.path)/second.safetensors"
    try WeightsStage.run(run, exportLoRA: second)
    #expect(FileManager.default.contentsEqual(atPath: second, andPath: file))
  }

  @Test func loRAWithoutNeedIsAWrongCallAndALowRateIsWarnedOf() throws {
    let whole = run("run", request(steps: 1))
    try EmbeddingStage.run(whole)
    let error = try #require(throws: EditingError.self) {
      try WeightsStage.run(whole, exportLoRA: "\(folder.path)/lora.safetensors")
    }
    #expect(error.status == .usage && error.description.contains("wanted --tune lora"))
    var (slow, events) = telling(whole)
    slow.flags.finetune.learningRate = 5e-7
    slow.flags.lowRank.tune = .lora
    try WeightsStage.run(slow)
    #expect(events.warnings.first?.contains("5e-07 hardly moves LoRA") == true)
  }

  @Test func theTunedBaseIsExportedAsAFolderOfDiffusers() throws {
    let run = run("run", request(steps: 1))
    let export = "\(folder.path)/exported"
    try EmbeddingStage.run(run)
    // What a process that is no more has left goes; numbers of processes end long before this one.
    let (left, others) = ("\(export).partial-2000000000", "\(export).partial-\(getpid())")
    for name in [left, others] {
      try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: true)
    }
    try WeightsStage.run(run, export: export + "/")
    #expect(!FileManager.default.fileExists(atPath: left))
    let tuned = try WeightsCheckpoint(contentsOf: run.folder.weights, withOptimizer: false)
    let exported = try Base(path: export).folder.unet()
    for parameter in exported.parameters {
      let wanted = try #require(tuned.weights[parameter.name])
      #expect(parameter.storedValue.array == wanted.array, "\(parameter.name)")
    }
    // Its other parts are the base's, so it serves as a base itself.
    for file in ["model_index.json", "vae/config.json", "tokenizer/vocab.json"] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: "\(export)/\(file)", andPath: "\(Repository.base)/\(file)"))
    }
    let error = try #require(throws: EditingError.self) {
      try WeightsStage.run(run, export: export)
    }
    #expect(error.status == .cannotCreate && error.description.contains("is there already"))
  }
}
