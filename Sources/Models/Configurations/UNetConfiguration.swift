// What `unet/config.json` says: the form of a `UNet2DConditionModel` of diffusers, as Stable Diffusion 1.x and 2.x have it.

import Foundation
import Weights

/// The form of a denoiser. Defaults are those of diffusers' constructor.
public struct UNetConfiguration: Sendable, Equatable {
  public enum DownBlock: String, Sendable, CaseIterable {
    case plain = "DownBlock2D"
    case crossAttention = "CrossAttnDownBlock2D"
  }

  public enum MiddleBlock: String, Sendable, CaseIterable {
    case crossAttention = "UNetMidBlock2DCrossAttn"
    /// One residual block and no attention.
    case plain = "UNetMidBlock2D"
  }

  public enum UpBlock: String, Sendable, CaseIterable {
    case plain = "UpBlock2D"
    case crossAttention = "CrossAttnUpBlock2D"
  }

  public var inChannels: Int
  public var outChannels: Int
  /// Height and width of the latents that the model was trained on, where the file says them.
  public var sampleSize: [Int]?
  /// The input is taken as `2 * x - 1`.
  public var centersInput: Bool
  /// The timestep's embedding has its cosines before its sines.
  public var flipsSineToCosine: Bool
  /// Subtracted from half the embedding's width where the frequencies are spaced.
  public var frequencyShift: Double

  /// From the finest to the coarsest.
  public var downBlocks: [DownBlock]
  /// Nil for a model without a middle block.
  public var middleBlock: MiddleBlock?
  /// From the coarsest to the finest.
  public var upBlocks: [UpBlock]

  /// The lists from here to `headCounts` have an element for each down block; an up block takes the element of the down
  /// block of its level, the middle block the last.
  public var channels: [Int]
  /// Residual blocks of each down block; an up block has one more.
  public var layers: [Int]
  /// Transformer layers of each attention.
  public var transformerLayers: [Int]
  /// How many heads each attention has. The file calls this `attention_head_dim`, by a mistake that diffusers keeps.
  public var headCounts: [Int]

  public var normGroups: Int
  /// The epsilon of the residual blocks' norms and of the last; transformers' own norms have theirs.
  public var normEpsilon: Double
  /// The width of the text's embedding.
  public var crossAttentionWidth: Int
  /// Whether transformers project by a linear layer (2.x) instead of a 1x1 convolution (1.x).
  public var usesLinearProjection: Bool

  /// The width of the timestep's embedding in the residual blocks: four times that of its sinusoids, `channels[0]`.
  public var timeWidth: Int { 4 * channels[0] }

  /// - Parameter url: the file `config.json` in the folder `unet`.
  /// - Throws: `LoadingError` for a file that can't be read, an unknown key, or a value that is not supported.
  public init(contentsOf url: URL) throws {
    try self.init(ConfigurationReader(url))
  }

  init(_ reader: ConfigurationReader) throws {
    var reader = reader
    try reader.requireClass("UNet2DConditionModel")
    // What these say concerns how a file was saved, averaged weights (`decay` to `use_ema_warmup`), or half precision,
    // or has an effect only together with a key that is refused below.
    reader.ignore([
      "_diffusers_version", "_name_or_path", "upcast_attention", "addition_embed_type_num_heads",
      "decay", "inv_gamma", "min_decay", "optimization_step", "power", "update_after_step",
      "use_ema_warmup",
    ])
    try reader.neutral([
      "downsample_padding": 1, "mid_block_scale_factor": 1, "dropout": 0,
      "conv_in_kernel": 3, "conv_out_kernel": 3, "resnet_out_scale_factor": 1,
      "resnet_time_scale_shift": "default", "resnet_skip_time_act": false,
      "dual_cross_attention": false, "class_embeddings_concat": false,
      "attention_type": "default", "time_embedding_type": "positional",
      "time_embedding_dim": .null, "time_embedding_act_fn": .null, "timestep_post_act": .null,
      "time_cond_proj_dim": .null, "num_attention_heads": .null,
      "reverse_transformer_layers_per_block": .null, "encoder_hid_dim": .null,
      "encoder_hid_dim_type": .null, "class_embed_type": .null, "num_class_embeds": .null,
      "projection_class_embeddings_input_dim": .null, "addition_embed_type": .null,
      "addition_time_embed_dim": .null, "cross_attention_norm": .null,
    ])
    let _: SiluName = try reader.choice("act_fn", default: .silu)

    inChannels = try reader.integer("in_channels", default: 4, in: 1...extentLimit)
    outChannels = try reader.integer("out_channels", default: 4, in: 1...extentLimit)
    centersInput = try reader.boolean("center_input_sample", default: false)
    flipsSineToCosine = try reader.boolean("flip_sin_to_cos", default: true)
    usesLinearProjection = try reader.boolean("use_linear_projection", default: false)
    normGroups = try reader.integer("norm_num_groups", default: 32, in: 1...extentLimit)
    normEpsilon = try reader.positive("norm_eps", default: 1e-5)

    channels = try reader.integerList(
      "block_out_channels", default: [320, 640, 1280, 1280], in: 1...extentLimit)
    let levels = channels.count
    let half = channels[0] / 2
    frequencyShift = try reader.number("freq_shift", default: 0, wanted: "a number from 0 to 1") {
      // Both values that are in use, and what keeps the spacing of the frequencies finite.
      (0...1).contains($0) && Double(half) > $0
    }
    downBlocks = try reader.choices(
      "down_block_types", default: [.crossAttention, .crossAttention, .crossAttention, .plain])
    upBlocks = try reader.choices(
      "up_block_types", default: [.plain, .crossAttention, .crossAttention, .crossAttention])
    middleBlock = try Self.middleBlock(&reader)
    layers = try reader.integers(
      "layers_per_block", default: 2, count: levels, in: 1...layerLimit)
    transformerLayers = try reader.integers(
      "transformer_layers_per_block", default: 1, count: levels, in: 1...layerLimit)
    headCounts = try reader.integers(
      "attention_head_dim", default: 8, count: levels, in: 1...extentLimit)
    crossAttentionWidth = try Self.crossAttentionWidth(&reader, levels: levels)
    sampleSize = try Self.sampleSize(&reader)
    try Self.requireSelfAttention(&reader)
    try reader.finish()
    try checkFit(file: reader.file)
  }

