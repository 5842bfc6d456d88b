import Autodiff
import Tensors
import Testing

@testable import Layers

@Suite struct AdamTests {
  /// A network in which one layer is used twice and one has no bias.
  private struct Network {
    let source = RandomStore()
    let first: Convolution
    let norm: GroupNorm
    let twice: Linear
    let last: Linear

    var parameters: [Parameter] { source.store.parameters }

    init() throws {
      let root = source.root
      first = try Convolution(root["first"], inputs: 3, outputs: 8, ConvolutionGeometry(kernel: 3))
      norm = try GroupNorm(root["norm"], channels: 8, groups: 2, epsilon: 1e-5)
      twice = try Linear(root["twice"], inputs: 8, outputs: 8)
      last = try Linear(root["last"], inputs: 8, outputs: 2, bias: false)
    }

    /// Runs a step's backward, by a picture of its own.
    func backward(step: Int) {
      let x = random([1, 4, 5, 3], UInt64(1000 + step))
      let tape = Tape()
      let loss = tape.record {
        meanSquaredError(
          last(twice(twice(norm(first(Variable(x)), silu: true)))), Tensor(zeros: [1, 4, 5, 2]))
      }
      tape.backward(from: loss)
    }

    /// The bits of all parameters.
    var bits: [[UInt32]] { parameters.map { $0.value.array.map(\.bitPattern) } }
  }

  private func bits(_ adam: Adam) -> [String: [UInt32]] {
    adam.moments.mapValues { ($0.mean.array + $0.variance.array).map(\.bitPattern) }
  }

  /// Trains by updates after the backward.
  private func train(_ network: Network, _ adam: Adam, steps: Range<Int>) {
    for parameter in network.parameters { parameter.isTrainable = true }
    for step in steps {
      network.backward(step: step)
      adam.beginStep()
      for parameter in network.parameters {
        guard let gradient = parameter.gradient else {
          Issue.record("no gradient by \(parameter.name)")
          continue
        }
        adam.update(parameter.name, parameter.value, gradient: gradient)
        parameter.clearGradient()
      }
    }
  }

  @Test func updatesDuringTheBackwardAreThoseAfterIt() throws {
    let (one, other) = (try Network(), try Network())
    #expect(one.bits == other.bits)
    let start = one.bits

    let after = Adam(learningRate: 0.01)
    train(one, after, steps: 0..<6)

    let during = Adam(learningRate: 0.01)
    during.attach(to: other.parameters)
    for step in 0..<6 {
      during.beginStep()
      other.backward(step: step)
      #expect(other.parameters.allSatisfy { $0.gradient == nil })
    }

    #expect(zip(one.bits, start).allSatisfy { $0 != $1 })
    #expect(one.bits == other.bits)
    #expect(bits(after) == bits(during))
    #expect(after.step == 6 && during.step == 6)
  }

  @Test func resumedIsUninterrupted() throws {
    let (one, other) = (try Network(), try Network())
    let whole = Adam(learningRate: 0.01)
    train(one, whole, steps: 0..<10)

    let first = Adam(learningRate: 0.01)
    train(other, first, steps: 0..<4)
    // Saved and loaded in the layout of disk.
    let fresh = try Network()
    var moments: [String: Adam.Moments] = [:]
    for (parameter, old) in zip(fresh.parameters, other.parameters) {
      parameter.load(old.storedValue)
      let state = try #require(first.moments[old.name])
      moments[old.name] = Adam.Moments(
        mean: parameter.inMemory(old.stored(state.mean)),
        variance: parameter.inMemory(old.stored(state.variance)))
    }
    let second = Adam(learningRate: 0.01, step: first.step, moments: moments)
    train(fresh, second, steps: 4..<10)

    #expect(fresh.bits == one.bits)
    #expect(bits(second) == bits(whole))
    #expect(second.step == 10)
  }

  /// With any gradient the first step has the size of the rate, against the gradient's sign.
  @Test func theFirstStep() {
    let value = Tensor([1, 1, 1], [3])
    let adam = Adam(learningRate: 0.5)
    adam.beginStep()
    adam.update("x", value, gradient: Tensor([3, -1e-3, 100], [3]))
    for (found, expected) in zip(value.array, [0.5, 1.5, 0.5]) {
      #expect(abs(Double(found) - expected) < 1e-5)
    }
    #expect(Array(adam.moments.keys) == ["x"])
  }

  @Test func theRateMayChangeBetweenSteps() {
    let value = Tensor([0], [1])
    let adam = Adam(learningRate: 0.5)
    adam.beginStep()
    adam.update("x", value, gradient: Tensor([2], [1]))
    adam.learningRate = 0
    adam.beginStep()
    adam.update("x", value, gradient: Tensor([2], [1]))
    #expect(abs(value.scalar + 0.5) < 1e-5)
  }
}
