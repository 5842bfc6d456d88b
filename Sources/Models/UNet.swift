// The denoiser, diffusers' `UNet2DConditionModel` as Stable Diffusion 1.x and 2.x have it.

import Autodiff
import Foundation
import Layers
import Tensors
import Weights

/// Predicts, from a noisy latent, its timestep and the embedding of a sentence, the noise in it (or its velocity).
public final class UNet2DConditionModel {
  public let configuration: UNetConfiguration
  /// In the order of the network.
  public let parameters: [Parameter]

  private let timeIn: Linear
  private let timeOut: Linear
  private let convIn: Convolution
  private let down: [DownBlock]
  private let middle: MiddleBlock?
  private let up: [UpBlock]
  private let normOut: GroupNorm
  private let convOut: Convolution

  /// - Parameters:
  ///   - configuration: the form of the network.
  ///   - store: where the parameters come from.
  /// - Throws: what the store's source throws.
  public init(_ configuration: UNetConfiguration, _ store: ParameterStore) throws {
    let form = configuration
    self.configuration = form
    let root = store.root
    let channels = form.channels
    let levels = channels.count
    let builder = BlockBuilder(form: form)

    timeIn = try Linear(
      root["time_embedding"]["linear_1"], inputs: channels[0], outputs: form.timeWidth)
    timeOut = try Linear(
      root["time_embedding"]["linear_2"], inputs: form.timeWidth, outputs: form.timeWidth)
    convIn = try Convolution(
      root["conv_in"], inputs: form.inChannels, outputs: channels[0], .init(kernel: 3))
    down = try (0..<levels).map { level in
      try DownBlock(
        root["down_blocks"][level], builder, level: level,
        inputs: channels[max(0, level - 1)], isLast: level == levels - 1)
    }
    middle = try form.middleBlock.map { kind in
      try MiddleBlock(root["mid_block"], builder, level: levels - 1, kind)
    }
    up = try (0..<levels).map { index in
      let level = levels - 1 - index
      return try UpBlock(
        root["up_blocks"][index], builder, level: level, kind: form.upBlocks[index],
        inputs: channels[min(levels - 1, level + 1)], skip: channels[max(0, level - 1)],
        isLast: level == 0)
    }
    normOut = try GroupNorm(
      root["conv_norm_out"], channels: channels[0], groups: form.normGroups,
      epsilon: Float(form.normEpsilon))
    convOut = try Convolution(
      root["conv_out"], inputs: channels[0], outputs: form.outChannels, .init(kernel: 3))
    parameters = store.parameters
  }

  /// - Parameters:
  ///   - sample: noisy latents, `[batch, height, width, in channels]`; any height and width.
  ///   - timesteps: one for each of the batch, of the schedule's training steps.
  ///   - context: embeddings of sentences, `[batch, tokens, cross-attention width]`.
  /// - Returns: `[batch, height, width, out channels]`.
  public func callAsFunction(_ sample: Variable, timesteps: [Int], context: Variable) -> Variable {
    precondition(timesteps.count == sample.shape[0] && context.shape[0] == sample.shape[0])
    let time = activate(
      timeOut(activate(timeIn(Variable(sinusoids(timesteps))), .silu)), .silu)
    var sample = sample
    if configuration.centersInput {
      sample = 2 * sample + Variable(Tensor(repeating: -1, sample.shape))
    }
    var h = convIn(sample)
    var skips = [h]
    for block in down { h = block(h, time: time, context: context, skips: &skips) }
    if let middle { h = middle(h, time: time, context: context) }
    for block in up { h = block(h, time: time, context: context, skips: &skips) }
    return convOut(normOut(h, silu: true))
  }

  /// The embedding of timesteps by sines and cosines, diffusers' `get_timestep_embedding`: frequencies
  /// `10000^(-i / (half - shift))`. `[timesteps, channels[0]]`.
  private func sinusoids(_ timesteps: [Int]) -> Tensor {
    let width = configuration.channels[0]
    let half = width / 2
    let result = Tensor(zeros: [timesteps.count, width])
    for (row, timestep) in timesteps.enumerated() {
      for index in 0..<half {
        // In single precision as PyTorch has it: at timestep 999 the rounding of a frequency shows.
        let exponent =
          -Float(log(10_000.0)) * Float(index)
          / Float(Double(half) - configuration.frequencyShift)
        let angle = Double(Float(timestep) * Float(exp(Double(exponent))))
        let (sine, cosine) = (Float(sin(angle)), Float(cos(angle)))
        let line = result.pointer + row * width
        line[index] = configuration.flipsSineToCosine ? cosine : sine
        line[half + index] = configuration.flipsSineToCosine ? sine : cosine
      }
    }
    return result
  }
}

/// Makes the parts of blocks from the form of the network.
private struct BlockBuilder {
  let form: UNetConfiguration

