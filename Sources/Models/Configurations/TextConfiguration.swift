// What `text_encoder/config.json` says: the form of a `CLIPTextModel` of transformers.

import Foundation
import Weights

/// The form of a text encoder. Defaults are those of transformers' `CLIPTextConfig`.
public struct TextConfiguration: Sendable, Equatable {
  public enum Activation: String, Sendable, CaseIterable {
    /// `x * sigmoid(1.702 * x)`
    case quickGELU = "quick_gelu"
    /// `x * Phi(x)`, exact.
    case gelu
  }

  /// The width of a token's embedding.
  public var width: Int
  /// The width between the two layers of a perceptron.
  public var hiddenWidth: Int
  public var layers: Int
  public var headCount: Int
  /// How many tokens a text has at most, its start and end among them.
  public var maximumLength: Int
  public var vocabularySize: Int
  public var activation: Activation
  public var normEpsilon: Double

  /// - Parameter url: the file `config.json` in the folder `text_encoder`.
  /// - Throws: `LoadingError` for a file that can't be read, an unknown key, or a value that is not supported.
  public init(contentsOf url: URL) throws {
    try self.init(ConfigurationReader(url))
  }

  init(_ reader: ConfigurationReader) throws {
    var reader = reader
    try reader.neutral([
      "model_type": "clip_text_model", "pruned_heads": .object([]), "is_decoder": false,
      "is_encoder_decoder": false, "add_cross_attention": false,
    ])
    reader.ignore(Self.withoutEffect)
    width = try reader.integer("hidden_size", default: 512, in: 1...extentLimit)
    hiddenWidth = try reader.integer("intermediate_size", default: 2048, in: 1...extentLimit)
    layers = try reader.integer("num_hidden_layers", default: 12, in: 1...layerLimit)
    headCount = try reader.integer("num_attention_heads", default: 8, in: 1...extentLimit)
    maximumLength = try reader.integer("max_position_embeddings", default: 77, in: 2...extentLimit)
    vocabularySize = try reader.integer("vocab_size", default: 49408, in: 1...extentLimit)
    activation = try reader.choice("hidden_act", default: .quickGELU)
    normEpsilon = try reader.positive("layer_norm_eps", default: 1e-5)
    try reader.finish()
    guard width % headCount == 0 else {
      throw LoadingError(
        file: reader.file,
        "\"hidden_size\" is \(width), wanted a multiple of \"num_attention_heads\", \(headCount)")
    }
  }

  /// Keys that change nothing in the last hidden state of a frozen encoder, grouped by what they are for.
  private static let withoutEffect = [
    // How the file was saved, and in which precision.
    "_name_or_path", "architectures", "transformers_version", "torch_dtype", "dtype",
    "use_bfloat16", "torchscript", "attn_implementation", "_attn_implementation_autoset",
    // The pooled output and its projection, which diffusion has no use for. The tokenizer has its own tokens.
    "projection_dim", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id",
    "decoder_start_token_id", "tokenizer_class", "prefix",
    // Training.
    "attention_dropout", "dropout", "initializer_factor", "initializer_range",
    "gradient_checkpointing", "finetuning_task", "problem_type", "task_specific_params",
    "id2label", "label2id",
    // What a call returns beside the last hidden state, and how it is cut up.
    "return_dict", "output_hidden_states", "output_attentions", "use_cache",
    "chunk_size_feed_forward", "tie_word_embeddings", "tie_encoder_decoder",
    "cross_attention_hidden_size", "tf_legacy_loss",
    // The generation of text, which every configuration of transformers 4 carried.
    "max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty",
    "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
    "num_return_sequences", "output_scores", "return_dict_in_generate", "forced_bos_token_id",
    "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty",
    "suppress_tokens", "begin_suppress_tokens",
  ]
}
