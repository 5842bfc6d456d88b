// What was asked for: the keys of an edit request, of a base's defaults, or of the flags. Any of them may be absent;
// EditSettings is what is left when nothing is.

import Foundation
import Images

/// Coded by its name, as in a request.
extension Fit: Codable {}

/// What the sampling starts from.
public enum SamplingStart: String, Codable, CaseIterable, Sendable {
  /// Noise of the seed, as in the paper.
  case noise
  /// The DDIM inversion of the photograph under the tuned model and the optimised embedding.
  case inversion
}

/// What walks from noise to a picture.
public enum SamplingMethod: String, Codable, CaseIterable, Sendable {
  case ddim
  /// Ancestral: draws new noise at every step, so that even from the photograph's inversion each seed gives another edit.
  case ddpm
  /// Needs fewer steps; started from the photograph's inversion, comes back to it less exactly.
  case dpmSolver = "dpm-solver++"
}

/// How the guidance scale depends on alpha.
public enum GuidanceCourse: String, Codable, CaseIterable, Sendable {
  /// The same at every alpha, as in the paper.
  case constant
  /// From 1 at alpha 0 to the guidance scale at alpha 1, so that alpha 0 stays the photograph: guidance pushes the
  /// prediction away from that of no sentence, and so the picture away from the photograph.
  case rising
  /// The same at every alpha but 0, and of Imagic's edits away from the prediction for the photograph's own embedding in
  /// the place of that for no sentence: it strengthens what the edit changes and nothing else.
  case fromPhotograph = "from-photograph"
}

/// Whose the fine details are of what an edit leaves as it was.
public enum Details: String, Codable, CaseIterable, Sendable {
  /// What the autoencoder makes of the edit's latent, as in the paper.
  case model
  /// The photograph's own, where the edit has not changed it.
  case photograph
}

/// What the fine-tuning changes.
public enum Tuning: String, Codable, CaseIterable, Sendable {
  /// All weights of the denoiser, as in the paper.
  case all
  /// A change of low rank beside them (Hu et al. 2021).
  case lora
}

/// The size of a picture in pixels.
public struct PictureSize: Hashable, Sendable, CustomStringConvertible {
  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  public var description: String { "\(width)x\(height)" }
}

extension PictureSize: Codable {
  /// Coded as `[width, height]`, as in a request.
  public init(from decoder: any Decoder) throws {
    var values = try decoder.unkeyedContainer()
    self.init(width: try values.decode(Int.self), height: try values.decode(Int.self))
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.unkeyedContainer()
    try values.encode(width)
    try values.encode(height)
  }
}

/// Settings of an edit of which any may be absent, in the order of a request's keys.
public struct EditRequest: Equatable, Sendable {
  /// Settings of one of the two training stages.
  public struct Training: Equatable, Sendable {
    public var steps: Int?
    public var learningRate: Double?
    public var batch: Int?
    public var untilLoss: Double?
    /// Of the first stage alone.
    public var frozenPrecision: FrozenPrecision?
    /// A caption of the photograph, `auto`, or `none`; of the first stage alone.
    public var source: String?

    public init(
      steps: Int? = nil, learningRate: Double? = nil, batch: Int? = nil, untilLoss: Double? = nil,
      frozenPrecision: FrozenPrecision? = nil, source: String? = nil
    ) {
      self.steps = steps
      self.learningRate = learningRate
      self.batch = batch
      self.untilLoss = untilLoss
      self.frozenPrecision = frozenPrecision
      self.source = source
    }
  }

  /// What the fine-tuning changes.
  public struct LowRank: Equatable, Sendable {
    public var tune: Tuning?
    public var rank: Int?
    /// Whether the residual blocks' convolutions are changed too.
    public var convolutions: Bool?

    public init(tune: Tuning? = nil, rank: Int? = nil, convolutions: Bool? = nil) {
      self.tune = tune
      self.rank = rank
      self.convolutions = convolutions
    }
  }

  /// Settings of the sweep.
  public struct Generation: Equatable, Sendable {
    public var method: EditMethod?
    public var alphas: [Double]?
    public var strengths: [Double]?
    public var guidanceScales: [Double]?
    /// A caption of the photograph.
    public var source: String?
    public var seeds: [UInt64]?
    public var sampler: SamplingMethod?
    public var steps: Int?
    public var guidanceScale: Double?
    public var guidanceCourse: GuidanceCourse?
    public var start: SamplingStart?
    public var details: Details?
    /// How often each stretch of the sampling is gone through.
    public var resample: Int?
    public var resampleJump: Int?
    /// Whether one of the alphas is suggested.
    public var suggests: Bool?

    public init(
      method: EditMethod? = nil, alphas: [Double]? = nil, strengths: [Double]? = nil,
      guidanceScales: [Double]? = nil, source: String? = nil, seeds: [UInt64]? = nil,
      sampler: SamplingMethod? = nil, steps: Int? = nil, guidanceScale: Double? = nil,
      guidanceCourse: GuidanceCourse? = nil, start: SamplingStart? = nil, details: Details? = nil,
      resample: Int? = nil, resampleJump: Int? = nil, suggests: Bool? = nil
    ) {
      self.method = method
      self.alphas = alphas
      self.strengths = strengths
      self.guidanceScales = guidanceScales
      self.source = source
      self.seeds = seeds
      self.sampler = sampler
      self.steps = steps
      self.guidanceScale = guidanceScale
      self.guidanceCourse = guidanceCourse
      self.start = start
      self.details = details
      self.resample = resample
      self.resampleJump = resampleJump
      self.suggests = suggests
    }
  }

  /// Settings of masked edits.
  public struct Masking: Equatable, Sendable {
    /// The word that takes back a mask which a weaker layer has.
    public static let noMask = "none"

