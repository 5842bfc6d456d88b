// Whether resampling joins what is repainted to the rest better than more steps do.

import Checkpoints
import Editing
import Foundation
import Images
import Measuring

/// What is measured, and where the results go.
public struct SeamSettings {
  /// Settings of all edits beside photograph, sentence, mask and sampler; absent ones are the base's own.
  public var request = EditRequest()
  /// Whether cases with words that the base has never seen are left out.
  public var knownWords = false
  /// How many cases of each kind are taken at most; nil for all.
  public var limit: Int?
  public var out: String
  public var threads = 1
  public var command = ""
  public var learned = LearnedMetrics()
  public var report: (StageEvent) -> Void = { _ in }
  public var shouldStop: () -> Bool = { StopSignal.number != nil }

  public init(out: String) { self.out = out }
}

/// One region that was repainted in one way.
struct SeamResult: Codable, Equatable {
  var name: String
  var plan: SeamPlan
  /// The jump across the seam, of 255, and the photograph's own there.
  var jump: Double
  var own: Double
  /// The learned distance to the photograph; nil without its weights.
  var distance: Double?

  /// How far the jump is from the photograph's own.
  var error: Double { abs(jump - own) }
}

/// Repaints the masked region of each case's photograph by the photograph's own caption, with plain sampling in the mask,
/// in every way of ``SeamPlan/all``.
public enum SeamBench {
  /// Regions that leave less than this share of the picture have hardly a seam.
  static let leastRest = 0.25

  /// Runs what is not there yet, and writes the report. Cases without a caption or a mask that leaves enough are left out.
  /// - Returns: the report as text, and the files that were written.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells.
  public static func run(_ cases: EditCases, _ settings: SeamSettings) throws -> (
    text: String, files: [String]
  ) {
    try RunFolder(path: settings.out).create()
    let lock = try RunLock(folder: settings.out)
    defer { lock.release() }
    let base = try Base(path: EditBench.basePath(settings.request))
    let size = settings.request.size ?? base.defaultSize
    let digest = try base.digest()
    let usable = settings.knownWords ? try cases.known(to: base) : cases
    let cases = usable.limited(to: settings.limit)
    var results: [SeamResult] = []
    for (index, editCase) in cases.cases.enumerated() {
      let pictures = try editCase.pictures(at: size)
      guard let mask = pictures.mask, let caption = editCase.source else { continue }
      let region = Region(white: mask)
      guard let own = Seam.jump(pictures.input, around: region), 1 - region.share >= leastRest
      else { continue }
      for plan in SeamPlan.all {
        let run = SeamRun(
          editCase: editCase, caption: caption, plan: plan, settings: settings, base: digest,
          subject: "case \(index + 1)/\(cases.cases.count) \(editCase.name) \(plan.name)")
        results.append(
          try run.result { edit in
            SeamResult(
              name: editCase.name, plan: plan, jump: Seam.jump(edit, around: region) ?? 0, own: own,
              distance: settings.learned.distance?(edit, pictures.input))
          })
      }
    }
    guard !results.isEmpty else {
      throw EditingError(.badData, "found no case with a caption and a mask that leaves enough")
    }
    let report = SeamReport(base: digest, size: size, results: results)
    let files = [
      ("seams.json", try SettingsJSON.encode(report, pretty: true) + "\n"),
      ("seams.md", report.markdown),
    ]
    for (name, text) in files {
      try AtomicFile.write(Array(text.utf8), to: "\(settings.out)/\(name)")
    }
    return (report.markdown, files.map { "\(settings.out)/\($0.0)" })
  }
}

/// One case, repainted in one way, in a run folder of its own.
private struct SeamRun {
  let editCase: EditCase
  let caption: String
  let plan: SeamPlan
  let settings: SeamSettings
  let base: String
  let subject: String

  /// What a result depends on.
  private struct Identity: Codable, Equatable {
    let settings: EditSettings
    let files: [String]
    let base: String
    let learned: [String]
    let version: String
  }

  private struct Saved: Codable {
    let identity: Identity
    let result: SeamResult
  }

  /// The result, from the folder or made now.
  func result(_ measure: (Picture) -> SeamResult) throws -> SeamResult {
    let run = stageRun()
    let identity = Identity(
      settings: try run.settings(saved: nil),
      files: try [editCase.input, editCase.mask ?? ""].map { try SHA256Text.digest(ofFile: $0) },
      base: base,
      learned: settings.learned.names, version: programVersion)
    let path = "\(run.folder.path)/result.json"
    if let text = try? String(contentsOfFile: path, encoding: .utf8),
      let saved = try? SettingsJSON.decode(Saved.self, from: text, source: path),
      saved.identity == identity
    {
      return saved.result
    }
    try GenerateStage.run(run)
    let places = identity.settings.generate.places
    let result = measure(try Picture(contentsOf: "\(run.folder.path)/\(places[0].file)"))
    let text = try SettingsJSON.encode(Saved(identity: identity, result: result), pretty: true)
    try AtomicFile.write(Array(text.utf8), to: path)
    return result
  }

  private func stageRun() -> StageRun {
    var request = settings.request
    request.image = editCase.input
    request.prompt = caption
    request.generate.method = .sample
    request.generate.seeds = [0]
    request.generate.sampler = plan.sampler
    request.generate.steps = plan.steps
    request.generate.resample = plan.resample
    request.generate.resampleJump = plan.jump
    // A rim would soften what is to be seen here.
    request.masking = .init(mask: editCase.mask, feather: 0)
    var run = StageRun(
      folder: RunFolder(path: "\(settings.out)/cases/\(editCase.name)/\(plan.name)"))
    run.request = request
    run.threads = settings.threads
    run.command = settings.command
    run.shouldStop = settings.shouldStop
    run.report = { event in
      switch event {
      case .progress(var progress):
        progress.subject = subject
        settings.report(.progress(progress))
      case .warning: settings.report(event)
      default: break
      }
    }
    return run
  }
}
