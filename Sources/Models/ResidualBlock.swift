// The blocks of convolutions that denoiser and autoencoder are made of.

import Autodiff
import Layers
import Tensors

/// Two convolutions beside a shortcut, diffusers' `ResnetBlock2D`.
struct ResidualBlock {
  private let norm1: GroupNorm
  private let conv1: Convolution
  private let timeProjection: Linear?
  private let norm2: GroupNorm
  private let conv2: Convolution
  private let shortcut: Linear?

  /// - Parameter timeWidth: of the timestep's embedding; nil for a block without one.
  init(
    _ scope: Scope, inputs: Int, outputs: Int, timeWidth: Int?, groups: Int, epsilon: Float
  ) throws {
    norm1 = try GroupNorm(scope["norm1"], channels: inputs, groups: groups, epsilon: epsilon)
    conv1 = try Convolution(scope["conv1"], inputs: inputs, outputs: outputs, .init(kernel: 3))
    timeProjection = try timeWidth.map {
      try Linear(scope["time_emb_proj"], inputs: $0, outputs: outputs)
    }
    norm2 = try GroupNorm(scope["norm2"], channels: outputs, groups: groups, epsilon: epsilon)
    conv2 = try Convolution(scope["conv2"], inputs: outputs, outputs: outputs, .init(kernel: 3))
    shortcut =
      inputs == outputs
      ? nil : try Linear(scope["conv_shortcut"], inputs: inputs, outputs: outputs, pointwise: true)
  }

  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]`.
  ///   - time: the activated embedding of the timesteps, `[batch, time width]`.
  /// - Returns: `[batch, height, width, outputs]`.
  func callAsFunction(_ x: Variable, time: Variable? = nil) -> Variable {
    var h = conv1(norm1(x, silu: true))
    if let timeProjection, let time { h = addToPixels(h, timeProjection(time)) }
    h = conv2(norm2(h, silu: true))
    return shortcut.map { $0(x, adding: h) } ?? x + h
  }
}

/// Halves a picture by a convolution of stride 2, diffusers' `Downsample2D`.
struct Downsampler {
  private let conv: Convolution

  /// - Parameter paddingBefore: 1 in denoisers; 0 in autoencoders, which pad after the last row and column alone.
  init(_ scope: Scope, channels: Int, paddingBefore: Int) throws {
    conv = try Convolution(
      scope["conv"], inputs: channels, outputs: channels,
      .init(kernel: 3, stride: 2, paddingBefore: paddingBefore, paddingAfter: 1))
  }

  func callAsFunction(_ x: Variable) -> Variable { conv(x) }
}

/// Enlarges a picture by repeating pixels and convolves it, diffusers' `Upsample2D`.
struct Upsampler {
  private let conv: Convolution

  init(_ scope: Scope, channels: Int) throws {
    conv = try Convolution(
      scope["conv"], inputs: channels, outputs: channels, .init(kernel: 3))
  }

  func callAsFunction(_ x: Variable, height: Int, width: Int) -> Variable {
    if height == 2 * x.shape[1], width == 2 * x.shape[2] { return conv.upsampled(x) }
    return conv(resizeNearest(x, height: height, width: width))
  }
}
