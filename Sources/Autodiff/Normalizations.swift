// Group and layer normalisation.

import Tensors

/// Group normalisation of `[batch, …, channels]`, followed by SiLU where `silu` says so.
public func groupNorm(
  _ x: Variable, scale: Variable, shift: Variable, groups: Int, epsilon: Float, silu: Bool
) -> Variable {
  let (input, factor, offset) = (x.value, scale.value, shift.value)
  func normalized() -> (Tensor, NormalizationStatistics) {
    groupNormalization(
      input, scale: factor, shift: offset, groups: groups, epsilon: epsilon, silu: silu)
  }
  let (value, statistics) = normalized()
  return Variable(value, from: x, scale, shift, remake: { normalized().0 }) {
    [x = x.slot, scale = scale.slot, shift = shift.slot] gradient in
    let gradients = groupNormalizationGradient(
      gradient, input, scale: factor, shift: offset, groups: groups, silu: silu, statistics)
    x?.receive(gradients.input)
    scale?.receive(gradients.scale)
    shift?.receive(gradients.shift)
  }
}

/// Layer normalisation of each row of `[…, channels]`.
public func layerNorm(
  _ x: Variable, scale: Variable, shift: Variable, epsilon: Float
) -> Variable {
  let (input, factor, offset) = (x.value, scale.value, shift.value)
  func normalized() -> (Tensor, NormalizationStatistics) {
    layerNormalization(input, scale: factor, shift: offset, epsilon: epsilon)
  }
  let (value, statistics) = normalized()
  return Variable(value, from: x, scale, shift, remake: { normalized().0 }) {
    [x = x.slot, scale = scale.slot, shift = shift.slot] gradient in
    let gradients = layerNormalizationGradient(gradient, input, scale: factor, statistics)
    x?.receive(gradients.input)
    scale?.receive(gradients.scale)
    shift?.receive(gradients.shift)
  }
}
