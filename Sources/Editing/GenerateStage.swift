// The third stage, `interpolate-generate`: from what the stages before it have left, or from the base as it is, to the
// edits and their contact sheet.

import Checkpoints
import Foundation
import Images
import Models
import Tensors

/// Makes the edits of a sweep: for each alpha and seed, from the tuned denoiser with the embedding between the
/// photograph's and the sentence's (Kawar et al. 2023, section 3.2, C), or those of another ``EditMethod``.
public enum GenerateStage {
  private static let stage = Stage.interpolateGenerate

  /// Runs the stage. Edits that are there already, made with the same settings from the same checkpoints, are kept.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to
  ///   stop. Edits that are done are kept then.
  public static func run(_ run: StageRun) throws {
    try run.alone {
      var work = try Work(run)
      try work.perform()
    }
  }

  /// The settings that the stage works by, as a text that changes exactly when it has to run again for them.
  public static func printedSettings(_ run: StageRun) throws -> String {
    try SettingsJSON.encode(run.settings(saved: nil).generate, pretty: true)
  }

  /// One run, once its inputs are read.
  private struct Work {
    let run: StageRun
    var inputs: EditInputs
    let edits: [Edit]

    var settings: EditSettings { inputs.settings }
    /// Of the method, as the run folder may have those of several.
    var contactSheet: String { run.folder.contactSheet(of: settings.generate.method) }

    init(_ run: StageRun) throws {
      self.run = run
      let inputs = try EditInputs.read(run)
      self.inputs = inputs
      edits = inputs.settings.generate.places.map { place in
        Edit(place: place, path: run.folder.file(place.file), notes: inputs.notes(place))
      }
    }

    mutating func perform() throws {
      let missing = edits.filter { run.restarts || EditNotes.picture(at: $0.path, $0.notes) == nil }
      if run.isDry {
        try plan(missing)
        return
      }
      let began = Resources.seconds
      if missing.isEmpty {
        run.report(.note("\(run.folder.edits) is complete"))
      } else {
        try run.tell(settings)
        try run.folder.createEdits()
        try make(missing)
      }
      try writeContactSheet()
      let seconds = Resources.seconds - began
      let files = [contactSheet] + edits.map(\.path)
      if !missing.isEmpty { try enter(seconds: seconds) }
      run.report(
        .finished(
          StageResult(
            stage: stage, files: files, step: edits.count, steps: edits.count, seconds: seconds,
            peakMemory: Resources.peakMemory)))
    }

    private mutating func make(_ missing: [Edit]) throws {
      var maker = try maker()
      var done = 0
      let total = try missing.reduce(maker.stepsBefore) { try $0 + maker.steps(of: $1) }
      func afterStep(of name: String, made: Int) throws {
        done += 1
        run.report(
          .progress(StageProgress(stage: stage, step: done, steps: total, subject: name)))
        if done < total, run.shouldStop() {
          throw run.stopped("with \(made) of \(missing.count) edits made in \(run.folder.edits)")
        }
      }
      try maker.prepare { try afterStep(of: "the photograph's inversion", made: 0) }
      let autoencoder = try inputs.base.folder.autoencoder()
      for (index, edit) in missing.enumerated() {
        let latent = try maker.latent(of: edit) { try afterStep(of: edit.place.name, made: index) }
        guard latent.isFinite else {
          throw EditingError(
            .internalError,
            "\(edit.path): \(edit.place.name) gave a latent that is not finite; it was not saved")
        }
        let picture = try Picture(autoencoder.image(of: latent))
        try AtomicFile.write(picture.png(text: try edit.notes.chunks), to: edit.path)
        run.report(.wrote(file: edit.path))
      }
    }

    private mutating func maker() throws -> EditMaker {
      try EditMaker(&inputs, in: run.folder) { run.report(.warning($0)) }
    }

    private func writeContactSheet() throws {
      let pictures = try edits.map { edit in
        try EditNotes.picture(at: edit.path, edit.notes) ?? Picture(contentsOf: edit.path)
      }
      let sheet = ContactSheet(settings, photograph: inputs.photograph, pictures: pictures)
      let bytes = try sheet.render().png(text: [
        PNGText("Software", EditNotes.software), PNGText("Description", settings.prompt),
        PNGText("Settings", try SettingsJSON.encode(settings.shareable)),
      ])
      if FileManager.default.contents(atPath: contactSheet) != Data(bytes) {
        try AtomicFile.write(bytes, to: contactSheet)
        run.report(.wrote(file: contactSheet))
      }
    }

    /// Measures a few steps of the sampler.
    private mutating func plan(_ missing: [Edit]) throws {
      var steps = 0
      var seconds = 0.0
      if !missing.isEmpty {
        let maker = try maker()
        steps = try missing.reduce(maker.stepsBefore) { try $0 + maker.steps(of: $1) }
        let autoencoder = try inputs.base.folder.autoencoder()
        var marks: [Double] = []
        let latent = try maker.trial { marks.append(Resources.seconds) }
        let each = (marks[2] - marks[0]) / 2
        let began = Resources.seconds
        _ = autoencoder.image(of: latent)
        seconds = each * Double(steps) + (Resources.seconds - began) * Double(missing.count)
      }
      run.report(
        .plan(
          StagePlan(
            stage: stage, step: 0, steps: steps, seconds: seconds,
            memory: Resources.peakMemory)))
    }

    private func enter(seconds: Double) throws {
      let checkpoints = try inputs.tuned.map { tuned in
        [
          Manifest.File(
            path: run.folder.embedding, sha256: try SHA256Text.digest(ofFile: run.folder.embedding)
          ),
          Manifest.File(path: run.folder.weights, sha256: tuned.weights.digest ?? ""),
        ]
      }
      run.enter(
        stage,
        Manifest.Entry(
          settings: settings,
          image: Manifest.File(path: settings.image, sha256: inputs.imageDigest),
          base: Manifest.File(path: inputs.base.path, sha256: inputs.baseDigest),
          checkpoints: checkpoints ?? [],
          step: edits.count, steps: edits.count, complete: true, version: programVersion,
          threads: run.threads, seconds: seconds, peakMemory: Resources.peakMemory),
        begunAnew: true)
    }
  }
}
