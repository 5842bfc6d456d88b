import Testing
import Weights

@testable import Models

@Suite struct AutoencoderConfigurationTests {
  /// As Stable Diffusion 1.5 has it.
  static let version1 = """
    {"_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0", "act_fn": "silu",
     "block_out_channels": [128, 256, 512, 512],
     "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
      "DownEncoderBlock2D"],
     "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
     "out_channels": 3, "sample_size": 512,
     "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
      "UpDecoderBlock2D"]}
    """

  @Test func readsStableDiffusion1() throws {
    let autoencoder = try AutoencoderConfiguration(reader(Self.version1))
    #expect(autoencoder.channels == [128, 256, 512, 512])
    #expect(autoencoder.factor == 8)
    #expect(autoencoder.layers == 2)
    #expect(autoencoder.scalingFactor == 0.18215)
    #expect(autoencoder.hasMiddleAttention)
    #expect(autoencoder.hasQuantConvolution && autoencoder.hasPostQuantConvolution)
    #expect(autoencoder.sampleSize == 512)
  }

  @Test func readsTheEmbeddedBase() throws {
    let autoencoder = try AutoencoderConfiguration(
      contentsOf: embeddedBase.appendingPathComponent("vae/config.json"))
    #expect(autoencoder.inChannels == 3 && autoencoder.outChannels == 3)
  }

  @Test func readsSwitches() throws {
    let plain = try AutoencoderConfiguration(
      reader(Self.version1, changing: "mid_block_add_attention", to: "false"))
    #expect(!plain.hasMiddleAttention)
    let bare = try AutoencoderConfiguration(
      reader(Self.version1, changing: "use_post_quant_conv", to: "false"))
    #expect(bare.hasQuantConvolution && !bare.hasPostQuantConvolution)
  }

  @Test(arguments: [
    ("act_fn", "\"relu\""), ("shift_factor", "0.1"), ("latents_mean", "[0, 0, 0, 0]"),
    ("down_block_types", "[\"DownEncoderBlock2D\"]"), ("up_block_types", "[\"UpBlock2D\"]"),
    ("block_out_channels", "[100]"), ("scaling_factor", "0"), ("scaling_factor", "NaN"),
    ("scaling_factor", "Infinity"), ("latent_channels", "0"), ("tile_size", "4"),
    ("_class_name", "\"VQModel\""),
  ])
  func refuses(key: String, value: String) {
    let isListed = ["down_block_types", "block_out_channels"].contains(key)
    let shown = ["NaN": "nan", "Infinity": "inf"][value] ?? value
    expectRefusal(of: key, isListed ? "" : shown) {
      _ = try AutoencoderConfiguration(reader(Self.version1, changing: key, to: value))
    }
  }
}
