// Every setting of an edit, none absent: what the stages work by, what is printed before they start and saved with
// what they make.

import Foundation
import Images

/// Settings of one of the two training stages.
public struct TrainingSettings: Codable, Equatable, Sendable {
  public var steps: Int
  /// The step size of Adam.
  public var learningRate: Double
  /// How many timesteps, drawn stratified, a step takes.
  public var batch: Int
  /// The mean of the newest 50 losses at which the training ends before its last step; where absent, it goes to the last.
  public var untilLoss: Double?
  /// How the frozen denoiser's weights are held; absent for single precision, and for the fine-tuning.
  public var frozenPrecision: FrozenPrecision?
  /// A caption of the photograph, from whose embedding the optimisation starts, or `automatic` for one that the base finds
  /// by itself; absent for the sentence's embedding, as in the paper, and for the fine-tuning.
  public var source: String?
  /// What is trained instead of all weights; absent for all of them, and for the embedding.
  public var lora: LoRASettings?

  enum CodingKeys: String, CodingKey {
    case steps
    case learningRate = "learning-rate"
    case batch
    case untilLoss = "until-loss"
    case frozenPrecision = "frozen-precision"
    case source, lora
  }

  /// The word for a caption that the base finds.
  public static let automaticSource = "auto"
  /// The word for no caption.
  public static let noSource = "none"

  /// Whether the losses of the steps done leave nothing to train.
  func isDone(_ losses: [Float]) -> Bool {
    losses.count >= steps || lossGoal?.isReached(by: losses) ?? false
  }

  var lossGoal: LossGoal? { untilLoss.map { LossGoal(loss: $0) } }
}

/// How weights that nothing trains are held in memory.
public enum FrozenPrecision: String, Codable, CaseIterable, Sendable {
  /// Single precision, as they are trained.
  case float32
  /// Half precision, in half the memory.
  case float16
}

/// Settings of a change of low rank.
public struct LoRASettings: Codable, Equatable, Sendable {
  public var rank = 8
  /// Whether the residual blocks' convolutions are changed beside the attentions' projections.
  public var convolutions = false
}

/// Settings of the sweep.
public struct GenerateSettings: Codable, Equatable, Sendable {
  public var method = EditMethod.imagic
  public var alphas: [Double]
  /// SDEdit's shares of the noise.
  public var strengths = GenerateSettings.publishedStrengths
  /// The guidance scales that DDIM inversion goes over.
  public var guidanceScales = GenerateSettings.publishedGuidanceScales
  /// A caption of the photograph, under which DDIM inversion inverts it, and against which an automatic mask is looked for;
  /// absent for no sentence, and for a mask that is looked for by other words or by the optimised embedding.
  public var source: String?
  public var seeds: [UInt64]
  public var sampler: SamplingMethod
  /// Steps of the sampler.
  public var steps: Int
  /// The weight of classifier-free guidance; 1 is the model's own prediction.
  public var guidanceScale: Double
  public var guidanceCourse: GuidanceCourse
  public var start: SamplingStart
  public var details = Details.model
  /// How often each stretch of the sampling is gone through; 1 for once (Lugmayr et al. 2022, section 4.2).
  public var resample = 1
  /// How many steps such a stretch has.
  public var resampleJump = GenerateSettings.publishedJump
  /// Absent for edits of the whole photograph.
  public var mask: MaskSettings?
  /// Whether Imagic's edits are measured, to suggest one of the alphas.
  public var suggests = true

  enum CodingKeys: String, CodingKey {
    case method, alphas, strengths, source, seeds, sampler, steps
    case guidanceScales = "guidance-scales"
    case guidanceScale = "guidance-scale"
    case guidanceCourse = "guidance-course"
    case start, details, resample
    case resampleJump = "resample-jump"
    case mask
    case suggests = "suggest"
  }

  /// The guidance scale at an alpha. A rising one stays where it is beyond alpha 1. At alpha 0 the photograph's own embedding
  /// has nothing to be guided away from.
  func guidanceScale(at alpha: Double) -> Double {
    switch guidanceCourse {
    case .constant: guidanceScale
    case .rising: 1 + (guidanceScale - 1) * min(max(alpha, 0), 1)
    case .fromPhotograph: alpha == 0 ? 1 : guidanceScale
    }
  }
}

extension GenerateSettings {
  /// The range in which SDEdit's authors find pictures that are both faithful and realistic, and what lies around it
  /// (Meng et al. 2022, section 3 and figure 3).
  static let publishedStrengths = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
  /// From the photograph's own reconstruction to the scale that Stable Diffusion is mostly sampled with.
  static let publishedGuidanceScales = [0, 1, 2, 3, 5, 7.5]
  /// RePaint's (Lugmayr et al. 2022, section 5.2).
  static let publishedJump = 10

