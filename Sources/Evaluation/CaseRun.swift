// One method on one case, in a folder of its own, by the stages that a person runs.

import Checkpoints
import Editing
import Foundation
import Images
import Measuring

/// Everything that the bench does with a case, the same for all of them.
public struct BenchSettings {
  /// Settings of all edits beside photograph and sentence; absent ones are the base's own.
  public var request = EditRequest()
  public var methods = BenchMethod.allCases
  /// Whether cases with words that the base has never seen are left out.
  public var knownWords = false
  /// How many cases of each kind are taken at most; nil for all.
  public var limit: Int?
  /// Where the results go.
  public var out: String
  /// Whether the trained checkpoints are kept once the edits are made; they are large.
  public var keepsCheckpoints = false
  public var threads = 1
  public var command = ""
  /// The networks that look at the edits.
  public var learned = LearnedMetrics()
  public var report: (StageEvent) -> Void = { _ in }
  public var shouldStop: () -> Bool = { StopSignal.number != nil }

  public init(out: String) { self.out = out }
}

/// A run of one method on one case.
///
/// Its folder `OUT/cases/NAME/METHOD` is a run folder with two more files: `identity.json`, what the run depends on, and
/// `result.json`, which is there exactly when the run is complete. A folder of another identity is made anew. What Imagic
/// trains is the same with and without masks, and stands in `OUT/cases/NAME/training`, a run folder too.
struct CaseRun {
  let editCase: EditCase
  let method: BenchMethod
  let bench: BenchSettings
  let baseDigest: String
  let size: PictureSize
  let subject: String

  /// What a run's result depends on.
  private struct Identity: Codable, Equatable {
    let settings: EditSettings
    let files: [String: String]
    let base: String
    let learned: [String]
    let version: String
  }

  private var folder: RunFolder { folder(method.rawValue) }
  private var training: RunFolder { folder("training") }
  private func folder(_ name: String) -> RunFolder {
    RunFolder(path: "\(bench.out)/cases/\(editCase.name)/\(name)")
  }
  private var resultPath: String { "\(folder.path)/result.json" }
  private var identityPath: String { "\(folder.path)/identity.json" }

  private func stageRun() -> StageRun {
    var run = StageRun(folder: folder)
    run.request = method.request(for: editCase, bench.request)
    run.threads = bench.threads
    run.command = bench.command
    run.shouldStop = bench.shouldStop
    run.report = { event in
      switch event {
      case .progress(var progress):
        progress.subject = [subject, progress.subject].compactMap { $0 }.joined(separator: ", ")
        bench.report(.progress(progress))
      case .warning: bench.report(event)
      default: break
      }
    }
    return run
  }

  /// The result, from the folder or made now.
  /// - Returns: whether it was there already, too.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to stop.
  func result() throws -> (result: CaseResult, isOld: Bool) {
    let run = stageRun()
    let truth = try truth()
    let identity = try identity(
      run, files: [editCase.input, editCase.target, editCase.mask].compactMap { $0 })
    let files = FileManager.default
    if let saved: Identity = try? Self.read(identityPath) {
      if saved == identity, let result: CaseResult = try? Self.read(resultPath) {
        return (result, true)
      }
      if saved != identity { try files.removeItem(atPath: folder.path) }
    }
    try folder.create()
    try Self.write(identity, to: identityPath)
    if method.edits == .imagic { try train(run) }
    try GenerateStage.run(run)
    let result = try measure(identity.settings, truth)
    try Self.write(result, to: resultPath)
    for file in [folder.embedding, folder.weights] { try? files.removeItem(atPath: file) }
    return (result, false)
  }