    /// Absolute path of a picture, `auto`, or `none`.
    public var mask: String?
    public var feather: Int?
    public var fullSize: Bool?
    public var threshold: Double?
    public var grow: Int?

    public init(
      mask: String? = nil, feather: Int? = nil, fullSize: Bool? = nil, threshold: Double? = nil,
      grow: Int? = nil
    ) {
      self.mask = mask
      self.feather = feather
      self.fullSize = fullSize
      self.threshold = threshold
      self.grow = grow
    }
  }

  /// Absolute path of the photograph.
  public var image: String?
  public var prompt: String?
  /// Absolute path of the base's folder.
  public var base: String?
  public var seed: UInt64?
  public var fit: Fit?
  public var size: PictureSize?
  public var embedding = Training()
  public var finetune = Training()
  /// Keys of `finetune` as well.
  public var lowRank = LowRank()
  public var generate = Generation()
  /// Keys of `generate` as well.
  public var masking = Masking()

  public init() {}
}

extension EditRequest {
  /// Reads an edit request (YAML). Paths in it are relative to the file.
  /// - Throws: `EditingError`: `noInput` where the file can't be read, `badData` where a key or value is wrong.
  public init(requestAt path: String) throws {
    let file = try SettingsFile(path: path)
    let top = try file.top(keys: [
      "image", "prompt", "mask", "base", "seed", "fit", "size", "embedding", "finetune", "generate",
    ])
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    func absolute(_ path: String) -> String {
      URL(fileURLWithPath: path, relativeTo: folder).standardizedFileURL.path
    }
    image = try top.text("image", .path).map(absolute)
    prompt = try top.text("prompt", .prompt)
    base = try top.text("base", .path).map(absolute)
    seed = try top.seed("seed")
    fit = try top.choice("fit")
    size = try top.size("size")
    try readSections(of: top, ofEdit: ["method", "source", "mask"])
    if let mask = try top.text("mask", .path) {
      guard masking.mask == nil else {
        throw EditingError(
          .badData, "\(path): found mask both by itself and in generate, wanted one of them")
      }
      masking.mask = mask
    }
    masking.mask = masking.mask.map { Self.maskPath($0, absolute: absolute) }
  }

  /// A mask's place with its path made absolute; the words `auto` and `none` are no paths.
  public static func maskPath(_ mask: String, absolute: (String) -> String) -> String {
    mask == MaskSource.automaticName || mask == Masking.noMask ? mask : absolute(mask)
  }

  /// Reads a base's own defaults, `imagic.json` in its folder; none where there is no such file.
  /// - Throws: `EditingError`: `badData` where a key or value is wrong.
  public init(defaultsOfBase folder: String) throws {
    let path = URL(fileURLWithPath: folder).appendingPathComponent("imagic.json").relativePath
    guard FileManager.default.fileExists(atPath: path) else { return }
    let file = try SettingsFile(path: path)
    try readSections(of: try file.top(keys: ["embedding", "finetune", "generate"]), ofEdit: [])
  }

  /// - Parameter ofEdit: the keys of `generate` that are of one edit, which no base has defaults for.
  private mutating func readSections(of top: SettingsMapping, ofEdit: [String]) throws {
    let keys = ["steps", "learning-rate", "batch", "until-loss"]
    func training(_ section: SettingsMapping?) throws -> Training {
      guard let section else { return Training() }
      return Training(
        steps: try section.whole("steps", .steps),
        learningRate: try section.number("learning-rate", .learningRate),
        batch: try section.whole("batch", .batch),
        untilLoss: try section.number("until-loss", .untilLoss))
    }
    let embeddingSection = try top.section(
      "embedding", keys: keys + ["frozen-precision", "source"])
    embedding = try training(embeddingSection)
    embedding.frozenPrecision = try embeddingSection?.choice("frozen-precision")
    embedding.source = try embeddingSection?.text("source", .prompt)
    let lowRankKeys = ["tune", "rank", "lora-convolutions"]
    let section = try top.section("finetune", keys: keys + lowRankKeys)
    finetune = try training(section)
    lowRank = LowRank(
      tune: try section?.choice("tune"), rank: try section?.whole("rank", .rank),
      convolutions: try section?.truth("lora-convolutions"))
    let generateKeys = [
      "alphas", "strengths", "guidance-scales", "seeds", "sampler", "steps", "guidance-scale",
      "guidance-course", "start", "details", "resample", "resample-jump", "feather", "full-size",
      "mask-threshold", "mask-grow", "suggest",
    ]
    if let section = try top.section("generate", keys: ofEdit + generateKeys) {
      generate = Generation(
        method: try section.choice("method"),
        alphas: try section.numbers("alphas", .alphas),
        strengths: try section.numbers("strengths", .strengths),
        guidanceScales: try section.numbers("guidance-scales", .guidanceScales),
        source: try section.text("source", .prompt),
        seeds: try section.seeds("seeds", .seeds),
        sampler: try section.choice("sampler"),
        steps: try section.whole("steps", .samplingSteps),
        guidanceScale: try section.number("guidance-scale", .guidanceScale),
        guidanceCourse: try section.choice("guidance-course"),
        start: try section.choice("start"),
        details: try section.choice("details"),
        resample: try section.whole("resample", .resample),
        resampleJump: try section.whole("resample-jump", .samplingSteps),
        suggests: try section.truth("suggest"))
      masking = Masking(
        mask: try section.text("mask", .path), feather: try section.whole("feather", .feather),
        fullSize: try section.truth("full-size"),
        threshold: try section.number("mask-threshold", .maskThreshold),
        grow: try section.whole("mask-grow", .feather))
    }
  }
}
