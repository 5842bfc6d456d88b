// Functions of single elements.

import Tensors

/// An activation function, element by element.
public func activate(_ x: Variable, _ activation: Activation) -> Variable {
  Variable(x.value.applying(activation), from: x) { [slot = x.slot, input = x.value] gradient in
    slot?.receive(input.activationGradient(activation, gradient))
  }
}

/// Of each row `[a | g]`, `a * gelu(g)`: `[…, 2 n]` to `[…, n]`.
public func gatedGELU(_ x: Variable) -> Variable {
  let input = x.value
  return Variable(input.gatedGELU(), from: x, remake: { input.gatedGELU() }) {
    [slot = x.slot] gradient in
    slot?.receive(input.gatedGELUGradient(gradient))
  }
}