  /// Settings of files that were saved before there was a choice of methods and samplers are Imagic's and DDIM's.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      method: try values.decodeIfPresent(EditMethod.self, forKey: .method) ?? .imagic,
      alphas: try values.decode([Double].self, forKey: .alphas),
      strengths: try values.decodeIfPresent([Double].self, forKey: .strengths)
        ?? Self.publishedStrengths,
      guidanceScales: try values.decodeIfPresent([Double].self, forKey: .guidanceScales)
        ?? Self.publishedGuidanceScales,
      source: try values.decodeIfPresent(String.self, forKey: .source),
      seeds: try values.decode([UInt64].self, forKey: .seeds),
      sampler: try values.decodeIfPresent(SamplingMethod.self, forKey: .sampler) ?? .ddim,
      steps: try values.decode(Int.self, forKey: .steps),
      guidanceScale: try values.decode(Double.self, forKey: .guidanceScale),
      guidanceCourse: try values.decode(GuidanceCourse.self, forKey: .guidanceCourse),
      start: try values.decode(SamplingStart.self, forKey: .start),
      details: try values.decodeIfPresent(Details.self, forKey: .details) ?? .model,
      resample: try values.decodeIfPresent(Int.self, forKey: .resample) ?? 1,
      resampleJump: try values.decodeIfPresent(Int.self, forKey: .resampleJump)
        ?? Self.publishedJump,
      mask: try values.decodeIfPresent(MaskSettings.self, forKey: .mask),
      suggests: try values.decodeIfPresent(Bool.self, forKey: .suggests) ?? true)
  }
}

/// Every setting of an edit, in the keys of a request.
public struct EditSettings: Codable, Equatable, Sendable {
  /// Absolute path of the photograph.
  public var image: String
  public var prompt: String
  /// Absolute path of the base's folder.
  public var base: String
  public var seed: UInt64
  public var fit: Fit
  /// The pictures' size; where absent, the one that the base was trained at.
  public var size: PictureSize?
  public var embedding: TrainingSettings
  public var finetune: TrainingSettings
  public var generate: GenerateSettings

  /// Lays what was asked for over the defaults.
  ///
  /// From weak to strong: the defaults published for Stable Diffusion, the base's own (`imagic.json`) or, where the run
  /// folder has them, the settings that an earlier stage saved; then the request, then the flags.
  /// - Parameters:
  ///   - saved: what the run folder holds. With it, the base's own defaults have been resolved already.
  ///   - request: the keys of the request's file, empty where there is none.
  ///   - flags: the command's flags.
  /// - Throws: `EditingError`: `usage` where the photograph or the sentence is missing, `noInput` where there is no
  ///   base, `badData` where its `imagic.json` is wrong.
  public init(saved: EditSettings? = nil, request: EditRequest, flags: EditRequest) throws {
    guard let image = flags.image ?? request.image ?? saved?.image else {
      throw EditingError(.usage, "no photograph: give one with --image or in the request")
    }
    guard let prompt = flags.prompt ?? request.prompt ?? saved?.prompt else {
      throw EditingError(.usage, "no sentence: give one with --prompt or in the request")
    }
    var lowRank: [EditRequest.LowRank] = []
    var maskings: [EditRequest.Masking] = []
    if let saved {
      self = saved
    } else {
      let base = try flags.base ?? request.base ?? DefaultBase.locate()
      self.init(published: image, prompt: prompt, base: base)
      let defaults = try EditRequest(defaultsOfBase: base)
      apply(defaults)
      lowRank.append(defaults.lowRank)
      maskings.append(defaults.masking)
    }
    apply(request)
    apply(flags)
    apply(lowRank + [request.lowRank, flags.lowRank])
    apply(maskings + [request.masking, flags.masking])
    guard finetune.lora != nil || (flags.lowRank.rank == nil && flags.lowRank.convolutions == nil)
    else {
      throw EditingError(
        .usage, "--rank and --lora-convolutions: found --tune all, wanted --tune lora with them")
    }
    try check(flags.masking)
  }

  /// - Throws: `EditingError`, `usage`, where flags are of no use without another.
  private func check(_ flags: EditRequest.Masking) throws {
    let isAutomatic = generate.mask?.source == .automatic
    guard isAutomatic || (flags.threshold == nil && flags.grow == nil) else {
      throw EditingError(
        .usage,
        "--mask-threshold and --mask-grow: found \(generate.mask == nil ? "no" : "another") "
          + "--mask, wanted --mask auto with them")
    }
    guard generate.mask != nil || (flags.feather == nil && flags.fullSize != true) else {
      throw EditingError(
        .usage, "--feather and --full-size: found no --mask, wanted one with them")
    }
  }