  /// Trains, or takes what was trained for the case already, and lends the run's folder the checkpoints.
  private func train(_ run: StageRun) throws {
    var training = run
    training.folder = self.training
    training.request = BenchMethod.imagic.request(for: editCase, bench.request)
    // What another bench has left here may be of other settings.
    let identity = try identity(training, files: BenchMethod.imagic.inputs(of: editCase))
    let path = "\(training.folder.path)/identity.json"
    let files = FileManager.default
    let saved: Identity? = try? Self.read(path)
    if saved != identity, files.fileExists(atPath: training.folder.path) {
      try files.removeItem(atPath: training.folder.path)
    }
    try training.folder.create()
    try Self.write(identity, to: path)
    try EmbeddingStage.run(training)
    try WeightsStage.run(training)
    for (own, lent) in [
      (training.folder.embedding, run.folder.embedding),
      (training.folder.weights, run.folder.weights),
    ] {
      try? files.removeItem(atPath: lent)
      // Checkpoints are only ever replaced as a whole, so that a second name for one is as good as a copy.
      try files.linkItem(atPath: own, toPath: lent)
    }
  }

  /// Removes the checkpoints that all methods of the case have shared, once their edits are made.
  func removeCheckpoints() {
    for file in [training.embedding, training.weights] {
      try? FileManager.default.removeItem(atPath: file)
    }
  }

  /// - Throws: `EditingError` or `ImageError`, where the case is no good.
  private func truth() throws -> EditTruth {
    let pictures = try editCase.pictures(at: size)
    let truth = EditTruth(
      input: pictures.input, target: pictures.target, mask: pictures.mask,
      distance: bench.learned.distance.map { metric in { metric($0, $1) } },
      features: bench.learned.classifier.map { network in { network.logits(of: $0) } })
    guard pictures.target == nil || truth.change ?? 0 > 1 else {
      throw EditingError(
        .badData,
        "\(editCase.path): found a target that is no other than the input where it may be")
    }
    return truth
  }

  private func identity(_ run: StageRun, files paths: [String]) throws -> Identity {
    var settings = try run.settings(saved: nil)
    settings.size = size
    return Identity(
      settings: settings,
      files: Dictionary(
        uniqueKeysWithValues: try paths.map { ($0, try SHA256Text.digest(ofFile: $0)) }),
      base: baseDigest, learned: bench.learned.names, version: programVersion)
  }

  private func measure(_ settings: EditSettings, _ truth: EditTruth) throws -> CaseResult {
    let all = Region(allOf: truth.input)
    var points: [CaseResult.Point] = []
    var reconstructions: [Double] = []
    for place in settings.generate.places {
      let picture = try Picture(contentsOf: "\(folder.path)/\(place.file)")
      points.append(
        CaseResult.Point(
          place: place.value, seed: place.seed, score: truth.score(picture), file: place.file))
      if place.value == 0, let psnr = PeakSignalToNoise.decibels(picture, truth.input, in: all) {
        reconstructions.append(psnr)
      }
    }
    let stages = Manifest.read(folder.manifest).manifest.stages
    let trainings =
      method.edits == .imagic
      ? Array(Manifest.read(training.manifest).manifest.stages.values) : []
    return CaseResult(
      name: editCase.name, kind: editCase.kind, method: method, points: points,
      reconstruction: reconstructions.mean,
      overlap: try overlap(truth),
      suggested: method == .imagic
        ? stages[Stage.interpolateGenerate.rawValue]?.suggestion?.alpha : nil,
      gradientSteps: try steps(),
      seconds: (Array(stages.values) + trainings).reduce(0) { $0 + $1.seconds })
  }

  /// How many steps were trained, by the checkpoints: a run that was killed may lack an entry in the manifest.
  private func steps() throws -> Int {
    guard method.edits == .imagic else { return 0 }
    return try [folder.embedding, folder.weights].reduce(0) { sum, path in
      try sum + StoreFile.read(path) { _ in false }.integer("step")
    }
  }

  /// How far a mask that the model has found covers what the truth changes; nil where there is none.
  private func overlap(_ truth: EditTruth) throws -> Double? {
    guard method == .autoMaskedImagic, truth.stays.count > 0 else { return nil }
    return Region(white: try Picture(contentsOf: folder.mask)).overlap(with: truth.mayDiffer)
  }

  private static func read<Value: Decodable>(_ path: String) throws -> Value {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    return try SettingsJSON.decode(Value.self, from: text, source: path)
  }

  private static func write(_ value: some Encodable, to path: String) throws {
    let text = try SettingsJSON.encode(value, pretty: true) + "\n"
    try AtomicFile.write(Array(text.utf8), to: path)
  }
}
