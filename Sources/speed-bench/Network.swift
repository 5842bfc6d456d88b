// Which operations a pass through a network takes, without running it: the shapes go through it, and each operation is
// noted. It follows Sources/Models; the sums are held to what PyTorch counts by the tests.

import Models
import Tensors
import Weights

/// What flows through a network: the shape of a tensor, and what it was made of.
struct Flow {
  var shape: Shape
  /// Whether the embedding of the sentence is in it, whose gradient an embedding step wants.
  var isOfContext = false
  /// Whether any weight is in it, whose gradient a fine-tuning step wants.
  var isOfWeights = false

  func reshaped(_ shape: Shape) -> Flow {
    var result = self
    result.shape = shape
    return result
  }

  /// The sum, of the shape of the left one.
  static func + (a: Flow, b: Flow) -> Flow {
    Flow(
      shape: a.shape, isOfContext: a.isOfContext || b.isOfContext,
      isOfWeights: a.isOfWeights || b.isOfWeights)
  }
}

/// The operations of a pass through a network, in their order.
final class Network {
  struct Use {
    let operation: Operation
    /// One; of attention the queries, the keys and the values.
    let inputs: [Flow]
  }

  private(set) var uses: [Use] = []
  /// The shapes of the weights that an optimiser goes through, biases and norms left out.
  private(set) var weights: [Shape] = []

  /// What a step differentiates by.
  enum Gradients {
    case none, context, weights
  }

  /// Floating-point operations of a step, counted as ``Operation/flops(_:)`` does.
  func flops(_ gradients: Gradients) -> Int {
    uses.reduce(0) { $0 + $1.operation.flops(.forward) + backwardFlops($1, gradients) }
  }

  private func backwardFlops(_ use: Use, _ gradients: Gradients) -> Int {
    let wanted = use.inputs.map { input in
      switch gradients {
      case .none: false
      case .context: input.isOfContext
      case .weights: input.isOfWeights
      }
    }
    if case .attention = use.operation.kind {
      // Of four equal products, one goes to the values' gradient, and one to the weights' that the other two need.
      let (ofQueries, ofKeys, ofValues) = (wanted[0], wanted[1], wanted[2])
      let products = [ofValues, ofQueries || ofKeys, ofQueries, ofKeys].count { $0 }
      return products * use.operation.flops(.backward) / 4
    }
    return (wanted[0] ? use.operation.flops(.inputGradient) : 0)
      + (gradients == .weights ? use.operation.flops(.weightGradient) : 0)
  }

  /// How often each operation is used, in the order of the first use.
  var counts: [(Operation, Int)] {
    var order: [Operation] = []
    var counts: [Operation: Int] = [:]
    for use in uses {
      if counts[use.operation] == nil { order.append(use.operation) }
      counts[use.operation, default: 0] += 1
    }
    return order.map { ($0, counts[$0]!) }
  }

  private func note(
    _ kind: Operation.Kind, _ inputs: Flow..., to shape: Shape, hasWeights: Bool = true
  ) -> Flow {
    uses.append(Use(operation: Operation(kind: kind, input: inputs[0].shape), inputs: inputs))
    var result = inputs.dropFirst().reduce(inputs[0], +).reshaped(shape)
    if hasWeights { result.isOfWeights = true }
    return result
  }

  // MARK: - Layers

  private func convolution(_ x: Flow, _ outputs: Int, _ geometry: ConvolutionGeometry) -> Flow {
    weights.append([geometry.kernel, geometry.kernel, x.shape.last, outputs])
    let (rows, columns) = (geometry.outputExtent(x.shape[1]), geometry.outputExtent(x.shape[2]))
    return note(
      .convolution(outputs: outputs, geometry), x, to: [x.shape[0], rows, columns, outputs])
  }

  private func linear(_ x: Flow, _ outputs: Int) -> Flow {
    weights.append([x.shape.last, outputs])
    // Rows are rows: pictures and sequences of as many make the same product.
    let rows = x.reshaped([x.shape.rows, x.shape.last])
    let shape = Shape(x.shape.array.dropLast() + [outputs])
    return note(.linear(outputs: outputs), rows, to: shape)
  }

