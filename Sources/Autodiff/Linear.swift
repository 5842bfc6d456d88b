// Linear maps of rows and of pixels' neighbourhoods.

import Tensors

/// `x * weights + bias`, row by row.
///
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weights: `[inputs, outputs]`.
///   - bias: `[outputs]`.
/// - Returns: `[…, outputs]`.
public func linear(_ x: Variable, _ weights: Variable, bias: Variable? = nil) -> Variable {
  let shape = x.shape
  let value = matrixProduct(x.value, weights.value, bias: bias?.value)
    .reshaped(Shape(shape.array.dropLast() + [weights.shape.last]))
  let input = weights.isTracked ? x.value : nil
  let matrix = x.isTracked ? weights.value : nil
  return Variable(value, from: x, weights, bias) {
    [x = x.slot, weights = weights.slot, bias = bias?.slot] gradient in
    if let x, let matrix {
      x.receive(matrixProduct(gradient, matrix, transposingRight: true).reshaped(shape))
    }
    if let weights, let input {
      weights.receive(matrixProduct(input, gradient, transposingLeft: true))
    }
    bias?.receive(gradient.sumOfRows())
  }
}

/// A convolution of pictures `[batch, height, width, inputs]` with `[kernel, kernel, inputs, outputs]`.
public func convolve(
  _ x: Variable, _ weights: Variable, bias: Variable? = nil, _ geometry: ConvolutionGeometry
) -> Variable {
  let shape = x.shape
  let value = convolution(x.value, weights.value, bias: bias?.value, geometry)
  let input = weights.isTracked ? x.value : nil
  let kernel = x.isTracked ? weights.value : nil
  return Variable(value, from: x, weights, bias) {
    [x = x.slot, weights = weights.slot, bias = bias?.slot] gradient in
    if let x, let kernel {
      x.receive(convolutionInputGradient(gradient, kernel, inputShape: shape, geometry))
    }
    if let weights, let input {
      weights.receive(convolutionWeightGradient(input, gradient, geometry))
    }
    bias?.receive(gradient.sumOfRows())
  }
}