  private static func middleBlock(_ reader: inout ConfigurationReader) throws -> MiddleBlock? {
    guard let name = reader.take("mid_block_type") else { return .crossAttention }
    if name == .null { return nil }
    guard case .string(let text) = name, let block = MiddleBlock(rawValue: text) else {
      throw reader.failure(
        "mid_block_type", name,
        wanted: "null, \"UNetMidBlock2D\" or \"UNetMidBlock2DCrossAttn\"")
    }
    return block
  }

  private static func crossAttentionWidth(
    _ reader: inout ConfigurationReader, levels: Int
  ) throws -> Int {
    let range = 1...extentLimit
    guard let json = reader.take("cross_attention_dim") else { return 1280 }
    if let width = json.integer(in: range) { return width }
    guard case .array(let values) = json, values.count == levels,
      let width = values[0].integer(in: range),
      values.allSatisfy({ $0.integer(in: range) == width })
    else {
      throw reader.failure(
        "cross_attention_dim", json,
        wanted: "an integer from 1 to \(extentLimit), or a list of \(levels) equal ones")
    }
    return width
  }

  private static func sampleSize(_ reader: inout ConfigurationReader) throws -> [Int]? {
    guard let json = reader.take("sample_size"), json != .null else { return nil }
    if let side = json.integer(in: 1...extentLimit) { return [side, side] }
    guard case .array(let values) = json, values.count == 2,
      let height = values[0].integer(in: 1...extentLimit),
      let width = values[1].integer(in: 1...extentLimit)
    else { throw reader.failure("sample_size", json, wanted: "a side, [height, width] or null") }
    return [height, width]
  }

  /// `only_cross_attention` drops the self-attention of transformers, as no Stable Diffusion does.
  private static func requireSelfAttention(_ reader: inout ConfigurationReader) throws {
    if let json = reader.take("only_cross_attention") {
      let values = if case .array(let list) = json { list } else { [json] }
      guard values.allSatisfy({ $0 == .boolean(false) }) else {
        throw reader.failure("only_cross_attention", json, wanted: "false")
      }
    }
    if let json = reader.take("mid_block_only_cross_attention") {
      guard json == .null || json == .boolean(false) else {
        throw reader.failure("mid_block_only_cross_attention", json, wanted: "null or false")
      }
    }
  }

  /// What one key asks of another.
  private func checkFit(file: String) throws {
    let levels = channels.count
    guard downBlocks.count == levels, upBlocks.count == levels else {
      throw LoadingError(
        file: file,
        "\(downBlocks.count) \"down_block_types\" and \(upBlocks.count) \"up_block_types\", wanted"
          + " \(levels) of each as in \"block_out_channels\"")
    }
    guard channels[0] % 2 == 0 else {
      throw LoadingError(
        file: file, "\"block_out_channels\" starts with \(channels[0]), wanted an even number")
    }
    for (index, width) in channels.enumerated() {
      guard width % normGroups == 0 else {
        throw LoadingError(
          file: file,
          "\"block_out_channels\" has \(width), wanted a multiple of \"norm_num_groups\", \(normGroups)"
        )
      }
      let attends =
        downBlocks[index] == .crossAttention || upBlocks[levels - 1 - index] == .crossAttention
        || (index == levels - 1 && middleBlock == .crossAttention)
      guard !attends || width % headCounts[index] == 0 else {
        throw LoadingError(
          file: file,
          "\"attention_head_dim\" asks for \(headCounts[index]) heads of \(width) channels, wanted a divisor"
        )
      }
    }
  }
}

/// The names that diffusers has for the one activation that Stable Diffusion uses.
enum SiluName: String, CaseIterable {
  case silu
  case swish
}
