// Whether resampling joins what is repainted to the rest better than more steps do.

import Checkpoints
import Editing
import Foundation
import Images
import Measuring

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
  public static func run(_ cases: EditCases, _ settings: CaseSettings) throws -> (
    text: String, files: [String]
  ) {
    try RunFolder(path: settings.out).create()
    let lock = try RunLock(folder: settings.out)
    defer { lock.release() }
    let base = try settings.base()
    let size = settings.request.size ?? base.defaultSize
    let digest = try base.digest()
    let cases = try settings.taken(of: cases, by: base)
    var results: [SeamResult] = []
    for (index, editCase) in cases.cases.enumerated() {
      let pictures = try editCase.pictures(at: size)
      guard let mask = pictures.mask, let caption = editCase.source else { continue }
      let region = Region(white: mask)
      guard let own = Seam.jump(pictures.input, around: region), 1 - region.share >= leastRest
      else { continue }
      for plan in SeamPlan.all {
        let run = SeamRun(
          editCase: editCase, caption: caption, plan: plan, settings: settings,
          baseDigest: digest, size: size,
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
  let settings: CaseSettings
  let baseDigest: String
  let size: PictureSize
  let subject: String

  /// The result, from the folder or made now.
  func result(_ measure: (Picture) -> SeamResult) throws -> SeamResult {
    let kept = KeptRun(
      folder: RunFolder(path: "\(settings.out)/cases/\(editCase.name)/\(plan.name)"),
      settings: settings, baseDigest: baseDigest)
    let run = kept.stageRun(request, subject: subject)
    let identity = try kept.identity(
      run, size: size, files: [editCase.input, editCase.mask].compactMap { $0 })
    return try kept.result(of: identity) {
      try GenerateStage.run(run)
      let places = identity.settings.generate.places
      return measure(try Picture(contentsOf: "\(kept.folder.path)/\(places[0].file)"))
    }.value
  }

  private var request: EditRequest {
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
    return request
  }
}
