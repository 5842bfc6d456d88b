// Linear maps of rows and of pixels' neighbourhoods.

import Tensors

/// The weights of a linear map.
public enum Weights {
  case full(Variable)
  /// Frozen ones, of half precision. They are widened each time they are used, and for as long as that takes.
  case half(HalfTensor)

  var value: Tensor {
    switch self {
    case .full(let variable): variable.value
    case .half(let tensor): tensor.widened()
    }
  }

  var shape: Shape {
    switch self {
    case .full(let variable): variable.shape
    case .half(let tensor): tensor.shape
    }
  }

  /// Nil where no gradient by them is wanted.
  fileprivate var variable: Variable? {
    guard case .full(let variable) = self else { return nil }
    return variable
  }

  /// The same weights for a backward, which no gradient by them is wanted of.
  fileprivate var untracked: Weights {
    guard case .full(let variable) = self else { return self }
    return .full(Variable(variable.value))
  }
}

/// `x * weights + bias`, row by row.
///
/// - Parameters:
///   - x: `[…, inputs]`.
///   - weights: `[inputs, outputs]`.
///   - bias: `[outputs]`.
///   - others: added to the result, of its shape.
/// - Returns: `[…, outputs]`.
public func linear(
  _ x: Variable, _ weights: Weights, bias: Variable? = nil, adding others: Variable? = nil
) -> Variable {
  let shape = x.shape
  let matrix = weights.value
  let value = matrixProduct(x.value, matrix, bias: bias?.value, adding: others?.value)
    .reshaped(shape.replacingLast(matrix.shape.last))
  let input = weights.variable?.slot == nil ? nil : x.forBackward
  let kept = x.isTracked ? weights.untracked : nil
  return Variable(value, from: x, weights.variable, bias, others) {
    [x = x.slot, weights = weights.variable?.slot, bias = bias?.slot, others = others?.slot]
    gradient in
    others?.receive(gradient)
    if let x, let kept {
      x.receive { sum in
        matrixProduct(gradient, kept.value, transposingRight: true, adding: sum).reshaped(shape)
      }
    }
    if let weights, let input {
      if let taker = weights.takerOfOnlyShare {
        transposedMatrixProduct(input(), gradient, inParts: taker)
        weights.finishUse()
      } else {
        weights.receive(matrixProduct(input(), gradient, transposingLeft: true))
      }
    }
    bias?.receive(gradient.sumOfRows())
  }
}

public func linear(
  _ x: Variable, _ weights: Variable, bias: Variable? = nil, adding others: Variable? = nil
) -> Variable {
  linear(x, .full(weights), bias: bias, adding: others)
}

/// A convolution of pictures `[batch, height, width, inputs]`.
/// - Parameter weights: as ``ConvolutionGeometry/weightsShape(inputs:outputs:)`` tells, or `[kernel, kernel, inputs, outputs]`.
public func convolve(
  _ x: Variable, _ weights: Weights, bias: Variable? = nil, _ geometry: ConvolutionGeometry
) -> Variable {
  let shape = x.shape
  let value = convolution(x.value, weights.value, bias: bias?.value, geometry)
  let input = weights.variable?.slot == nil ? nil : x.forBackward
  let kept = x.isTracked ? weights.untracked : nil
  let weightsShape = weights.shape
  return Variable(value, from: x, weights.variable, bias) {
    [x = x.slot, weights = weights.variable?.slot, bias = bias?.slot] gradient in
    if let x, let kept {
      x.receive(convolutionInputGradient(gradient, kept.value, inputShape: shape, geometry))
    }
    if let weights, let input {
      if let taker = weights.takerOfOnlyShare {
        convolutionWeightGradient(
          input(), gradient, geometry, weightsShape: weightsShape, inParts: taker)
        weights.finishUse()
      } else {
        weights.receive(
          convolutionWeightGradient(input(), gradient, geometry, weightsShape: weightsShape))
      }
    }
    bias?.receive(gradient.sumOfRows())
  }
}

public func convolve(
  _ x: Variable, _ weights: Variable, bias: Variable? = nil, _ geometry: ConvolutionGeometry
) -> Variable {
  convolve(x, .full(weights), bias: bias, geometry)
}

/// ``convolve(_:_:bias:_:)``, with a kernel of 3x3 in its usual frame of zeros, of pictures twice as high and wide, in which each
/// pixel stands four times.
public func convolveUpsampled(
  _ x: Variable, _ weights: Weights, bias: Variable? = nil
) -> Variable {
  let value = upsampledConvolution(x.value, weights.value, bias: bias?.value)
  let input = weights.variable?.slot == nil ? nil : x.forBackward
  let kept = x.isTracked ? weights.untracked : nil
  let weightsShape = weights.shape
  return Variable(value, from: x, weights.variable, bias) {
    [x = x.slot, weights = weights.variable?.slot, bias = bias?.slot] gradient in
    if let x, let kept {
      x.receive(upsampledConvolutionInputGradient(gradient, kept.value))
    }
    if let weights, let input {
      let geometry = ConvolutionGeometry(kernel: 3)
      let enlarged = input().resizedToNearest(
        height: gradient.shape[1], width: gradient.shape[2])
      if let taker = weights.takerOfOnlyShare {
        convolutionWeightGradient(
          enlarged, gradient, geometry, weightsShape: weightsShape, inParts: taker)
        weights.finishUse()
      } else {
        weights.receive(
          convolutionWeightGradient(enlarged, gradient, geometry, weightsShape: weightsShape))
      }
    }
    bias?.receive(gradient.sumOfRows())
  }
}
