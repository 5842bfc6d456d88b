// What `vae/config.json` says: the form of an `AutoencoderKL` of diffusers.

import Foundation
import Weights

/// The form of an autoencoder. Defaults are those of diffusers' constructor.
public struct AutoencoderConfiguration: Sendable, Equatable {
  /// Channels of the picture that goes in.
  public var inChannels: Int
  /// Channels of the picture that comes out.
  public var outChannels: Int
  /// Channels of a latent; the encoder gives a mean and a log variance for each.
  public var latentChannels: Int
  /// Of each level, from the finest to the coarsest. Each level but the last halves height and width.
  public var channels: [Int]
  /// Residual blocks of a level of the encoder; the decoder has one more.
  public var layers: Int
  public var normGroups: Int
  /// Whether the middle blocks have self-attention, of one head.
  public var hasMiddleAttention: Bool
  /// Whether a 1x1 convolution follows the encoder.
  public var hasQuantConvolution: Bool
  /// Whether a 1x1 convolution goes before the decoder.
  public var hasPostQuantConvolution: Bool
  /// What a latent is multiplied by before it is diffused.
  public var scalingFactor: Double
  /// Height and width of the pictures that the model was trained on.
  public var sampleSize: Int

  /// How many pixels a latent's element stands for along each side.
  public var factor: Int { 1 << (channels.count - 1) }

  /// - Parameter url: the file `config.json` in the folder `vae`.
  /// - Throws: `LoadingError` for a file that can't be read, an unknown key, or a value that is not supported.
  public init(contentsOf url: URL) throws {
    try self.init(ConfigurationReader(url))
  }

  private enum DownBlock: String, CaseIterable { case plain = "DownEncoderBlock2D" }
  private enum UpBlock: String, CaseIterable { case plain = "UpDecoderBlock2D" }

  init(_ reader: ConfigurationReader) throws {
    var reader = reader
    try reader.requireClass("AutoencoderKL")
    // How the file was saved, and half precision.
    reader.ignore(["_diffusers_version", "_name_or_path", "force_upcast"])
    try reader.neutral(["shift_factor": .null, "latents_mean": .null, "latents_std": .null])
    let _: SiluName = try reader.choice("act_fn", default: .silu)

    inChannels = try reader.integer("in_channels", default: 3, in: 1...extentLimit)
    outChannels = try reader.integer("out_channels", default: 3, in: 1...extentLimit)
    latentChannels = try reader.integer("latent_channels", default: 4, in: 1...extentLimit)
    channels = try reader.integerList("block_out_channels", default: [64], in: 1...extentLimit)
    layers = try reader.integer("layers_per_block", default: 1, in: 1...layerLimit)
    normGroups = try reader.integer("norm_num_groups", default: 32, in: 1...extentLimit)
    hasMiddleAttention = try reader.boolean("mid_block_add_attention", default: true)
    hasQuantConvolution = try reader.boolean("use_quant_conv", default: true)
    hasPostQuantConvolution = try reader.boolean("use_post_quant_conv", default: true)
    scalingFactor = try reader.positive("scaling_factor", default: 0.18215)
    sampleSize = try reader.integer("sample_size", default: 32, in: 1...extentLimit)
    let downBlocks: [DownBlock] = try reader.choices("down_block_types", default: [.plain])
    let upBlocks: [UpBlock] = try reader.choices("up_block_types", default: [.plain])
    try reader.finish()

    let levels = channels.count
    guard levels <= 16 else {
      throw LoadingError(
        file: reader.file, "\"block_out_channels\" has \(levels) levels, wanted at most 16")
    }
    guard downBlocks.count == levels, upBlocks.count == levels else {
      throw LoadingError(
        file: reader.file,
        "\(downBlocks.count) \"down_block_types\" and \(upBlocks.count) \"up_block_types\", wanted"
          + " \(levels) of each as in \"block_out_channels\"")
    }
    if let width = channels.first(where: { $0 % normGroups != 0 }) {
      throw LoadingError(
        file: reader.file,
        "\"block_out_channels\" has \(width), wanted a multiple of \"norm_num_groups\", \(normGroups)"
      )
    }
  }
}
