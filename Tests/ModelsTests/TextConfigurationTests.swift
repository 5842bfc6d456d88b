import Testing
import Weights

@testable import Models

@Suite struct TextConfigurationTests {
  /// As Stable Diffusion 1.5 has it, with keys of the generation of text that files of its day carry.
  static let version1 = """
    {"_name_or_path": "openai/clip-vit-large-patch14", "architectures": ["CLIPTextModel"],
     "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
     "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0,
     "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05,
     "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 12,
     "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768, "torch_dtype": "float32",
     "transformers_version": "4.22.0.dev0", "vocab_size": 49408, "top_k": 50, "pruned_heads": {}}
    """

  @Test func readsStableDiffusion1() throws {
    let text = try TextConfiguration(reader(Self.version1))
    #expect(text.width == 768 && text.hiddenWidth == 3072)
    #expect(text.layers == 12 && text.headCount == 12)
    #expect(text.maximumLength == 77 && text.vocabularySize == 49408)
    #expect(text.activation == .quickGELU)
    #expect(text.normEpsilon == 1e-5)
  }

  @Test func readsTheActivationOfStableDiffusion2() throws {
    let text = try TextConfiguration(reader(Self.version1, changing: "hidden_act", to: "\"gelu\""))
    #expect(text.activation == .gelu)
  }

  @Test func readsTheEmbeddedBase() throws {
    let text = try TextConfiguration(
      contentsOf: embeddedBase.appendingPathComponent("text_encoder/config.json"))
    #expect(text.width % text.headCount == 0)
  }

  @Test(arguments: [
    ("hidden_act", "\"relu\""), ("model_type", "\"bert\""), ("is_decoder", "true"),
    ("hidden_size", "770"), ("num_hidden_layers", "0"), ("text_config", "{}"),
    ("pruned_heads", #"{"1": [0]}"#), ("vocab_size", "1e300"),
  ])
  func refuses(key: String, value: String) {
    expectRefusal(of: key, value == "1e300" ? "1e+300" : value) {
      _ = try TextConfiguration(reader(Self.version1, changing: key, to: value))
    }
  }
}
