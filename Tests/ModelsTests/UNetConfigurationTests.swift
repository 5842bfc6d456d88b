import Testing
import Weights

@testable import Models

@Suite struct UNetConfigurationTests {
  /// As Stable Diffusion 1.5 has it: an early file, with the keys of its day alone.
  static let version1 = """
    {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0.dev0", "act_fn": "silu",
     "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280],
     "center_input_sample": false, "cross_attention_dim": 768,
     "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
      "DownBlock2D"],
     "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
     "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
     "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
     "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
      "CrossAttnUpBlock2D"]}
    """

  /// As Stable Diffusion 2.1 has it.
  static let version2 = """
    {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.10.0.dev0", "act_fn": "silu",
     "attention_head_dim": [5, 10, 20, 20], "block_out_channels": [320, 640, 1280, 1280],
     "center_input_sample": false, "cross_attention_dim": 1024,
     "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
      "DownBlock2D"],
     "downsample_padding": 1, "dual_cross_attention": false, "flip_sin_to_cos": true,
     "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
     "norm_eps": 1e-05, "norm_num_groups": 32, "num_class_embeds": null,
     "only_cross_attention": false, "out_channels": 4, "sample_size": 96,
     "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
      "CrossAttnUpBlock2D"],
     "use_linear_projection": true, "upcast_attention": true}
    """

  @Test func readsStableDiffusion1() throws {
    let unet = try UNetConfiguration(reader(Self.version1))
    #expect(unet.channels == [320, 640, 1280, 1280])
    #expect(unet.headCounts == [8, 8, 8, 8])
    #expect(unet.layers == [2, 2, 2, 2])
    #expect(unet.transformerLayers == [1, 1, 1, 1])
    #expect(unet.crossAttentionWidth == 768)
    #expect(unet.downBlocks == [.crossAttention, .crossAttention, .crossAttention, .plain])
    #expect(unet.upBlocks == [.plain, .crossAttention, .crossAttention, .crossAttention])
    #expect(unet.middleBlock == .crossAttention)
    #expect(!unet.usesLinearProjection)
    #expect(unet.sampleSize == [64, 64])
    #expect(unet.timeWidth == 1280)
  }

  @Test func readsStableDiffusion2() throws {
    let unet = try UNetConfiguration(reader(Self.version2))
    #expect(unet.headCounts == [5, 10, 20, 20])
    #expect(unet.crossAttentionWidth == 1024)
    #expect(unet.usesLinearProjection)
  }

  @Test func readsTheEmbeddedBase() throws {
    let unet = try UNetConfiguration(
      contentsOf: embeddedBase.appendingPathComponent("unet/config.json"))
    #expect(unet.inChannels > 0)
    #expect(unet.downBlocks.count == unet.channels.count)
  }

  /// The signature of `UNet2DConditionModel.__init__` in diffusers 0.42.1.
  @Test func absentKeysHaveTheDefaultsOfDiffusers() throws {
    let unet = try UNetConfiguration(reader("{}"))
    #expect(unet.inChannels == 4 && unet.outChannels == 4)
    #expect(unet.channels == [320, 640, 1280, 1280])
    #expect(unet.crossAttentionWidth == 1280)
    #expect(unet.headCounts == [8, 8, 8, 8])
    #expect(unet.normGroups == 32 && unet.normEpsilon == 1e-5)
    #expect(unet.flipsSineToCosine && !unet.centersInput && unet.frequencyShift == 0)
    #expect(unet.sampleSize == nil)
  }

  @Test func acceptsListsAndOtherForms() throws {
    func changed(_ key: String, _ value: String) throws -> UNetConfiguration {
      try UNetConfiguration(reader(Self.version1, changing: key, to: value))
    }
    #expect(try changed("sample_size", "[48, 64]").sampleSize == [48, 64])
    #expect(try changed("layers_per_block", "[1, 2, 3, 4]").layers == [1, 2, 3, 4])
    #expect(
      try changed("transformer_layers_per_block", "[1, 1, 2, 3]").transformerLayers == [1, 1, 2, 3])
    #expect(try changed("cross_attention_dim", "[768, 768, 768, 768]").crossAttentionWidth == 768)
    #expect(try changed("mid_block_type", "null").middleBlock == nil)
    #expect(try changed("mid_block_type", "\"UNetMidBlock2D\"").middleBlock == .plain)
    #expect(try changed("only_cross_attention", "[false, false, false, false]").layers.count == 4)
    #expect(try changed("act_fn", "\"swish\"").layers.count == 4)
    #expect(try changed("mid_block_scale_factor", "1.0").layers.count == 4)
  }

  @Test(arguments: [
    ("act_fn", "\"gelu\""), ("down_block_types", "[\"AttnDownBlock2D\"]"),
    ("mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\""), ("num_attention_heads", "8"),
    ("only_cross_attention", "true"), ("only_cross_attention", "[true, false, false, false]"),
    ("mid_block_only_cross_attention", "true"), ("resnet_time_scale_shift", "\"scale_shift\""),
    ("class_embed_type", "\"timestep\""), ("num_class_embeds", "1000"), ("conv_in_kernel", "1"),
    ("addition_embed_type", "\"text_time\""), ("encoder_hid_dim_type", "\"text_proj\""),
    ("downsample_padding", "0"), ("mid_block_scale_factor", "2"), ("dropout", "0.1"),
    ("time_cond_proj_dim", "256"), ("dual_cross_attention", "true"),
    ("attention_head_dim", "7"), ("attention_head_dim", "[8, 8]"), ("attention_head_dim", "0"),
    ("cross_attention_dim", "[768, 768, 768, 1024]"), ("cross_attention_dim", "null"),
    ("block_out_channels", "[321, 640, 1280, 1280]"), ("block_out_channels", "[32, 48, 64, 64]"),
    ("block_out_channels", "[]"), ("block_out_channels", "[320, 640]"),
    ("block_out_channels", "[1e30, 640, 1280, 1280]"), ("norm_num_groups", "null"),
    ("norm_eps", "0"), ("in_channels", "4.5"), ("in_channels", "-4"), ("in_channels", "\"4\""),
    ("sample_size", "[64]"), ("freq_shift", "200"), ("center_input_sample", "1"),
    ("_class_name", "\"UNet2DModel\""), ("some_new_key", "true"), ("some_new_key", "null"),
  ])
  func refuses(key: String, value: String) {
    let needsValue = !["block_out_channels", "down_block_types"].contains(key)
    expectRefusal(of: key, needsValue && !value.contains("[8, 8]") ? value : "") {
      _ = try UNetConfiguration(reader(Self.version1, changing: key, to: value))
    }
  }
}