  func residual(_ scope: Scope, inputs: Int, outputs: Int) throws -> ResidualBlock {
    try ResidualBlock(
      scope, inputs: inputs, outputs: outputs, timeWidth: form.timeWidth, groups: form.normGroups,
      epsilon: Float(form.normEpsilon))
  }

  func transformer(_ scope: Scope, level: Int) throws -> PictureTransformer {
    try PictureTransformer(
      scope, channels: form.channels[level], contextWidth: form.crossAttentionWidth,
      heads: form.headCounts[level], layers: form.transformerLayers[level],
      groups: form.normGroups, linearProjection: form.usesLinearProjection)
  }
}

/// `DownBlock2D` and `CrossAttnDownBlock2D`.
private struct DownBlock {
  let residuals: [ResidualBlock]
  let transformers: [PictureTransformer]
  let downsampler: Downsampler?

  init(_ scope: Scope, _ builder: BlockBuilder, level: Int, inputs: Int, isLast: Bool) throws {
    let outputs = builder.form.channels[level]
    let layers = builder.form.layers[level]
    residuals = try (0..<layers).map { index in
      try builder.residual(
        scope["resnets"][index], inputs: index == 0 ? inputs : outputs, outputs: outputs)
    }
    transformers =
      builder.form.downBlocks[level] == .crossAttention
      ? try (0..<layers).map { try builder.transformer(scope["attentions"][$0], level: level) } : []
    downsampler =
      isLast
      ? nil : try Downsampler(scope["downsamplers"][0], channels: outputs, paddingBefore: 1)
  }

  func callAsFunction(
    _ x: Variable, time: Variable, context: Variable, skips: inout [Variable]
  ) -> Variable {
    var h = x
    for (index, residual) in residuals.enumerated() {
      h = residual(h, time: time)
      if !transformers.isEmpty { h = transformers[index](h, context: context) }
      skips.append(h)
    }
    if let downsampler {
      h = downsampler(h)
      skips.append(h)
    }
    return h
  }
}

/// `UNetMidBlock2DCrossAttn`, and `UNetMidBlock2D`, which has one residual block alone.
private struct MiddleBlock {
  let first: ResidualBlock
  let transformer: PictureTransformer?
  let second: ResidualBlock?

  init(
    _ scope: Scope, _ builder: BlockBuilder, level: Int, _ kind: UNetConfiguration.MiddleBlock
  ) throws {
    let channels = builder.form.channels[level]
    let attends = kind == .crossAttention
    // The order of diffusers' state: attentions stand before resnets there, but a scope finds each by its name.
    first = try builder.residual(scope["resnets"][0], inputs: channels, outputs: channels)
    transformer =
      attends ? try builder.transformer(scope["attentions"][0], level: level) : nil
    second =
      attends
      ? try builder.residual(scope["resnets"][1], inputs: channels, outputs: channels) : nil
  }

  func callAsFunction(_ x: Variable, time: Variable, context: Variable) -> Variable {
    var h = first(x, time: time)
    if let transformer { h = transformer(h, context: context) }
    if let second { h = second(h, time: time) }
    return h
  }
}

/// `UpBlock2D` and `CrossAttnUpBlock2D`.
private struct UpBlock {
  let residuals: [ResidualBlock]
  let transformers: [PictureTransformer]
  let upsampler: Upsampler?

  /// - Parameters:
  ///   - inputs: the channels of what comes from the coarser level.
  ///   - skip: the channels of the last skip, which comes from the finer level's end.
  init(
    _ scope: Scope, _ builder: BlockBuilder, level: Int, kind: UNetConfiguration.UpBlock,
    inputs: Int, skip: Int, isLast: Bool
  ) throws {
    let outputs = builder.form.channels[level]
    let layers = builder.form.layers[level] + 1
    residuals = try (0..<layers).map { index in
      try builder.residual(
        scope["resnets"][index],
        inputs: (index == 0 ? inputs : outputs) + (index == layers - 1 ? skip : outputs),
        outputs: outputs)
    }
    transformers =
      kind == .crossAttention
      ? try (0..<layers).map { try builder.transformer(scope["attentions"][$0], level: level) } : []
    upsampler = isLast ? nil : try Upsampler(scope["upsamplers"][0], channels: outputs)
  }

  func callAsFunction(
    _ x: Variable, time: Variable, context: Variable, skips: inout [Variable]
  ) -> Variable {
    var h = x
    for (index, residual) in residuals.enumerated() {
      h = residual(joinChannels(h, skips.removeLast()), time: time)
      if !transformers.isEmpty { h = transformers[index](h, context: context) }
    }
    if let upsampler, let next = skips.last {
      // An odd extent was rounded up on the way down, so the size is that of the skip that comes next.
      h = upsampler(h, height: next.shape[1], width: next.shape[2])
    }
    return h
  }
}
