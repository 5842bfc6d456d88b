// Older names of parameters, as data.

import Foundation

/// A part of a parameter's name that has had another name in older files.
public struct WeightRename: Sendable, Equatable {
  /// What is replaced.
  public let old: String
  /// What it is now.
  public let new: String
  /// Whether `old` stands at the beginning of a name; elsewhere it may stand anywhere.
  public let isPrefix: Bool
  /// Whether the old tensor may have trailing extents of 1: a 1x1 convolution that is a linear layer now.
  public let wasConvolution: Bool

  /// `CLIPTextModel` before transformers 5 kept all its parameters under `text_model`.
  public static let textEncoder = [
    WeightRename(old: "text_model.", new: "", isPrefix: true, wasConvolution: false)
  ]

  /// The middle attention of `AutoencoderKL` in the files of Stable Diffusion 1.x and 2.x.
  public static let autoencoder = [
    ("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0"),
  ].map { old, new in
    WeightRename(
      old: ".mid_block.attentions.0.\(old).", new: ".mid_block.attentions.0.\(new).",
      isPrefix: false, wasConvolution: true)
  }

  /// The name that replaces `name`; nil where this does not concern it.
  func applied(to name: String) -> String? {
    if isPrefix { return name.hasPrefix(old) ? new + name.dropFirst(old.count) : nil }
    guard let range = name.range(of: old) else { return nil }
    return name.replacingCharacters(in: range, with: new)
  }
}
