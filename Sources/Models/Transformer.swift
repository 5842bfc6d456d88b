// The attention of the denoiser: to the picture itself and to the sentence.

import Autodiff
import Layers
import Tensors

/// Attention of rows to rows, diffusers' `Attention`.
struct AttentionLayer {
  private let toQueries: Linear
  private let toKeys: Linear
  private let toValues: Linear
  private let toOutput: Linear
  private let heads: Int

  /// - Parameters:
  ///   - width: of what asks.
  ///   - contextWidth: of what is asked.
  ///   - bias: whether queries, keys and values have one; the output always does.
  init(_ scope: Scope, width: Int, contextWidth: Int, heads: Int, bias: Bool = false) throws {
    toQueries = try Linear(scope["to_q"], inputs: width, outputs: width, bias: bias)
    toKeys = try Linear(scope["to_k"], inputs: contextWidth, outputs: width, bias: bias)
    toValues = try Linear(scope["to_v"], inputs: contextWidth, outputs: width, bias: bias)
    toOutput = try Linear(scope["to_out"][0], inputs: width, outputs: width)
    self.heads = heads
  }

  /// - Parameters:
  ///   - x: `[batch, tokens, width]`.
  ///   - context: `[batch, context tokens, context width]`.
  ///   - others: added to the result, of the shape of `x`.
  func callAsFunction(_ x: Variable, context: Variable, adding others: Variable) -> Variable {
    toOutput(
      attend(
        queries: toQueries(x), keys: toKeys(context), values: toValues(context), heads: heads),
      adding: others)
  }
}

/// Self-attention, cross-attention and a feed-forward layer, diffusers' `BasicTransformerBlock`.
struct TransformerBlock {
  private let norm1: LayerNorm
  private let selfAttention: AttentionLayer
  private let norm2: LayerNorm
  private let crossAttention: AttentionLayer
  private let norm3: LayerNorm
  private let expand: Linear
  private let contract: Linear

  init(_ scope: Scope, width: Int, contextWidth: Int, heads: Int) throws {
    norm1 = try LayerNorm(scope["norm1"], channels: width)
    selfAttention = try AttentionLayer(
      scope["attn1"], width: width, contextWidth: width, heads: heads)
    norm2 = try LayerNorm(scope["norm2"], channels: width)
    crossAttention = try AttentionLayer(
      scope["attn2"], width: width, contextWidth: contextWidth, heads: heads)
    norm3 = try LayerNorm(scope["norm3"], channels: width)
    expand = try Linear(scope["ff"]["net"][0]["proj"], inputs: width, outputs: 8 * width)
    contract = try Linear(scope["ff"]["net"][2], inputs: 4 * width, outputs: width)
  }

  func callAsFunction(_ x: Variable, context: Variable) -> Variable {
    let own = norm1(x)
    var h = selfAttention(own, context: own, adding: x)
    h = crossAttention(norm2(h), context: context, adding: h)
    return contract(gatedGELU(expand(norm3(h))), adding: h)
  }
}

/// Transformer blocks over the pixels of a picture, diffusers' `Transformer2DModel`.
struct PictureTransformer {
  private let norm: GroupNorm
  private let projectIn: Linear
  private let blocks: [TransformerBlock]
  private let projectOut: Linear

  init(
    _ scope: Scope, channels: Int, contextWidth: Int, heads: Int, layers: Int, groups: Int,
    linearProjection: Bool
  ) throws {
    norm = try GroupNorm(scope["norm"], channels: channels, groups: groups, epsilon: 1e-6)
    projectIn = try Linear(
      scope["proj_in"], inputs: channels, outputs: channels, pointwise: !linearProjection)
    blocks = try (0..<layers).map { index in
      try TransformerBlock(
        scope["transformer_blocks"][index], width: channels, contextWidth: contextWidth,
        heads: heads)
    }
    projectOut = try Linear(
      scope["proj_out"], inputs: channels, outputs: channels, pointwise: !linearProjection)
  }

  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - context: `[batch, tokens, context width]`.
  func callAsFunction(_ x: Variable, context: Variable) -> Variable {
    let shape = x.shape
    let rows = Shape([shape[0], shape[1] * shape[2], shape[3]])
    var tokens = projectIn(reshape(norm(x), rows))
    for block in blocks { tokens = block(tokens, context: context) }
    return reshape(projectOut(tokens, adding: reshape(x, rows)), shape)
  }
}
