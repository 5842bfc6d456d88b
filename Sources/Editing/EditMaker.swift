// From the inputs of a sweep to the latents of its edits.

import Diffusion
import Images
import Models
import Tensors

/// Makes the edits of one sweep. What it reads the weights of is given back when it goes.
struct EditMaker {
  private let settings: GenerateSettings
  private var sampler: Sampler
  /// The sentence's embedding, `[1, tokens, width]`.
  private let target: Tensor
  /// That of the caption which the photograph's embedding was optimised from, `[1, tokens, width]`; nil where it was the
  /// sentence.
  private var caption: Tensor?
  /// That of the photograph, which its inversion is made under, `[1, tokens, width]`.
  private let source: Tensor
  /// What an automatic mask is looked for against: the photograph's caption where there is one; else the sentence with other
  /// words, where the base says which can stand for one another; else `source`.
  private let reference: MaskFinder.Reference
  private let base: Base
  /// The photograph's latent, `[1, height, width, channels]`; nil where no edit starts from it or keeps any of it.
  private let latent: Tensor?
  /// The fitted photograph's size.
  private let size: PictureSize
  /// The shape of a latent, `[1, height, width, channels]`.
  private let shape: Shape
  /// The photograph's inversion once it is made, from the cleanest latent to the noisiest.
  private var inversion: [Tensor] = []
  /// Where the latent may change, `[1, height, width, 1]`; nil for everywhere.
  private var mask: Tensor?

  /// - Parameter warn: told what is cut off a sentence that is too long.
  /// - Throws: `EditingError` or `LoadingError`.
  init(_ inputs: inout EditInputs, in folder: RunFolder, warn: (String) -> Void) throws {
    settings = inputs.settings.generate
    base = inputs.base
    // The photograph's latent first: the autoencoder's memory is given back before the denoiser takes its own.
    let needsLatent =
      settings.inverts || settings.method == .sdedit || settings.mask != nil
      || settings.restoresDetails
    latent = try needsLatent ? base.latent(of: inputs.photograph) : nil
    size = PictureSize(of: inputs.photograph)
    shape = try base.latentShape(of: inputs.photograph)
    // Imagic's first stage has told what is amiss with the sentence.
    let sentence = inputs.tuned == nil ? [inputs.settings.prompt] : []
    let (embeddings, warnings) = try base.embeddings(of: ["", settings.source ?? ""] + sentence)
    warnings.forEach(warn)
    let (empty, caption) = (embeddings.slice(0..<1), embeddings.slice(1..<2))
    if let embedding = inputs.tuned?.embedding {
      (target, source) = (Self.batch(embedding.target), Self.batch(embedding.optimized))
      self.caption = embedding.start.map { Self.batch($0.embedding) }
    } else {
      (target, source) = (embeddings.slice(2..<3), caption)
    }
    reference = try Self.reference(inputs, caption: caption, source: source)
    let unet = try base.folder.unet()
    if let weights = inputs.tuned?.weights {
      try unet.load(weights, from: folder.weights)
      inputs.tuned?.weights.weights = [:]
    }
    StoragePool.shared.trim()
    sampler = Sampler(
      unet: unet, schedule: base.schedule, method: settings.sampler, steps: settings.steps,
      resample: settings.resample, resampleJump: settings.resampleJump, guidanceScale: 1,
      unconditional: settings.guidesFromPhotograph ? source : empty)
  }

  private static func batch(_ embedding: Tensor) -> Tensor {
    embedding.reshaped(Shape([1] + embedding.shape.array))
  }

  private static func reference(_ inputs: EditInputs, caption: Tensor, source: Tensor) throws
    -> MaskFinder.Reference
  {
    if inputs.settings.generate.source != nil { return .embedding(caption) }
    guard let words = inputs.words else { return .embedding(source) }
    return .words(
      try words.replacements.map { try inputs.base.embeddings(of: $0).tensor })
  }

  /// How often the search for a mask calls back.
  var stepsOfMask: Int { MaskFinder.steps(reference) }

  /// How often the denoiser is asked before the first edit.
  var stepsBefore: Int { settings.inverts ? settings.steps : 0 }

  /// How often the denoiser is asked for an edit.
  /// - Throws: `ScheduleError`.
  func steps(of edit: Edit) throws -> Int {
    let strength = settings.method == .sdedit ? edit.place.value ?? 1 : 1
    return try sampler.calls(in: sampler.timesteps(strength: strength).count)
  }

