// Group and layer normalisation.

import Tensors

/// Group normalisation of `[batch, …, channels]`, followed by SiLU where `silu` says so.
public func groupNorm(
  _ x: Variable, scale: Variable, shift: Variable, groups: Int, epsilon: Float, silu: Bool
) -> Variable {
  let (value, statistics) = groupNormalization(
    x.value, scale: scale.value, shift: shift.value, groups: groups, epsilon: epsilon, silu: silu)
  return Variable(value, from: x, scale, shift) {
    [
      input = x.value, factor = scale.value, offset = shift.value, x = x.slot, scale = scale.slot,
      shift = shift.slot
    ] gradient in
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
  let (value, statistics) = layerNormalization(
    x.value, scale: scale.value, shift: shift.value, epsilon: epsilon)
  return Variable(value, from: x, scale, shift) {
    [
      input = x.value, factor = scale.value, x = x.slot, scale = scale.slot, shift = shift.slot
    ] gradient in
    let gradients = layerNormalizationGradient(gradient, input, scale: factor, statistics)
    x?.receive(gradients.input)
    scale?.receive(gradients.scale)
    shift?.receive(gradients.shift)
  }
}
