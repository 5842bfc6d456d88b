// The layers that networks are made of. Each takes its parameters from a scope, by their names in PyTorch.

import Autodiff
import Tensors

/// A linear map of rows, `torch.nn.Linear`.
public struct Linear {
  let weight: Parameter
  let bias: Parameter?

  /// - Parameter pointwise: whether the weights are those of a 1x1 convolution on disk.
  public init(
    _ scope: Scope, inputs: Int, outputs: Int, bias: Bool = true, pointwise: Bool = false
  ) throws {
    weight = try scope.parameter(
      "weight", pointwise ? [outputs, inputs, 1, 1] : [outputs, inputs],
      pointwise ? .pointwise : .linear)
    self.bias = bias ? try scope.parameter("bias", [outputs]) : nil
  }

  /// `[…, inputs]` to `[…, outputs]`.
  /// - Parameter others: added to the result, of its shape.
  public func callAsFunction(_ x: Variable, adding others: Variable? = nil) -> Variable {
    let y = linear(x, weight.weights, bias: bias?.variable, adding: others)
    return weight.lora.map { $0(x, addedTo: y) } ?? y
  }
}

/// A convolution of pictures, `torch.nn.Conv2d`.
public struct Convolution {
  let weight: Parameter
  let bias: Parameter
  let geometry: ConvolutionGeometry

  public init(_ scope: Scope, inputs: Int, outputs: Int, _ geometry: ConvolutionGeometry) throws {
    weight = try scope.parameter(
      "weight", [outputs, inputs, geometry.kernel, geometry.kernel],
      geometry.hasStrips(inputs: inputs, outputs: outputs) ? .strips : .convolution)
    bias = try scope.parameter("bias", [outputs])
    self.geometry = geometry
  }

  /// `[batch, height, width, inputs]` to `[batch, rows, columns, outputs]`.
  public func callAsFunction(_ x: Variable) -> Variable {
    let y = convolve(x, weight.weights, bias: bias.variable, geometry)
    return weight.lora.map { $0(x, geometry, addedTo: y) } ?? y
  }

  /// The same of pictures twice as high and wide, in which each pixel stands four times: `[batch, height, width, inputs]` to
  /// `[batch, 2 height, 2 width, outputs]`.
  /// - Precondition: a kernel of 3x3 in its usual frame of zeros.
  public func upsampled(_ x: Variable) -> Variable {
    precondition(geometry == ConvolutionGeometry(kernel: 3), "a kernel of 3x3, not \(geometry)")
    let y = convolveUpsampled(x, weight.weights, bias: bias.variable)
    return weight.lora.map {
      $0(
        resizeNearest(x, height: y.shape[1], width: y.shape[2]), geometry, addedTo: y)
    } ?? y
  }
}

/// Group normalisation, `torch.nn.GroupNorm`, followed by SiLU where wanted.
public struct GroupNorm {
  let weight: Parameter
  let bias: Parameter
  let groups: Int
  let epsilon: Float

  public init(_ scope: Scope, channels: Int, groups: Int, epsilon: Float) throws {
    weight = try scope.parameter("weight", [channels])
    bias = try scope.parameter("bias", [channels])
    self.groups = groups
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Variable, silu: Bool = false) -> Variable {
    groupNorm(
      x, scale: weight.variable, shift: bias.variable, groups: groups, epsilon: epsilon, silu: silu)
  }
}

/// Layer normalisation of rows, `torch.nn.LayerNorm`.
public struct LayerNorm {
  let weight: Parameter
  let bias: Parameter
  let epsilon: Float

  public init(_ scope: Scope, channels: Int, epsilon: Float = 1e-5) throws {
    weight = try scope.parameter("weight", [channels])
    bias = try scope.parameter("bias", [channels])
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Variable) -> Variable {
    layerNorm(x, scale: weight.variable, shift: bias.variable, epsilon: epsilon)
  }
}

/// A table of vectors, `torch.nn.Embedding`.
public struct Embedding {
  let weight: Parameter

  public init(_ scope: Scope, entries: Int, width: Int) throws {
    weight = try scope.parameter("weight", [entries, width])
  }

  /// The vectors of the given entries, `[indices.count, width]`.
  public func callAsFunction(_ indices: [Int]) -> Variable { lookUp(weight.variable, indices) }

  /// The first `count` vectors, `[count, width]`.
  public func first(_ count: Int) -> Variable { lookUp(weight.variable, Array(0..<count)) }
}
