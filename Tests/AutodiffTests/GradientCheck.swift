// The one check that every operation passes: its gradient against central differences.

import Tensors
import Testing

@testable import Autodiff

func random(_ shape: Shape, _ seed: UInt64) -> Tensor {
  Philox(seed: seed, stream: .initialization).normal(shape)
}

/// Compares the gradient of a random linear probe of `body`'s result, by each of the inputs, with central differences
/// along random directions: `(L(x + h d) - L(x - h d)) / 2h` against `gradient . d`.
///
/// Differences of float32 are exact to about 1e-3 with steps of 1e-2, so the tolerance is 1% of the derivative's scale:
/// the norm of the gradient times that of the direction's share in it.
func checkGradients(
  _ inputs: [Tensor], step: Float = 1e-2, tolerance: Double = 1e-2,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: ([Variable]) -> Variable
) {
  let leaves = inputs.map { Variable.leaf($0) }
  let tape = Tape()
  var probe: Tensor?
  let loss = tape.record {
    let result = body(leaves)
    probe = random(result.shape, 99)
    return weightedMean(result, probe!)
  }
  tape.backward(from: loss)
  func value(_ inputs: [Tensor]) -> Double {
    let result = body(inputs.map { Variable($0) }).value
    return result.dot(probe!) / Double(result.count)
  }
  for (index, input) in inputs.enumerated() {
    guard let gradient = leaves[index].gradient else {
      Issue.record("no gradient by input \(index)", sourceLocation: sourceLocation)
      continue
    }
    #expect(gradient.shape == input.shape, sourceLocation: sourceLocation)
    for trial in 0..<3 {
      let direction = random(input.shape, UInt64(1000 + 10 * index + trial))
      var (up, down) = (inputs, inputs)
      up[index] = Tensor.combination(1, input, step, direction)
      down[index] = Tensor.combination(1, input, -step, direction)
      let measured = (value(up) - value(down)) / Double(2 * step)
      let computed = gradient.dot(direction)
      let scale = gradient.dot(gradient).squareRoot()
      #expect(
        abs(measured - computed) <= tolerance * scale + 1e-7,
        "input \(index): \(computed) computed, \(measured) measured, scale \(scale)",
        sourceLocation: sourceLocation)
    }
  }
}
