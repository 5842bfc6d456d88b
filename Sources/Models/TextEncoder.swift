// The encoder of sentences, transformers' `CLIPTextModel`.

import Autodiff
import Layers
import Tensors
import Weights

/// Turns the token ids of sentences into embeddings that a denoiser attends to.
public final class CLIPTextModel {
  public let configuration: TextConfiguration
  public let parameters: [Parameter]
  private let tokens: Embedding
  private let positions: Embedding
  private let layers: [TextLayer]
  private let normOut: LayerNorm

  /// - Throws: what the store's source throws.
  public init(_ configuration: TextConfiguration, _ store: ParameterStore) throws {
    let form = configuration
    self.configuration = form
    let root = store.root
    tokens = try Embedding(
      root["embeddings"]["token_embedding"], entries: form.vocabularySize, width: form.width)
    positions = try Embedding(
      root["embeddings"]["position_embedding"], entries: form.maximumLength, width: form.width)
    layers = try (0..<form.layers).map { try TextLayer(root["encoder"]["layers"][$0], form) }
    normOut = try LayerNorm(
      root["final_layer_norm"], channels: form.width, epsilon: Float(form.normEpsilon))
    parameters = store.parameters
  }

  /// - Parameter ids: of the tokens of each sentence, all equally many, at most the maximum length.
  /// - Returns: the last hidden state, `[batch, tokens, width]`.
  /// - Precondition: each id is one of the vocabulary's.
  public func callAsFunction(_ ids: [[Int]]) -> Variable {
    let length = ids[0].count
    precondition(ids.allSatisfy { $0.count == length }, "sentences of unequal length")
    let embedded = reshape(
      tokens(ids.flatMap { $0 }), [ids.count, length, configuration.width])
    var h = addToBatch(embedded, positions.first(length))
    for layer in layers { h = layer(h) }
    return normOut(h)
  }
}

/// Causal self-attention and a feed-forward layer, each beside a shortcut.
private struct TextLayer {
  let norm1: LayerNorm
  let queries: Linear
  let keys: Linear
  let values: Linear
  let output: Linear
  let norm2: LayerNorm
  let expand: Linear
  let contract: Linear
  let heads: Int
  let activation: Activation

  init(_ scope: Scope, _ form: TextConfiguration) throws {
    let width = form.width
    norm1 = try LayerNorm(
      scope["layer_norm1"], channels: width, epsilon: Float(form.normEpsilon))
    let attention = scope["self_attn"]
    queries = try Linear(attention["q_proj"], inputs: width, outputs: width)
    keys = try Linear(attention["k_proj"], inputs: width, outputs: width)
    values = try Linear(attention["v_proj"], inputs: width, outputs: width)
    output = try Linear(attention["out_proj"], inputs: width, outputs: width)
    norm2 = try LayerNorm(
      scope["layer_norm2"], channels: width, epsilon: Float(form.normEpsilon))
    expand = try Linear(scope["mlp"]["fc1"], inputs: width, outputs: form.hiddenWidth)
    contract = try Linear(scope["mlp"]["fc2"], inputs: form.hiddenWidth, outputs: width)
    heads = form.headCount
    activation =
      switch form.activation {
      case .quickGELU: .quickGELU
      case .gelu: .gelu
      }
  }

  func callAsFunction(_ x: Variable) -> Variable {
    let normal = norm1(x)
    let attended = attend(
      queries: queries(normal), keys: keys(normal), values: values(normal), heads: heads,
      causal: true)
    let h = output(attended, adding: x)
    return contract(activate(expand(norm2(h)), activation), adding: h)
  }
}