  private func groupNorm(_ x: Flow, _ groups: Int, silu: Bool) -> Flow {
    note(.groupNorm(groups: groups, silu: silu), x, to: x.shape)
  }

  private func layerNorm(_ x: Flow) -> Flow { note(.layerNorm, x, to: x.shape) }

  private func activate(_ x: Flow, _ activation: Activation) -> Flow {
    note(.activation(activation), x, to: x.shape, hasWeights: false)
  }

  private func attention(_ x: Flow, _ context: Flow, heads: Int, causal: Bool = false) -> Flow {
    let width = x.shape.last
    let (queries, keys, values) = (linear(x, width), linear(context, width), linear(context, width))
    let attended = note(
      .attention(heads: heads, keys: context.shape[1], causal: causal), queries, keys, values,
      to: x.shape, hasWeights: false)
    return linear(attended, width)
  }

  private func residual(_ x: Flow, time: Flow?, _ outputs: Int, groups: Int) -> Flow {
    var h = convolution(groupNorm(x, groups, silu: true), outputs, .init(kernel: 3))
    if let time { h = h + linear(time, outputs) }
    h = convolution(groupNorm(h, groups, silu: true), outputs, .init(kernel: 3))
    return h + (x.shape.last == outputs ? x : linear(x, outputs))
  }

  private func upsampled(_ x: Flow, height: Int, width: Int) -> Flow {
    let shape: Shape = [x.shape[0], height, width, x.shape.last]
    guard height == 2 * x.shape[1], width == 2 * x.shape[2] else {
      return convolution(x.reshaped(shape), x.shape.last, .init(kernel: 3))
    }
    weights.append([3, 3, x.shape.last, x.shape.last])
    return note(.upsampledConvolution(outputs: x.shape.last), x, to: shape)
  }

  // MARK: - Denoiser

  /// The denoiser on latents of the given extents.
  init(
    _ form: UNetConfiguration, batch: Int, height: Int, width: Int, tokens: Int
  ) {
    let channels = form.channels
    let last = channels.count - 1
    let context = Flow(shape: [batch, tokens, form.crossAttentionWidth], isOfContext: true)
    let sinusoids = Flow(shape: [batch, channels[0]])
    let time = activate(
      linear(activate(linear(sinusoids, form.timeWidth), .silu), form.timeWidth), .silu)

    func residual(_ x: Flow, _ level: Int) -> Flow {
      self.residual(x, time: time, channels[level], groups: form.normGroups)
    }
    func transformer(_ x: Flow, _ level: Int) -> Flow {
      pictureTransformer(x, context, form, level)
    }

    let sample = Flow(shape: [batch, height, width, form.inChannels])
    var h = convolution(sample, channels[0], .init(kernel: 3))
    var skips = [h]
    for level in channels.indices {
      for _ in 0..<form.layers[level] {
        h = residual(h, level)
        if form.downBlocks[level] == .crossAttention { h = transformer(h, level) }
        skips.append(h)
      }
      if level < last {
        h = convolution(h, channels[level], .init(kernel: 3, stride: 2))
        skips.append(h)
      }
    }
    if let kind = form.middleBlock {
      h = residual(h, last)
      if kind == .crossAttention { h = residual(transformer(h, last), last) }
    }
    for (index, level) in channels.indices.reversed().enumerated() {
      for _ in 0...form.layers[level] {
        let skip = skips.removeLast()
        let joined = (h + skip).reshaped(
          Shape(h.shape.array.dropLast() + [h.shape.last + skip.shape.last]))
        h = residual(joined, level)
        if form.upBlocks[index] == .crossAttention { h = transformer(h, level) }
      }
      if level > 0, let next = skips.last {
        h = upsampled(h, height: next.shape[1], width: next.shape[2])
      }
    }
    _ = convolution(
      groupNorm(h, form.normGroups, silu: true), form.outChannels, .init(kernel: 3))
  }

