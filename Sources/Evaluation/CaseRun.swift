// One method on one case, in a folder of its own, by the stages that a person runs.

import Checkpoints
import Editing
import Foundation
import Images
import Measuring

/// A run of one method on one case, in the folder `OUT/cases/NAME/METHOD`. What Imagic trains is the same with and without
/// masks, and stands in `OUT/cases/NAME/training`, a run folder too, or where it is told a caption, in
/// `training-captioned-imagic`.
struct CaseRun {
  let editCase: EditCase
  let method: BenchMethod
  let settings: CaseSettings
  let baseDigest: String
  let size: PictureSize
  let subject: String

  private var kept: KeptRun { kept(method.rawValue) }
  private var training: KeptRun {
    kept(method.training == .captionedImagic ? "training-captioned-imagic" : "training")
  }
  private func kept(_ name: String) -> KeptRun {
    KeptRun(
      folder: RunFolder(path: "\(settings.out)/cases/\(editCase.name)/\(name)"), settings: settings,
      baseDigest: baseDigest)
  }

  /// The result, from the folder or made now.
  /// - Returns: whether it was there already, too.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to stop.
  func result() throws -> (result: CaseResult, isOld: Bool) {
    let kept = kept
    let run = kept.stageRun(method.request(for: editCase, settings.request), subject: subject)
    let truth = try truth()
    let identity = try kept.identity(
      run, size: size, files: [editCase.input, editCase.target, editCase.mask].compactMap { $0 })
    let (result, isOld) = try kept.result(of: identity) {
      if method.edits == .imagic { try train(for: run) }
      try GenerateStage.run(run)
      return try measure(identity.settings, truth)
    }
    if !isOld { Self.removeCheckpoints(in: run.folder) }
    return (result, isOld)
  }

  /// Trains, or takes what was trained for the case already, and lends the run's folder the checkpoints.
  private func train(for run: StageRun) throws {
    let training = training.stageRun(
      (method.training ?? method).request(for: editCase, settings.request), subject: subject)
    // What another bench has left here may be of other settings.
    try self.training.begin(
      self.training.identity(
        training, size: size, files: BenchMethod.imagic.inputs(of: editCase)))
    try EmbeddingStage.run(training)
    try WeightsStage.run(training)
    for (own, lent) in [
      (training.folder.embedding, run.folder.embedding),
      (training.folder.weights, run.folder.weights),
    ] {
      try? FileManager.default.removeItem(atPath: lent)
      // Checkpoints are only ever replaced as a whole, so that a second name for one is as good as a copy.
      try FileManager.default.linkItem(atPath: own, toPath: lent)
    }
  }

  /// Removes the checkpoints that all methods of the case have shared, once their edits are made.
  func removeCheckpoints() { Self.removeCheckpoints(in: training.folder) }

  private static func removeCheckpoints(in folder: RunFolder) {
    for file in [folder.embedding, folder.weights] {
      try? FileManager.default.removeItem(atPath: file)
    }
  }

  /// - Throws: `EditingError` or `ImageError`, where the case is no good.
  private func truth() throws -> EditTruth {
    let pictures = try editCase.pictures(at: size)
    let truth = EditTruth(
      input: pictures.input, target: pictures.target, mask: pictures.mask,
      distance: settings.learned.distance.map { metric in { metric($0, $1) } },
      features: settings.learned.classifier.map { network in { network.logits(of: $0) } })
    guard pictures.target == nil || truth.change ?? 0 > 1 else {
      throw EditingError(
        .badData,
        "\(editCase.path): found a target that is no other than the input where it may be")
    }
    return truth
  }

  private func measure(_ settings: EditSettings, _ truth: EditTruth) throws -> CaseResult {
    let folder = kept.folder
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
      ? Array(Manifest.read(training.folder.manifest).manifest.stages.values) : []
    return CaseResult(
      name: editCase.name, kind: editCase.kind, method: method, points: points,
      reconstruction: reconstructions.mean,
      overlap: try overlap(truth),
      suggested: method == method.training
        ? stages[Stage.interpolateGenerate.rawValue]?.suggestion?.alpha : nil,
      gradientSteps: try steps(),
      seconds: (Array(stages.values) + trainings).reduce(0) { $0 + $1.seconds })
  }

  /// How many steps were trained, by the checkpoints: a run that was killed may lack an entry in the manifest.
  private func steps() throws -> Int {
    guard method.edits == .imagic else { return 0 }
    return try [kept.folder.embedding, kept.folder.weights].reduce(0) { sum, path in
      try sum + StoreFile.read(path) { _ in false }.integer("step")
    }
  }

  /// How far a mask that the model has found covers what the truth changes; nil where there is none.
  private func overlap(_ truth: EditTruth) throws -> Double? {
    guard method == .autoMaskedImagic, truth.stays.count > 0 else { return nil }
    return Region(white: try Picture(contentsOf: kept.folder.mask)).overlap(with: truth.mayDiffer)
  }
}
