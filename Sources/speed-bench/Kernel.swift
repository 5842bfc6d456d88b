// Kernels by themselves: each pass of an operation of a network, on random operands.

import Tensors

/// One pass of an operation of a model, to be timed.
struct Kernel {
  /// Which model's extents these are, such as `sd-512`.
  let model: String
  let operation: Operation
  let pass: Operation.Pass
  /// How often a forward of the model, or a step of its optimiser, uses the operation.
  let uses: Int

  var name: String {
    let passes = operation.passes.count > 1 ? "/\(pass.rawValue)" : ""
    return "\(model)/\(operation.name)\(passes)"
  }

  /// The kernel on operands of its own, ready to be repeated.
  func work() -> () -> Void {
    let x = evenTensor(operation.input)
    switch operation.kind {
    case .convolution(let outputs, let geometry): return convolutionWork(x, outputs, geometry)
    case .upsampledConvolution(let outputs): return upsampledConvolutionWork(x, outputs)
    case .linear(let outputs): return linearWork(x, outputs)
    case .attention(let heads, let keys, let causal):
      return attentionWork(x, heads: heads, keys: keys, causal: causal)
    case .groupNorm(let groups, let silu): return groupNormWork(x, groups: groups, silu: silu)
    case .layerNorm: return layerNormWork(x)
    case .activation(let activation):
      let gradient = evenTensor(x.shape)
      return pass == .forward
        ? { _ = x.applying(activation) } : { _ = x.activationGradient(activation, gradient) }
    case .gatedGELU:
      let gradient = evenTensor([x.shape.rows, x.shape.last / 2])
      return pass == .forward ? { _ = x.gatedGELU() } : { _ = x.gatedGELUGradient(gradient) }
    case .adam:
      let (gradient, mean) = (evenTensor(x.shape), Tensor(zeros: x.shape))
      let variance = Tensor(zeros: x.shape)
      let step = AdamStep(learningRate: 1e-6, step: 1)
      return { step.apply(to: x, gradient: gradient, mean: mean, variance: variance) }
    }
  }

  private func convolutionWork(
    _ x: Tensor, _ outputs: Int, _ geometry: ConvolutionGeometry
  ) -> () -> Void {
    let weights = evenTensor(geometry.weightsShape(inputs: x.shape.last, outputs: outputs))
    let bias = evenTensor([outputs])
    if pass == .forward { return { _ = convolution(x, weights, bias: bias, geometry) } }
    let gradient = evenTensor([
      x.shape[0], geometry.outputExtent(x.shape[1]), geometry.outputExtent(x.shape[2]), outputs,
    ])
    return pass == .inputGradient
      ? { _ = convolutionInputGradient(gradient, weights, inputShape: x.shape, geometry) }
      : { _ = convolutionWeightGradient(x, gradient, geometry) }
  }

  private func upsampledConvolutionWork(_ x: Tensor, _ outputs: Int) -> () -> Void {
    let geometry = ConvolutionGeometry(kernel: 3)
    let weights = evenTensor(geometry.weightsShape(inputs: x.shape.last, outputs: outputs))
    let bias = evenTensor([outputs])
    if pass == .forward { return { _ = upsampledConvolution(x, weights, bias: bias) } }
    let (height, width) = (2 * x.shape[1], 2 * x.shape[2])
    let gradient = evenTensor([x.shape[0], height, width, outputs])
    guard pass == .weightGradient else {
      return { _ = upsampledConvolutionInputGradient(gradient, weights) }
    }
    return {
      let enlarged = x.resizedToNearest(height: height, width: width)
      _ = convolutionWeightGradient(enlarged, gradient, geometry)
    }
  }

  private func linearWork(_ x: Tensor, _ outputs: Int) -> () -> Void {
    let weights = evenTensor([x.shape.last, outputs])
    let bias = evenTensor([outputs])
    if pass == .forward { return { _ = matrixProduct(x, weights, bias: bias) } }
    let gradient = evenTensor([x.shape.rows, outputs])
    return pass == .inputGradient
      ? { _ = matrixProduct(gradient, weights, transposingRight: true) }
      : { _ = matrixProduct(x, gradient, transposingLeft: true) }
  }

  private func attentionWork(_ queries: Tensor, heads: Int, keys count: Int, causal: Bool)
    -> () -> Void
  {
    let shape: Shape = [queries.shape[0], count, queries.shape.last]
    let (keys, values) = (evenTensor(shape), evenTensor(shape))
    func forward() -> (Tensor, logSums: Tensor) {
      attention(queries: queries, keys: keys, values: values, heads: heads, causal: causal)
    }
    if pass == .forward { return { _ = forward() } }
    let gradient = evenTensor(queries.shape)
    let (result, logSums) = forward()
    return {
      _ = attentionGradient(
        gradient, queries: queries, keys: keys, values: values, result: result, logSums: logSums,
        heads: heads, causal: causal)
    }
  }

  private func groupNormWork(_ x: Tensor, groups: Int, silu: Bool) -> () -> Void {
    let (scale, shift) = (evenTensor([x.shape.last]), evenTensor([x.shape.last]))
    func forward() -> (Tensor, NormalizationStatistics) {
      groupNormalization(x, scale: scale, shift: shift, groups: groups, epsilon: 1e-5, silu: silu)
    }
    if pass == .forward { return { _ = forward() } }
    let (gradient, statistics) = (evenTensor(x.shape), forward().1)
    return {
      _ = groupNormalizationGradient(
        gradient, x, scale: scale, shift: shift, groups: groups, silu: silu, statistics)
    }
  }

  private func layerNormWork(_ x: Tensor) -> () -> Void {
    let (scale, shift) = (evenTensor([x.shape.last]), evenTensor([x.shape.last]))
    func forward() -> (Tensor, NormalizationStatistics) {
      layerNormalization(x, scale: scale, shift: shift, epsilon: 1e-5)
    }
    if pass == .forward { return { _ = forward() } }
    let (gradient, statistics) = (evenTensor(x.shape), forward().1)
    return { _ = layerNormalizationGradient(gradient, x, scale: scale, statistics) }
  }
}

/// Even numbers in `[-scale, scale)`. The draw is a congruential generator's: a thousand million normal numbers would
/// take longer than what is timed.
func evenTensor(_ shape: Shape, scale: Float = 1, around mean: Float = 0) -> Tensor {
  let result = Tensor(uninitialized: shape)
  var state = UInt32(truncatingIfNeeded: shape.count)
  for index in 0..<shape.count {
    state = state &* 1_664_525 &+ 1_013_904_223
    result.pointer[index] = mean + scale * (Float(Int32(bitPattern: state)) * 0x1p-31)
  }
  return result
}
