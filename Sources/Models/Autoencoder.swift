// Pictures to latents and back, diffusers' `AutoencoderKL`.

import Autodiff
import Layers
import Tensors
import Weights

/// An autoencoder whose latents are `factor` times smaller than pictures in both directions.
public final class AutoencoderKL {
  public let configuration: AutoencoderConfiguration
  public let parameters: [Parameter]
  private let encoder: Encoder
  private let decoder: Decoder
  private let quantConvolution: Linear?
  private let postQuantConvolution: Linear?

  /// - Throws: what the store's source throws.
  public init(_ configuration: AutoencoderConfiguration, _ store: ParameterStore) throws {
    let form = configuration
    self.configuration = form
    let root = store.root
    encoder = try Encoder(root["encoder"], form)
    decoder = try Decoder(root["decoder"], form)
    let latent = form.latentChannels
    quantConvolution =
      form.hasQuantConvolution
      ? try Linear(root["quant_conv"], inputs: 2 * latent, outputs: 2 * latent, pointwise: true)
      : nil
    postQuantConvolution =
      form.hasPostQuantConvolution
      ? try Linear(root["post_quant_conv"], inputs: latent, outputs: latent, pointwise: true) : nil
    parameters = store.parameters
  }

  /// The mean and the logarithm of the variance of a picture's latent, side by side, not yet scaled.
  ///
  /// - Parameter image: `[batch, height, width, 3]` in [-1, 1]; the factor divides height and width.
  /// - Returns: `[batch, height / factor, width / factor, 2 * latent channels]`. Diffusers clamps the second half to
  ///   [-30, 20] where it is used.
  public func moments(_ image: Variable) -> Variable {
    let moments = encoder(image)
    return quantConvolution?(moments) ?? moments
  }

  /// The mean and the logarithm of the variance of a picture's latent, not yet scaled; the latter within [-30, 20].
  public func encode(_ image: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let all = moments(Variable(image)).value
    let latent = configuration.latentChannels
    return (
      all.channels(0..<latent), all.channels(latent..<(2 * latent)).clamped(to: -30...20)
    )
  }

  /// - Parameter latent: `[batch, height, width, latent channels]`, not scaled.
  /// - Returns: pictures about [-1, 1], `[batch, height * factor, width * factor, 3]`.
  public func decode(_ latent: Variable) -> Variable {
    decoder(postQuantConvolution?(latent) ?? latent)
  }

  /// A picture's latent as the denoiser takes it: its mean, scaled.
  public func latent(of image: Tensor) -> Tensor {
    Float(configuration.scalingFactor) * encode(image).mean
  }

  /// The picture of a latent as the denoiser gives it.
  public func image(of latent: Tensor) -> Tensor {
    decode(Variable(Float(1 / configuration.scalingFactor) * latent)).value
  }
}

private let epsilon: Float = 1e-6

/// Attention of every pixel to every pixel with one head, between two residual blocks: `UNetMidBlock2D`.
private struct AutoencoderMiddle {
  let first: ResidualBlock
  let norm: GroupNorm?
  let attention: AttentionLayer?
  let second: ResidualBlock

  init(_ scope: Scope, channels: Int, _ form: AutoencoderConfiguration) throws {
    func residual(_ index: Int) throws -> ResidualBlock {
      try ResidualBlock(
        scope["resnets"][index], inputs: channels, outputs: channels, timeWidth: nil,
        groups: form.normGroups, epsilon: epsilon)
    }
    first = try residual(0)
    let place = scope["attentions"][0]
    norm =
      form.hasMiddleAttention
      ? try GroupNorm(
        place["group_norm"], channels: channels, groups: form.normGroups, epsilon: epsilon) : nil
    attention =
      form.hasMiddleAttention
      ? try AttentionLayer(place, width: channels, contextWidth: channels, heads: 1, bias: true)
      : nil
    second = try residual(1)
  }