  private func pictureTransformer(
    _ x: Flow, _ context: Flow, _ form: UNetConfiguration, _ level: Int
  ) -> Flow {
    let (shape, width) = (x.shape, x.shape.last)
    var h = groupNorm(x, form.normGroups, silu: false)
      .reshaped([shape[0], shape[1] * shape[2], width])
    h = linear(h, width)
    for _ in 0..<form.transformerLayers[level] {
      let own = layerNorm(h)
      h = attention(own, own, heads: form.headCounts[level]) + h
      h = attention(layerNorm(h), context, heads: form.headCounts[level]) + h
      let expanded = linear(layerNorm(h), 8 * width)
      let gated = note(
        .gatedGELU, expanded, to: [shape[0], shape[1] * shape[2], 4 * width], hasWeights: false)
      h = linear(gated, width) + h
    }
    return linear(h, width).reshaped(shape) + x
  }

  // MARK: - Autoencoder

  /// Half of the autoencoder, on one square picture.
  /// - Parameter side: of the picture, in pixels.
  init(_ form: AutoencoderConfiguration, encoding: Bool, side: Int) {
    if encoding {
      encode(form, side)
    } else {
      decode(form, side / form.factor)
    }
  }

  private func encode(_ form: AutoencoderConfiguration, _ side: Int) {
    var h = convolution(
      Flow(shape: [1, side, side, form.inChannels]), form.channels[0], .init(kernel: 3))
    for (level, channels) in form.channels.enumerated() {
      for _ in 0..<form.layers {
        h = residual(h, time: nil, channels, groups: form.normGroups)
      }
      if level < form.channels.count - 1 {
        h = convolution(
          h, channels, .init(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1))
      }
    }
    h = groupNorm(middle(h, form), form.normGroups, silu: true)
    h = convolution(h, 2 * form.latentChannels, .init(kernel: 3))
    if form.hasQuantConvolution { _ = linear(h, 2 * form.latentChannels) }
  }

  private func decode(_ form: AutoencoderConfiguration, _ side: Int) {
    var h = Flow(shape: [1, side, side, form.latentChannels])
    if form.hasPostQuantConvolution { h = linear(h, form.latentChannels) }
    h = middle(convolution(h, form.channels.last!, .init(kernel: 3)), form)
    for (index, channels) in form.channels.reversed().enumerated() {
      for _ in 0...form.layers {
        h = residual(h, time: nil, channels, groups: form.normGroups)
      }
      if index < form.channels.count - 1 {
        h = upsampled(h, height: 2 * h.shape[1], width: 2 * h.shape[2])
      }
    }
    _ = convolution(
      groupNorm(h, form.normGroups, silu: true), form.outChannels, .init(kernel: 3))
  }

  private func middle(_ x: Flow, _ form: AutoencoderConfiguration) -> Flow {
    let (shape, channels) = (x.shape, x.shape.last)
    var h = residual(x, time: nil, channels, groups: form.normGroups)
    if form.hasMiddleAttention {
      let tokens = groupNorm(h, form.normGroups, silu: false)
        .reshaped([shape[0], shape[1] * shape[2], channels])
      h = h + attention(tokens, tokens, heads: 1)
    }
    return residual(h, time: nil, channels, groups: form.normGroups)
  }

  // MARK: - Text encoder

  /// The encoder of one sentence.
  init(_ form: TextConfiguration, tokens: Int) {
    var h = Flow(shape: [1, tokens, form.width], isOfWeights: true)
    let activation: Activation =
      switch form.activation {
      case .quickGELU: .quickGELU
      case .gelu: .gelu
      }
    for _ in 0..<form.layers {
      let normal = layerNorm(h)
      h = attention(normal, normal, heads: form.headCount, causal: true) + h
      h = linear(activate(linear(layerNorm(h), form.hiddenWidth), activation), form.width) + h
    }
    _ = layerNorm(h)
  }
}
