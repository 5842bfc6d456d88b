// The operations that networks are made of, by their extents, with their arithmetic and the memory they have to move.

import Tensors

/// An operation of a network at certain extents.
struct Operation: Hashable {
  enum Kind: Hashable {
    /// Of pictures `[batch, height, width, inputs]`.
    case convolution(outputs: Int, ConvolutionGeometry)
    /// With a kernel of 3x3, of pictures `[batch, height, width, inputs]` at twice their height and width.
    case upsampledConvolution(outputs: Int)
    /// Of rows `[…, inputs]`.
    case linear(outputs: Int)
    /// Of queries `[batch, queries, width]` to as wide keys and values.
    case attention(heads: Int, keys: Int, causal: Bool)
    case groupNorm(groups: Int, silu: Bool)
    case layerNorm
    case activation(Activation)
    /// Of rows `[…, 2 n]`.
    case gatedGELU
    /// A step of the optimiser over a tensor.
    case adam
  }

  /// A part of an operation that is timed by itself.
  enum Pass: String, CaseIterable {
    case forward
    case inputGradient = "input-gradient"
    case weightGradient = "weight-gradient"
    /// Every gradient at once, of an operation that has one function for them.
    case backward
  }

  var kind: Kind
  /// The shape of the input.
  var input: Shape

  var passes: [Pass] {
    switch kind {
    case .convolution, .upsampledConvolution, .linear:
      [.forward, .inputGradient, .weightGradient]
    case .adam: [.forward]
    default: [.forward, .backward]
    }
  }

  /// Batch and positions of what a convolution makes.
  private func outputPositions(_ geometry: ConvolutionGeometry) -> Int {
    input[0] * geometry.outputExtent(input[1]) * geometry.outputExtent(input[2])
  }

  /// Floating-point operations of a pass, a multiplication and an addition as two: of the direct algorithm, whichever is
  /// taken, and without what a backward computes again. 0 for what memory bounds.
  func flops(_ pass: Pass) -> Int {
    switch kind {
    case .convolution(let outputs, let geometry):
      2 * outputPositions(geometry) * geometry.kernel * geometry.kernel * input.last * outputs
    case .upsampledConvolution(let outputs): 2 * 4 * 9 * input.count * outputs
    case .linear(let outputs): 2 * input.count * outputs
    case .attention(_, let keys, _):
      // Two products forward. Backward each has two gradients.
      (pass == .forward ? 4 : 8) * input.count * keys
    default: 0
    }
  }

  /// The least that a pass has to read and write, in bytes: every operand once, every result once. 0 for what arithmetic
  /// bounds.
  func bytes(_ pass: Pass) -> Int {
    let floats =
      switch kind {
      case .groupNorm, .layerNorm, .activation: (pass == .forward ? 2 : 3) * input.count
      case .gatedGELU: (pass == .forward ? 3 : 5) * (input.count / 2)
      // Value, gradient and two moments read; all but the gradient written.
      case .adam: 7 * input.count
      default: 0
      }
    return floats * MemoryLayout<Float>.stride
  }

  /// Such as `conv3x3-320-640-32x32`; no two operations of a model with the same name differ.
  var name: String {
    let extents = input.array.map(String.init)
    let outer = extents.dropLast().joined(separator: "x")
    let all = extents.joined(separator: "x")
    switch kind {
    case .convolution(let outputs, let geometry):
      let stride = geometry.stride == 1 ? "" : "s\(geometry.stride)"
      return "conv\(geometry.kernel)x\(geometry.kernel)\(stride)-\(input.last)-\(outputs)-"
        + extents[1...2].joined(separator: "x")
    case .upsampledConvolution(let outputs):
      return "upsampled-conv3x3-\(input.last)-\(outputs)-\(2 * input[1])x\(2 * input[2])"
    case .linear(let outputs): return "linear-\(input.last)-\(outputs)-\(outer)"
    case .attention(let heads, let keys, _):
      let what = keys == input[1] ? "self" : "cross"
      return "\(what)-attention-\(heads)x\(input.last / heads)-\(input[1])x\(keys)"
    case .groupNorm(_, let silu): return "group-norm\(silu ? "-silu" : "")-\(all)"
    case .layerNorm: return "layer-norm-\(all)"
    case .activation(let activation): return "\(activation)-\(all)"
    case .gatedGELU: return "gated-gelu-\(all)"
    case .adam: return "adam-\(all)"
    }
  }
}
