// What training makes small.

import Tensors

/// The mean of the squared differences of a prediction and its target, a scalar.
public func meanSquaredError(_ prediction: Variable, _ target: Tensor) -> Variable {
  let value = Tensor(Float(prediction.value.meanSquaredDifference(target)))
  return Variable(value, from: prediction) {
    [slot = prediction.slot, input = prediction.value] upper in
    let factor = 2 * upper.scalar / Float(max(1, input.count))
    slot?.receive(Tensor.combination(factor, input, -factor, target))
  }
}

/// The mean of the squared differences of a prediction and its target, each times its weight, a scalar.
/// - Parameter weights: of the shape of both.
public func meanSquaredError(
  _ prediction: Variable, _ target: Tensor, weights: Tensor
) -> Variable {
  let difference = prediction.value - target
  let weighted = weights * difference
  let count = Float(max(1, difference.count))
  return Variable(Tensor(Float(weighted.dot(difference)) / count), from: prediction) {
    [slot = prediction.slot] upper in
    slot?.receive(2 * upper.scalar / count * weighted)
  }
}

/// The mean of the products of `x` with fixed weights of its shape, a scalar: a linear probe of a network.
public func weightedMean(_ x: Variable, _ weights: Tensor) -> Variable {
  let count = Float(max(1, x.value.count))
  return Variable(Tensor(Float(x.value.dot(weights)) / count), from: x) { [slot = x.slot] upper in
    slot?.receive((upper.scalar / count * weights).reshaped(weights.shape))
  }
}