  /// Takes over where the photograph may change, from weak to strong. What belongs to a mask counts wherever it stands, and
  /// only with one.
  private mutating func apply(_ maskings: [EditRequest.Masking]) {
    var settings = generate.mask
    if let mask = maskings.compactMap(\.mask).last {
      let source = mask == EditRequest.Masking.noMask ? nil : MaskSource(mask)
      settings = source.map { source in
        var kept = settings ?? MaskSettings(source: source)
        kept.source = source
        return kept
      }
    }
    if let feather = maskings.compactMap(\.feather).last { settings?.feather = feather }
    if let fullSize = maskings.compactMap(\.fullSize).last { settings?.fullSize = fullSize }
    if let threshold = maskings.compactMap(\.threshold).last { settings?.threshold = threshold }
    if let grow = maskings.compactMap(\.grow).last { settings?.grow = grow }
    generate.mask = settings
  }

  /// Takes over what is to be tuned, from weak to strong. A rank counts wherever it stands, and only with LoRA.
  private mutating func apply(_ lowRank: [EditRequest.LowRank]) {
    let saved = finetune.lora
    let tune = lowRank.compactMap(\.tune).last ?? (saved == nil ? .all : .lora)
    var settings = saved ?? LoRASettings()
    settings.rank = lowRank.compactMap(\.rank).last ?? settings.rank
    settings.convolutions = lowRank.compactMap(\.convolutions).last ?? settings.convolutions
    finetune.lora = tune == .lora ? settings : nil
  }

  /// The defaults published for Stable Diffusion: Imagic's rates (Kawar et al. 2023, section 4) as its public
  /// reimplementations for Stable Diffusion have them, and a sweep that shows where an edit sets in.
  init(published image: String, prompt: String, base: String) {
    self.image = image
    self.prompt = prompt
    self.base = base
    seed = 0
    fit = .crop
    size = nil
    embedding = TrainingSettings(steps: 1000, learningRate: 2e-3, batch: 1)
    finetune = TrainingSettings(steps: 1500, learningRate: 5e-7, batch: 1)
    generate = GenerateSettings(
      alphas: [0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1], seeds: [0], sampler: .ddim, steps: 50,
      guidanceScale: 3, guidanceCourse: .constant, start: .noise)
  }

  /// Takes over every setting that `request` has.
  mutating func apply(_ request: EditRequest) {
    image = request.image ?? image
    prompt = request.prompt ?? prompt
    base = request.base ?? base
    seed = request.seed ?? seed
    fit = request.fit ?? fit
    size = request.size ?? size
    embedding.apply(request.embedding)
    finetune.apply(request.finetune)
    generate.method = request.generate.method ?? generate.method
    generate.alphas = request.generate.alphas ?? generate.alphas
    generate.strengths = request.generate.strengths ?? generate.strengths
    generate.guidanceScales = request.generate.guidanceScales ?? generate.guidanceScales
    generate.source = request.generate.source ?? generate.source
    generate.seeds = request.generate.seeds ?? generate.seeds
    generate.sampler = request.generate.sampler ?? generate.sampler
    generate.steps = request.generate.steps ?? generate.steps
    generate.guidanceScale = request.generate.guidanceScale ?? generate.guidanceScale
    generate.guidanceCourse = request.generate.guidanceCourse ?? generate.guidanceCourse
    generate.start = request.generate.start ?? generate.start
    generate.details = request.generate.details ?? generate.details
    generate.resample = request.generate.resample ?? generate.resample
    generate.resampleJump = request.generate.resampleJump ?? generate.resampleJump
    generate.suggests = request.generate.suggests ?? generate.suggests
  }
}

extension EditSettings {
  /// The settings as pictures tell them that may be given away: file names in place of paths.
  var shareable: EditSettings {
    var settings = self
    settings.image = URL(fileURLWithPath: image).lastPathComponent
    settings.base = URL(fileURLWithPath: base).lastPathComponent
    if case .file(let path)? = generate.mask?.source {
      settings.generate.mask?.source = .file(path: URL(fileURLWithPath: path).lastPathComponent)
    }
    return settings
  }
}

extension TrainingSettings {
  fileprivate mutating func apply(_ request: EditRequest.Training) {
    steps = request.steps ?? steps
    learningRate = request.learningRate ?? learningRate
    batch = request.batch ?? batch
    untilLoss = request.untilLoss ?? untilLoss
    if let precision = request.frozenPrecision {
      frozenPrecision = precision == .float32 ? nil : precision
    }
    if let caption = request.source { source = caption == Self.noSource ? nil : caption }
  }
}

/// JSON as the files have it: keys sorted, so that equal settings are equal bytes.
public enum SettingsJSON {
  public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// - Parameter source: the file that the text is from, named where it is wrong.
  /// - Throws: `EditingError`, `badData`.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from text: String, source: String
  ) throws -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch let error as DecodingError {
      throw EditingError(.badData, "\(source): \(describe(error))")
    }
  }

  private static func describe(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? "" : " at \(path)"
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "found settings without the key \(key.stringValue)\(place(context))"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return "found settings that lack \(type)\(place(context))"
    case .dataCorrupted(let context):
      return "found settings that are not valid JSON\(place(context))"
    @unknown default:
      return "found settings that can't be read"
    }
  }
}