  func callAsFunction(_ x: Variable) -> Variable {
    var h = first(x)
    if let norm, let attention {
      let shape = h.shape
      let rows = Shape([shape[0], shape[1] * shape[2], shape[3]])
      let tokens = reshape(norm(h), rows)
      h = reshape(attention(tokens, context: tokens, adding: reshape(h, rows)), shape)
    }
    return second(h)
  }
}

private struct Encoder {
  let convIn: Convolution
  let levels: [(residuals: [ResidualBlock], downsampler: Downsampler?)]
  let middle: AutoencoderMiddle
  let normOut: GroupNorm
  let convOut: Convolution

  init(_ scope: Scope, _ form: AutoencoderConfiguration) throws {
    let channels = form.channels
    convIn = try Convolution(
      scope["conv_in"], inputs: form.inChannels, outputs: channels[0], .init(kernel: 3))
    levels = try channels.indices.map { level in
      let place = scope["down_blocks"][level]
      let residuals = try (0..<form.layers).map { index in
        try ResidualBlock(
          place["resnets"][index],
          inputs: index == 0 ? channels[max(0, level - 1)] : channels[level],
          outputs: channels[level], timeWidth: nil, groups: form.normGroups, epsilon: epsilon)
      }
      let isLast = level == channels.count - 1
      return (
        residuals,
        isLast
          ? nil
          : try Downsampler(place["downsamplers"][0], channels: channels[level], paddingBefore: 0)
      )
    }
    let last = channels[channels.count - 1]
    middle = try AutoencoderMiddle(scope["mid_block"], channels: last, form)
    normOut = try GroupNorm(
      scope["conv_norm_out"], channels: last, groups: form.normGroups, epsilon: epsilon)
    convOut = try Convolution(
      scope["conv_out"], inputs: last, outputs: 2 * form.latentChannels, .init(kernel: 3))
  }

  func callAsFunction(_ x: Variable) -> Variable {
    var h = convIn(x)
    for level in levels {
      for residual in level.residuals { h = residual(h) }
      if let downsampler = level.downsampler { h = downsampler(h) }
    }
    return convOut(normOut(middle(h), silu: true))
  }
}

private struct Decoder {
  let convIn: Convolution
  let middle: AutoencoderMiddle
  let levels: [(residuals: [ResidualBlock], upsampler: Upsampler?)]
  let normOut: GroupNorm
  let convOut: Convolution

  init(_ scope: Scope, _ form: AutoencoderConfiguration) throws {
    let channels = Array(form.channels.reversed())
    convIn = try Convolution(
      scope["conv_in"], inputs: form.latentChannels, outputs: channels[0], .init(kernel: 3))
    middle = try AutoencoderMiddle(scope["mid_block"], channels: channels[0], form)
    levels = try channels.indices.map { level in
      let place = scope["up_blocks"][level]
      let residuals = try (0..<(form.layers + 1)).map { index in
        try ResidualBlock(
          place["resnets"][index],
          inputs: index == 0 ? channels[max(0, level - 1)] : channels[level],
          outputs: channels[level], timeWidth: nil, groups: form.normGroups, epsilon: epsilon)
      }
      let isLast = level == channels.count - 1
      return (
        residuals, isLast ? nil : try Upsampler(place["upsamplers"][0], channels: channels[level])
      )
    }
    let last = channels[channels.count - 1]
    normOut = try GroupNorm(
      scope["conv_norm_out"], channels: last, groups: form.normGroups, epsilon: epsilon)
    convOut = try Convolution(
      scope["conv_out"], inputs: last, outputs: form.outChannels, .init(kernel: 3))
  }

  func callAsFunction(_ x: Variable) -> Variable {
    var h = middle(convIn(x))
    for level in levels {
      for residual in level.residuals { h = residual(h) }
      if let upsampler = level.upsampler {
        h = upsampler(h, height: 2 * h.shape[1], width: 2 * h.shape[2])
      }
    }
    return convOut(normOut(h, silu: true))
  }
}
