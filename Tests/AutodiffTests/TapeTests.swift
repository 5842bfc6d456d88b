import Tensors
import Testing

@testable import Autodiff

@Suite struct TapeTests {
  @Test func nothingIsTrackedWithoutATape() {
    let x = Variable.leaf(Tensor([1, 2], [2]))
    #expect(!(x + x).isTracked)
    #expect(Tape().record { (x + x).isTracked })
    #expect(!Tape().record { (Variable(x.value) + Variable(x.value)).isTracked })
  }

  @Test func aHandlerTakesTheGradientWhenItIsComplete() {
    let x = Variable.leaf(Tensor([1, 2], [2]))
    nonisolated(unsafe) var taken: [[Float]] = []
    x.slot!.whenComplete = { taken.append($0.array) }
    let tape = Tape()
    // The result that nothing reads must not keep the gradient waiting.
    let loss = tape.record { () -> Variable in
      _ = 5 * x
      return weightedMean(3 * x + x, Tensor([1, 1], [2]))
    }
    tape.backward(from: loss)
    #expect(taken == [[2, 2]])
    #expect(x.gradient == nil)
  }

  @Test func gradientsAddUpOverBackwards() {
    let x = Variable.leaf(Tensor([1, 2], [2]))
    for _ in 0..<2 {
      let tape = Tape()
      tape.backward(from: tape.record { weightedMean(x, Tensor([2, 4], [2])) })
    }
    #expect(x.gradient?.array == [2, 4])
  }

  /// What a normalisation or an activation gave is not held for the backward of the map after it where it is large, but made
  /// again: to the same bits, and with the buffer free in between.
  @Test func largeResultsAreMadeAgainForTheBackward() {
    Variable.$mostHeld.withValue(0) { checkResultsThatAreReadAgain(areHeld: false) }
  }

  @Test func smallResultsAreHeldForTheBackward() {
    #expect(Variable.mostHeld == 1 << 18)
    checkResultsThatAreReadAgain(areHeld: true)
  }

  private func checkResultsThatAreReadAgain(areHeld: Bool) {
    let x = random([2, 4, 6, 8], 1)
    let (scale, shift, weights) = (random([8], 2), random([8], 3), random([3, 3, 8, 5], 4))
    checkGradients([x, scale, shift, weights]) { inputs in
      let normal = groupNorm(
        inputs[0], scale: inputs[1], shift: inputs[2], groups: 2, epsilon: 1e-5, silu: true)
      return convolve(normal, inputs[3], .init(kernel: 3))
    }
    let matrix = random([8, 3], 5)
    checkGradients([x, scale, shift, matrix]) { inputs in
      let normal = layerNorm(inputs[0], scale: inputs[1], shift: inputs[2], epsilon: 1e-5)
      return linear(reshape(normal, [2, 24, 8]), inputs[3])
    }
    checkGradients([x, random([4, 3], 6)]) { linear(gatedGELU($0[0]), $0[1]) }
    // Beside the normalisation, which adds its share to what came before.
    checkGradients([x, scale, shift]) { inputs in
      let once =
        layerNorm(inputs[0], scale: inputs[1], shift: inputs[2], epsilon: 1e-5) + inputs[0]
      return groupNorm(
        once, scale: inputs[1], shift: inputs[2], groups: 2, epsilon: 1e-5, silu: true) + once
    }

    let tape = Tape()
    let input = Variable.leaf(x)
    weak var held: Storage?
    let last = tape.record {
      let normal = layerNorm(
        input, scale: Variable(scale), shift: Variable(shift), epsilon: 1e-5)
      held = normal.value.storage
      #expect(normal.forBackward().array == normal.value.array)
      return linear(normal, .leaf(matrix))
    }
    #expect((held != nil) == areHeld, "a normalised tensor between its forward and its backward")
    withExtendedLifetime((tape, last)) {}
  }
}