  /// Finds the mask of the edits.
  /// - Parameters:
  ///   - seed: of the noise that it is looked for in.
  ///   - afterStep: called as often as `stepsOfMask` says; what it throws ends the search.
  /// - Throws: what `afterStep` throws; `LoadingError`.
  func findMask(_ mask: MaskSettings, seed: UInt64, afterStep: () throws -> Void) throws -> Mask {
    guard let latent else { preconditionFailure("masked edits without the photograph's latent") }
    var unet = sampler.unet
    // Tuned, the denoiser gives the photograph back whatever the sentence says of it.
    if case .words = reference { unet = try base.folder.unet() }
    let finder = MaskFinder(
      unet: unet, schedule: sampler.schedule, target: target, reference: reference)
    let differences = try finder.differences(in: latent, seed: seed, afterStep: afterStep)
    return MaskFinder.mask(
      of: differences, threshold: mask.threshold, grow: mask.grow, width: size.width,
      height: size.height)
  }

  /// Keeps the photograph's latent where a mask of the fitted photograph is black.
  mutating func keep(outside mask: Mask) { self.mask = mask.latent(factor: mask.width / shape[2]) }

  /// Makes the photograph's inversion, where edits start from it.
  /// - Throws: `ScheduleError`, and what `afterStep` throws.
  mutating func prepare(afterStep: () throws -> Void) throws {
    guard settings.inverts, let latent else { return }
    inversion = try sampler.inversion(of: latent, embedding: source, afterStep: afterStep)
  }

  /// The latent of an edit.
  /// - Throws: `ScheduleError`, and what `afterStep` throws.
  mutating func latent(of edit: Edit, afterStep: () throws -> Void) throws -> Tensor {
    sampler.guidanceScale = settings.guidanceScale(on: edit.place.value)
    let seed = edit.place.seed ?? 0
    let start = inversion.last ?? noise(seed)
    let known = knownPart(seed)
    switch settings.method {
    case .imagic:
      return try sampler.latent(
        from: start, embedding: between(edit.place.value ?? 0), seed: seed, keeping: known,
        afterStep: afterStep)
    case .ddimInversion, .sample:
      return try sampler.latent(
        from: start, embedding: target, seed: seed, keeping: known, afterStep: afterStep)
    case .sdedit:
      return try sampler.latent(
        of: latent ?? start, noise: start, strength: edit.place.value ?? 1, embedding: target,
        seed: seed, keeping: known, afterStep: afterStep)
    }
  }

  /// What the mask keeps, with the noise that the photograph's inversion has found, or new noise where there is none.
  private func knownPart(_ seed: UInt64) -> KnownPart? {
    guard let mask, let latent else { return nil }
    return inversion.isEmpty
      ? KnownPart(latent, mask: mask, seed: seed)
      : KnownPart(latent, mask: mask, inversion: inversion)
  }

  /// What the photograph's latent has lost of it; nil where the edits don't get it back.
  func details(by autoencoder: AutoencoderKL, of photograph: Picture) -> PhotographDetails? {
    guard settings.restoresDetails, let latent else { return nil }
    return PhotographDetails(of: photograph, latent: latent, autoencoder: autoencoder)
  }

  /// Takes three steps of the sampler, to tell how long one takes, and gives a latent.
  /// - Parameter isGuided: whether each step asks the denoiser twice.
  func trial(isGuided: Bool, afterStep: () throws -> Void) throws -> Tensor {
    var short = sampler
    short.steps = 3
    short.guidanceScale = isGuided ? 2 : 1
    return try short.latent(from: noise(0), embedding: target, afterStep: afterStep)
  }

  /// `alpha * target + (1 - alpha) * source`, `[1, tokens, width]` (Kawar et al. 2023, equation 3). Where the source was
  /// optimised from a caption, `source + alpha * (target - caption)`: what the optimisation has added to the caption is of
  /// the photograph and stays, and only what the sentence changes in it is changed.
  private func between(_ alpha: Double) -> Tensor {
    guard let caption else {
      return Tensor.combination(Float(alpha), target, Float(1 - alpha), source)
    }
    return source + Float(alpha) * (target - caption)
  }

  /// The noise of a seed in the latent's shape.
  private func noise(_ seed: UInt64) -> Tensor {
    Philox(seed: seed, stream: .samplingNoise).normal(shape)
  }
}

extension Base {
  /// The shape of a picture's latent, `[1, height / factor, width / factor, channels]`.
  /// - Throws: `LoadingError`.
  func latentShape(of picture: Picture) throws -> Shape {
    let form = try folder.autoencoderConfiguration()
    return [1, picture.height / form.factor, picture.width / form.factor, form.latentChannels]
  }
}
