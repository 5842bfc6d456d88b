// Group and layer normalisation.

import Tensors

/// Group normalisation of `[batch, …, channels]`, followed by SiLU where `silu` says so.
public func groupNorm(
  _ x: Variable, scale: Variable, shift: Variable, groups: Int, epsilon: Float, silu: Bool
) -> Variable {
  let (input, factor, offset) = (x.value, scale.value, shift.value)
  let (value, statistics) = groupNormalization(
    input, scale: factor, shift: offset, groups: groups, epsilon: epsilon, silu: silu)
  return Variable(
    value, from: x, scale, shift,
    remake: { groupNormalization(input, statistics, silu: silu) }
  ) {
    [x = x.slot, scale = scale.slot, shift = shift.slot] gradient in
    let gradients = groupNormalizationGradient(
      gradient, input, scale: factor, shift: offset, groups: groups, silu: silu, statistics,
      isTrained: scale != nil || shift != nil, adding: x?.gradient)
    send(gradients, x, scale, shift)
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
    let gradients = layerNormalizationGradient(
      gradient, input, scale: factor, statistics, isTrained: scale != nil || shift != nil,
      adding: x?.gradient)
    send(gradients, x, scale, shift)
  }
}

/// - Parameter x: what it has received so far is in its gradient.
private func send(
  _ gradients: NormalizationGradients, _ x: GradientSlot?, _ scale: GradientSlot?,
  _ shift: GradientSlot?
) {
  x?.receive { _ in gradients.input }
  if let scale, let share = gradients.scale { scale.receive(share) }
  if let shift, let share = gradients.shift { shift.receive(share) }
}
