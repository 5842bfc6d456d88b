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
    try run.alone(needsFolder: run.method == .imagic) {
      var work = try Work(run)
      try work.perform()
    }
  }

  /// The settings that the stage works by, as a text that changes exactly when it has to run again for them.
  public static func printedSettings(_ run: StageRun) throws -> String {
    struct Printed: Encodable {
      let settings: GenerateSettings
      let edit: EditSettings?
      let files: [String: String]
    }
    var edit = try run.settings(saved: nil)
    let settings = edit.generate
    var paths: [String] = []
    if case .file(let path)? = settings.mask?.source { paths.append(path) }
    // What Imagic edits, and with which base, is what the stages before it have read.
    let isAlone = settings.method != .imagic
    if isAlone {
      let neutral = EditSettings(published: edit.image, prompt: edit.prompt, base: edit.base)
      (edit.embedding, edit.finetune) = (neutral.embedding, neutral.finetune)
      paths += [edit.image] + FileStates.files(inBase: edit.base)
    }
    return try SettingsJSON.encode(
      Printed(settings: settings, edit: isAlone ? edit : nil, files: FileStates.of(paths)),
      pretty: true)
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
        Edit(
          place: place,
          file: Edit.File(
            path: run.folder.file(place.file), notes: inputs.notes(place, atFullSize: false)),
          fullSize: inputs.mask?.photograph.map { _ in
            Edit.File(
              path: run.folder.file(place.fullSizeFile),
              notes: inputs.notes(place, atFullSize: true))
          })
      }
    }

    private var lacksMask: Bool { inputs.mask.map { $0.framed == nil } ?? false }

    mutating func perform() throws {
      let missing = edits.filter { run.restarts || $0.file.picture == nil }
      warnOfWhatIsNotUsed()
      if run.isDry {
        try plan(missing)
        return
      }
      let began = Resources.seconds
      if inputs.mask?.framed?.picture.isWhite == true {
        run.report(.warning("the mask is white all over: nothing of the photograph is kept"))
      }
      var isComplete = missing.isEmpty && !lacksMask
      if !isComplete {
        try run.tell(settings)
        try run.folder.createEdits()
        try make(missing)
      }
      if try writeFullSizes(anew: Set(missing.map(\.file.path))) { isComplete = false }
      if isComplete { run.report(.note("\(run.folder.edits) is complete")) }
      let pictures = try edits.map { edit in
        try edit.file.picture ?? Picture(contentsOf: edit.file.path)
      }
      let suggestion = try suggestion(pictures)
      try writeContactSheet(pictures, suggestion)
      let seconds = Resources.seconds - began
      let files = [contactSheet] + edits.flatMap { [$0.file, $0.fullSize].compactMap { $0?.path } }
      // A run that was killed when all was made has not been entered.
      let entered = Manifest.read(run.folder.manifest).manifest.entry(of: stage, settings)
      if !isComplete || entered?.settings != settings || entered?.suggestion != suggestion {
        try enter(suggestion, seconds: seconds)
      }
      run.report(
        .finished(
          StageResult(
            stage: stage, files: files, step: edits.count, steps: edits.count, seconds: seconds,
            peakMemory: Resources.peakMemory, suggestedAlpha: suggestion?.alpha)))
    }

    /// Lists that were asked for and that the method doesn't go over.
    private func warnOfWhatIsNotUsed() {
      let (asked, method) = (run.flags.generate, settings.generate.method)
      let lists: [(flag: String, isGiven: Bool, method: EditMethod)] = [
        ("--alphas", asked.alphas != nil, .imagic),
        ("--strengths", asked.strengths != nil, .sdedit),
        ("--guidance-scales", asked.guidanceScales != nil, .ddimInversion),
      ]
      for list in lists where list.isGiven && list.method != method {
        run.report(
          .warning(
            "\(list.flag) is not used: it is of --method \(list.method.rawValue), and this is "
              + method.rawValue))
      }
      let seeds = asked.seeds ?? run.request?.generate.seeds ?? []
      if seeds.count > 1, settings.generate.noiseSeeds == [nil] {
        run.report(
          .warning(
            "there is one row of edits for all \(seeds.count) seeds: they start from the photograph's "
              + "inversion, and nothing is drawn"))
      }
    }

    private mutating func make(_ missing: [Edit]) throws {
      var maker = try maker()
      var done = 0
      let total = try steps(missing, maker)
      func afterStep(of name: String, made: Int) throws {
        done += 1
        run.report(
          .progress(StageProgress(stage: stage, step: done, steps: total, subject: name)))
        if done < total, run.shouldStop() {
          throw run.stopped("with \(made) of \(missing.count) edits made in \(run.folder.edits)")
        }
      }
      if lacksMask {
        let mask = try findMask(maker) { try afterStep(of: "the mask", made: 0) }
        inputs.mask?.found(mask)
      }
      guard !missing.isEmpty else { return }
      if let mask = inputs.mask?.framed { maker.keep(outside: mask.picture) }
      let joiner = inputs.mask.flatMap { EditJoiner($0, picture: inputs.photograph) }
      try maker.prepare { try afterStep(of: "the photograph's inversion", made: 0) }
      let autoencoder = try inputs.base.folder.autoencoder()
      let details = maker.details(by: autoencoder, of: inputs.photograph)
      for (index, edit) in missing.enumerated() {
        let latent = try maker.latent(of: edit) { try afterStep(of: edit.place.name, made: index) }
        guard latent.isFinite else {
          throw EditingError(
            .internalError,
            "\(edit.file.path): \(edit.place.name) gave a latent that is not finite; it was not saved"
          )
        }
        let image = autoencoder.image(of: latent)
        guard image.isFinite else {
          throw EditingError(
            .internalError,
            "\(edit.file.path): \(edit.place.name) gave a picture that is not finite; it was not saved"
          )
        }
        let decoded = try Picture(details?.restored(in: image) ?? image)
        try write(joiner?.joined(decoded) ?? decoded, edit.file.notes, to: edit.file.path)
      }
    }

    /// How often the denoiser is asked for the mask, where it is to be found, and for edits.
    private func steps(_ missing: [Edit], _ maker: EditMaker) throws -> Int {
      let before = (lacksMask ? maker.stepsOfMask : 0) + (missing.isEmpty ? 0 : maker.stepsBefore)
      return try missing.reduce(before) { try $0 + maker.steps(of: $1) }
    }

    /// Finds the automatic mask, and saves it.
    private func findMask(_ maker: EditMaker, afterStep: () throws -> Void) throws -> Mask {
      guard let settings = inputs.mask?.settings, let notes = inputs.maskNotes else {
        preconditionFailure("no mask is to be found")
      }
      let mask = try maker.findMask(settings, seed: self.settings.seed, afterStep: afterStep)
      guard !mask.isBlack else {
        throw EditingError(
          .badData,
          "--mask auto: found no place where the sentence differs from the photograph"
            + (settings.threshold.map { " by a threshold of \($0)" } ?? "")
            + ", wanted \(settings.threshold == nil ? "" : "a lower --mask-threshold or ")"
            + "a mask of your own")
      }
      // It may have been corrected by hand.
      if FileManager.default.fileExists(atPath: run.folder.mask) {
        try AtomicFile.keepPrevious(run.folder.mask)
        run.report(.note("the mask that was there is kept as \(run.folder.mask).previous"))
      }
      try write(mask.picture, notes, to: run.folder.mask)
      return mask
    }

    /// Writes the edits at the photograph's own size that are not there yet.
    /// - Parameter anew: the paths of the edits that were made now.
    /// - Returns: whether there were any.
    private func writeFullSizes(anew: Set<String>) throws -> Bool {
      let missing = edits.filter { edit in
        edit.fullSize.map { anew.contains(edit.file.path) || $0.picture == nil } ?? false
      }
      guard !missing.isEmpty, let mask = inputs.mask,
        let joiner = EditJoiner(mask, picture: inputs.photograph)
      else { return false }
      for edit in missing {
        guard let file = edit.fullSize,
          let whole = joiner.joinedAtFullSize(try Picture(contentsOf: edit.file.path))
        else { continue }
        try write(whole, file.notes, to: file.path)
      }
      return true
    }

    private func write(_ picture: Picture, _ notes: EditNotes, to path: String) throws {
      try AtomicFile.write(picture.png(text: try notes.chunks), to: path)
      run.report(.wrote(file: path))
    }

    private mutating func maker() throws -> EditMaker {
      try EditMaker(&inputs, in: run.folder) { run.report(.warning($0)) }
    }

    /// Whether the edits are to be measured.
    private var isMeasured: Bool {
      settings.generate.suggests && inputs.tuned != nil && settings.generate.alphas.count > 1
    }

    /// The alpha to look at first, from the run folder or measured now; nil where none is wanted or there is no choice.
    private func suggestion(_ pictures: [Picture]) throws -> AlphaSuggestion? {
      guard isMeasured else { return nil }
      var file = SuggestionFile.read(run.folder.suggestion, of: edits)
      if file == nil || run.restarts {
        let measures = try inputs.measures(of: Array(zip(edits, pictures))) { done, all in
          run.report(
            .progress(
              StageProgress(stage: stage, step: done, steps: all, subject: "the suggested alpha")))
          if done < all, run.shouldStop() {
            throw run.stopped("with all edits made in \(run.folder.edits)")
          }
        }
        let made = SuggestionFile(
          edits: try SuggestionFile.digest(of: edits), suggestion: AlphaSuggestion(measures))
        try made.write(to: run.folder.suggestion)
        file = made
      }
      guard let suggestion = file?.suggestion else { return nil }
      run.report(.note("suggested alpha: \(NumberList.label(suggestion.alpha))"))
      for warning in suggestion.warnings { run.report(.warning(warning)) }
      return suggestion
    }

    private func writeContactSheet(_ pictures: [Picture], _ suggestion: AlphaSuggestion?) throws {
      var sheet = ContactSheet(
        settings, photograph: inputs.photograph, mask: inputs.mask?.framed?.picture.picture,
        pictures: pictures)
      sheet.mark = suggestion.flatMap { suggestion in
        settings.generate.alphas.firstIndex(of: suggestion.alpha).map {
          ContactSheet.Mark(column: $0, label: suggestion.isWeak ? "suggested (weak)" : "suggested")
        }
      }
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
        // A step with guidance asks the denoiser twice, as a noise level of a measured edit does.
        var guided = try missing.filter { isGuided($0) }.reduce(0) { try $0 + maker.steps(of: $1) }
        let others = try self.steps(missing, maker) - guided
        if isMeasured { guided += edits.count * EditMeter.levels }
        steps = guided + others
        let autoencoder = try inputs.base.folder.autoencoder()
        var latent: Tensor?
        for (count, isGuided) in [(others, false), (guided, true)] where count > 0 {
          var marks: [Double] = []
          latent = try maker.trial(isGuided: isGuided) { marks.append(Resources.seconds) }
          seconds += (marks[2] - marks[0]) / 2 * Double(count)
        }
        if let latent {
          let began = Resources.seconds
          _ = autoencoder.image(of: latent)
          seconds += (Resources.seconds - began) * Double(missing.count)
        }
      }
      run.report(
        .plan(
          StagePlan(
            stage: stage, step: 0, steps: steps, seconds: seconds,
            memory: Resources.peakMemory)))
    }

    private func isGuided(_ edit: Edit) -> Bool {
      settings.generate.guidanceScale(on: edit.place.value) != 1
    }

    private func maskFile() throws -> Manifest.File? {
      switch settings.generate.mask?.source {
      case .file(let path): Manifest.File(path: path, sha256: inputs.mask?.digest ?? "")
      case .automatic:
        Manifest.File(
          path: run.folder.mask, sha256: try SHA256Text.digest(ofFile: run.folder.mask))
      case nil: nil
      }
    }

    private func enter(_ suggestion: AlphaSuggestion?, seconds: Double) throws {
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
          checkpoints: checkpoints ?? [], mask: try maskFile(),
          step: edits.count, steps: edits.count, complete: true, version: programVersion,
          threads: run.threads, seconds: seconds, peakMemory: Resources.peakMemory,
          suggestion: suggestion),
        begunAnew: true)
    }
  }
}
