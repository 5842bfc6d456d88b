// The folder of a base before it has weights: diffusers' configurations by the numbers of a recipe, and the tokenizer.

import Checkpoints
import Editing
import Foundation
import Models

/// Writes what a base's folder has beside its weights.
struct BaseForm {
  let recipe: Recipe
  let tokenizer: BytePairTraining

  /// - Throws: `StoreError` where a file can't be written.
  func write(to folder: String) throws {
    for (name, value) in files {
      let path = "\(folder)/\(name)"
      try FileManager.default.createDirectory(
        atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path,
        withIntermediateDirectories: true)
      let data = try JSONSerialization.data(
        withJSONObject: value, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
      try AtomicFile.write(Array(data) + [UInt8(ascii: "\n")], to: path)
    }
    try AtomicFile.write(
      Array(tokenizer.mergesFile.utf8), to: "\(folder)/tokenizer/merges.txt")
    try AtomicFile.write(
      Array(BaseWords.text(of: tokenizer.words).utf8), to: "\(folder)/\(BaseWords.file)")
  }

  private var files: [(String, [String: Any])] {
    [
      ("model_index.json", index), ("scheduler/scheduler_config.json", scheduler),
      ("vae/config.json", autoencoder), ("unet/config.json", denoiser),
      ("text_encoder/config.json", text), ("tokenizer/tokenizer_config.json", tokenizerSettings),
      ("tokenizer/special_tokens_map.json", specialTokens),
      ("tokenizer/vocab.json", tokenizer.vocabulary), ("imagic.json", defaults),
    ]
  }

  private static let version = "0.42.1"

  private var index: [String: Any] {
    func nothing() -> [Any] { [NSNull(), NSNull()] }
    return [
      "_class_name": "StableDiffusionPipeline", "_diffusers_version": Self.version,
      "feature_extractor": nothing(), "image_encoder": nothing(), "safety_checker": nothing(),
      "requires_safety_checker": false, "scheduler": ["diffusers", "DDIMScheduler"],
      "text_encoder": ["transformers", "CLIPTextModel"],
      "tokenizer": ["transformers", "CLIPTokenizer"],
      "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    ]
  }

  private var scheduler: [String: Any] {
    [
      "_class_name": "DDIMScheduler", "_diffusers_version": Self.version, "beta_start": 0.00085,
      "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": false,
      "num_train_timesteps": 1000, "prediction_type": "v_prediction", "set_alpha_to_one": false,
      "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": NSNull(),
    ]
  }

  private var autoencoder: [String: Any] {
    let form = recipe.autoencoder
    let levels = form.channels.count
    return [
      "_class_name": "AutoencoderKL", "_diffusers_version": Self.version, "act_fn": "silu",
      "in_channels": 3, "out_channels": 3, "latent_channels": form.latentChannels,
      "block_out_channels": form.channels, "layers_per_block": form.layers,
      "norm_num_groups": form.groups, "mid_block_add_attention": false,
      "down_block_types": Array(repeating: "DownEncoderBlock2D", count: levels),
      "up_block_types": Array(repeating: "UpDecoderBlock2D", count: levels),
      "use_quant_conv": true, "use_post_quant_conv": true, "sample_size": recipe.size,
      // The latents' channels are brought to mean 0 and variance 1 within the autoencoder.
      "scaling_factor": 1.0,
    ]
  }

  private var denoiser: [String: Any] {
    let form = recipe.denoiser
    let channels = recipe.autoencoder.latentChannels
    return [
      "_class_name": "UNet2DConditionModel", "_diffusers_version": Self.version, "act_fn": "silu",
      "in_channels": channels, "out_channels": channels, "sample_size": recipe.size / recipe.factor,
      "block_out_channels": form.channels, "layers_per_block": form.layers,
      "attention_head_dim": form.heads, "norm_num_groups": form.groups,
      "cross_attention_dim": recipe.text.width, "mid_block_type": "UNetMidBlock2DCrossAttn",
      "down_block_types": form.attention.map { $0 ? "CrossAttnDownBlock2D" : "DownBlock2D" },
      "up_block_types": form.attention.reversed().map { $0 ? "CrossAttnUpBlock2D" : "UpBlock2D" },
      "flip_sin_to_cos": true, "freq_shift": 0, "transformer_layers_per_block": 1,
    ]
  }

  private var text: [String: Any] {
    let form = recipe.text
    return [
      "architectures": ["CLIPTextModel"], "model_type": "clip_text_model",
      "hidden_size": form.width, "intermediate_size": 4 * form.width,
      "num_hidden_layers": form.layers, "num_attention_heads": form.heads,
      "max_position_embeddings": form.tokens, "vocab_size": tokenizer.vocabulary.count,
      "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "attention_dropout": 0.0,
      "projection_dim": form.width, "bos_token_id": tokenizer.startID,
      "eos_token_id": tokenizer.endID, "pad_token_id": tokenizer.endID, "dtype": "float16",
    ]
  }

  private func token(_ content: String) -> [String: Any] {
    [
      "content": content, "lstrip": false, "normalized": true, "rstrip": false,
      "single_word": false,
    ]
  }

  private var specialTokens: [String: Any] {
    [
      "bos_token": token(BytePairTraining.start), "eos_token": token(BytePairTraining.end),
      "unk_token": token(BytePairTraining.end), "pad_token": BytePairTraining.end,
    ]
  }

  private var tokenizerSettings: [String: Any] {
    specialTokens.merging([
      "add_prefix_space": false, "do_lower_case": true, "errors": "replace",
      "model_max_length": recipe.text.tokens, "tokenizer_class": "CLIPTokenizer",
    ]) { first, _ in first }
  }

  /// What edits on such a small base want.
  private var defaults: [String: Any] {
    [
      "embedding": ["steps": 150, "learning-rate": 0.01, "batch": 4, "source": "auto"]
        as [String: Any],
      "finetune": ["steps": 100, "learning-rate": 0.0001, "batch": 4],
      "generate": [
        "alphas": [0, 0.6, 0.8, 1, 1.2, 1.5, 2], "steps": 25, "guidance-scale": 1,
        "guidance-course": "from-photograph", "start": "inversion", "details": "photograph",
      ],
    ]
  }
}
