// What the third stage works from: the checkpoints of the two others, or the photograph and the base alone.

import Checkpoints
import Diffusion
import Foundation
import Images

/// The inputs of a sweep, read and checked.
struct EditInputs {
  /// What the two trainings have left.
  struct Tuned {
    let embedding: EmbeddingCheckpoint
    /// Without the optimiser's state; its weights go once the denoiser has them.
    var weights: WeightsCheckpoint
  }

  let settings: EditSettings
  let base: Base
  let baseDigest: String
  /// The fitted photograph.
  let photograph: Picture
  /// SHA-256 of the photograph's file.
  let imageDigest: String
  /// Nil for the methods that take the base as it is.
  var tuned: Tuned?
  /// Nil for edits of the whole photograph.
  var mask: EditMask?
  /// The sentence with other words, by which an automatic mask is looked for, and the SHA-256 of the file that they are
  /// from; nil where none is, or where it is looked for by something else.
  private(set) var words: (replacements: [[String]], digest: String)?

  /// - Throws: an error whose exit code `ExitStatus(of:)` tells.
  static func read(_ run: StageRun) throws -> EditInputs {
    let method = run.method
    var inputs = method == .imagic ? try tuned(run) : try untuned(run, method)
    let settings = inputs.settings
    let generate = settings.generate
    let steps = try inputs.base.schedule.timesteps(generate.steps, of: generate.sampler).count
    _ = try ResamplingSchedule(
      steps: steps, jump: generate.resampleJump, resample: generate.resample)
    inputs.mask = try generate.mask.map { mask in
      try EditMask(
        mask, of: settings, picture: inputs.photograph, imageDigest: inputs.imageDigest)
    }
    try inputs.readWords()
    if !run.restarts { try inputs.readFoundMask(in: run.folder) }
    return inputs
  }

  private mutating func readWords() throws {
    let generate = settings.generate
    guard generate.mask?.source == .automatic, generate.source == nil,
      let replacements = try base.words()?.replacements(in: settings.prompt), !replacements.isEmpty
    else { return }
    let digest = try SHA256Text.digest(ofFile: "\(base.path)/\(BaseWords.file)")
    words = (replacements, digest)
  }

  /// Takes over an automatic mask that the run folder has already.
  private mutating func readFoundMask(in folder: RunFolder) throws {
    guard let notes = maskNotes, let picture = EditNotes.picture(at: folder.mask, notes) else {
      return
    }
    mask?.found(try Mask(picture, name: folder.mask))
  }

  private static func tuned(_ run: StageRun) throws -> EditInputs {
    let embedding = try run.completeEmbedding()
    let weights = try run.completeWeights(of: embedding)
    var settings = try run.laterSettings(embedding, saved: weights)
    settings.generate.method = .imagic
    let base = try Base(path: settings.base)
    let baseDigest = try base.digest()
    try run.checkBasis(embedding, settings: settings, baseDigest: baseDigest)
    return EditInputs(
      settings: settings, base: base, baseDigest: baseDigest, photograph: embedding.picture,
      imageDigest: embedding.header.imageDigest,
      tuned: Tuned(embedding: embedding, weights: weights))
  }

  /// By the request or the flags; where neither names a photograph, by what the run folder's embedding.h5 holds.
  private static func untuned(_ run: StageRun, _ method: EditMethod) throws -> EditInputs {
    let isSaved =
      run.askedImage == nil && FileManager.default.fileExists(atPath: run.folder.embedding)
    let saved = try isSaved ? EmbeddingCheckpoint(contentsOf: run.folder.embedding) : nil
    var settings = try run.settings(saved: saved?.header.settings)
    settings.generate.method = method
    let base = try Base(path: settings.base)
    let size = settings.size ?? base.defaultSize
    settings.size = size
    try base.check(size)
    let (photograph, imageDigest): (Picture, String)
    if let saved, size == PictureSize(of: saved.picture), settings.fit == saved.header.settings.fit
    {
      (photograph, imageDigest) = (saved.picture, saved.header.imageDigest)
    } else {
      (photograph, imageDigest) = try Picture.fitted(
        contentsOf: settings.image, to: size, by: settings.fit)
    }
    return EditInputs(
      settings: settings, base: base, baseDigest: try base.digest(), photograph: photograph,
      imageDigest: imageDigest)
  }

  /// What the PNG of an automatic mask says; nil where there is none.
  var maskNotes: EditNotes? {
    settings.generate.mask?.source == .automatic
      ? notes(EditPlace(value: nil, seed: nil, name: "mask"), atFullSize: false).ofMask : nil
  }

  /// What the PNG of an edit says.
  func notes(_ place: EditPlace, atFullSize: Bool) -> EditNotes {
    let generate = settings.generate
    let isResampled = generate.resample > 1
    // A caption stands for the photograph where it is inverted, and where the edit's mask is looked for.
    var mask = mask?.notes(atFullSize: atFullSize, seed: settings.seed)
    mask?.words = words?.digest
    let needsSource = generate.method == .ddimInversion || generate.mask?.source == .automatic
    return EditNotes(
      method: generate.method == .imagic ? nil : generate.method,
      alpha: generate.method == .imagic ? place.value : nil,
      strength: generate.method == .sdedit ? place.value : nil, seed: place.seed,
      prompt: settings.prompt,
      source: needsSource ? generate.source : nil,
      sampler: generate.sampler == .ddim ? nil : generate.sampler, steps: generate.steps,
      guidanceScale: generate.guidanceScale(on: place.value),
      guidanceCourse: generate.guidesFromPhotograph ? .fromPhotograph : nil,
      start: generate.method == .imagic ? generate.start : nil,
      details: generate.restoresDetails ? .photograph : nil,
      resample: isResampled ? generate.resample : nil,
      resampleJump: isResampled ? generate.resampleJump : nil,
      mask: mask,
      image: atFullSize ? imageDigest : nil,
      weights: tuned?.weights.digest,
      photograph: tuned == nil ? SHA256Text.digest(of: photograph.pixels) : nil, base: baseDigest)
  }
}

extension Picture {
  /// A photograph's file at a model's size, and the SHA-256 of the file.
  /// - Throws: `ImageError`.
  static func fitted(contentsOf path: String, to size: PictureSize, by fit: Fit) throws -> (
    picture: Picture, digest: String
  ) {
    let bytes = try Picture.bytes(ofFile: path)
    let picture = try Picture(decoding: bytes, name: path)
    return (
      picture.fitted(width: size.width, height: size.height, by: fit), SHA256Text.digest(of: bytes)
    )
  }
}

extension PictureSize {
  init(of picture: Picture) { self.init(width: picture.width, height: picture.height) }
}
