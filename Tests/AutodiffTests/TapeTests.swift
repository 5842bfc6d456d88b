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
}
