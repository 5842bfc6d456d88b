import Autodiff
import Tensors
import Testing

@testable import Layers

@Suite struct LoRATests {
  /// A layer, an input of it, and its weight.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let input: Shape
    var rank = 4
    let layer: @Sendable (Scope) throws -> (weight: Parameter, run: (Variable) -> Variable)
  }

  static let cases = [
    Case(testDescription: "linear map", input: [2, 5, 7]) { scope in
      let layer = try Linear(scope, inputs: 7, outputs: 9)
      return (layer.weight, { layer($0) })
    },
    Case(testDescription: "convolution", input: [2, 6, 5, 7]) { scope in
      let layer = try Convolution(scope, inputs: 7, outputs: 9, .init(kernel: 3))
      return (layer.weight, { layer($0) })
    },
    Case(testDescription: "convolution with a stride", input: [1, 6, 8, 7]) { scope in
      let layer = try Convolution(
        scope, inputs: 7, outputs: 9,
        .init(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1))
      return (layer.weight, { layer($0) })
    },
  ]

  /// Channels that fill vectors, whose kernels lie in strips; those of `down` do, too, where the rank fills them.
  static let strips = [4, 16].map { rank in
    Case(testDescription: "strips of rank \(rank)", input: [1, 6, 5, 16], rank: rank) { scope in
      let layer = try Convolution(scope, inputs: 16, outputs: 32, .init(kernel: 3))
      return (layer.weight, { layer($0) })
    }
  }

  private let draws = Philox(seed: 3, stream: .initialization, step: 5)

  @Test(arguments: cases + strips) func itBeginsAsPeftDoesAndChangesNothing(_ test: Case) throws {
    let source = RandomStore()
    let (weight, run) = try test.layer(source.root["block"]["to_q"])
    let x = Variable(random(test.input, 1))
    let before = run(x).value.array
    let lora = weight.addLoRA(rank: test.rank, draws: draws)
    #expect(run(x).value.array == before)
    #expect(lora.module == "block.to_q")
    #expect(lora.parameters.map(\.name) == ["block.to_q/down", "block.to_q/up"])
    let stored = weight.storedShape.array
    #expect(lora.down.storedShape == Shape([test.rank] + stored.dropFirst()))
    #expect(
      lora.up.storedShape.array == [stored[0], test.rank] + stored.dropFirst(2).map { _ in 1 })
    // The bound of torch.nn.init.kaiming_uniform_(a=sqrt(5)) is 1 / sqrt(fan in).
    let fanIn = stored.dropFirst().reduce(1, *)
    let values = lora.down.storedValue.array
    let bound = 1 / Float(fanIn).squareRoot()
    #expect(values.allSatisfy { abs($0) <= bound })
    #expect((values.map(abs).max() ?? 0) > 0.8 * bound)
    #expect(values == draws.uniform(count: test.rank * fanIn).map { (2 * $0 - 1) * bound })
  }

  @Test(arguments: cases + strips) func mergedItGivesTheSame(_ test: Case) throws {
    let source = RandomStore()
    let (weight, run) = try test.layer(source.root["to_q"])
    let lora = weight.addLoRA(rank: test.rank, draws: draws)
    lora.up.load(random(lora.up.storedShape, 8))
    let x = Variable(random(test.input, 1))
    let beside = run(x).value
    weight.mergeLoRA()
    #expect(weight.lora == nil)
    let merged = run(x).value
    let scale = beside.array.map(abs).max() ?? 0
    let difference = zip(beside.array, merged.array).map { abs($0 - $1) }.max() ?? 1
    #expect(difference <= 5e-5 * scale)
    weight.mergeLoRA()
    #expect(run(x).value.array == merged.array)
  }

  /// Central differences along random directions, as for every operation, of the input and of both factors.
  @Test(arguments: cases + strips) func gradientsAreThoseOfDifferences(_ test: Case) throws {
    let source = RandomStore()
    let (weight, run) = try test.layer(source.root["to_q"])
    let lora = weight.addLoRA(rank: test.rank, draws: draws)
    lora.up.load(random(lora.up.storedShape, 8))
    for parameter in lora.parameters { parameter.isTrainable = true }
    let input = Variable.leaf(random(test.input, 1))
    let tape = Tape()
    let probe = random(run(input).shape, 99)
    tape.backward(from: tape.record { weightedMean(run(input), probe) })
    #expect(weight.gradient == nil)

    func loss() -> Double { run(input).value.dot(probe) / Double(probe.count) }
    let step: Float = 1e-2
    for (value, gradient) in [(input.value, input.gradient)]
      + lora.parameters.map({ ($0.value, $0.gradient) })
    {
      let gradient = try #require(gradient)
      let start = value.copy()
      for trial in 0..<3 {
        let direction = random(value.shape, UInt64(1000 + trial))
        func moved(by step: Float) -> Double {
          let to = Tensor.combination(1, start, step, direction)
          value.pointer.update(from: to.pointer, count: to.count)
          return loss()
        }
        let measured = (moved(by: step) - moved(by: -step)) / Double(2 * step)
        value.pointer.update(from: start.pointer, count: start.count)
        let scale = gradient.dot(gradient).squareRoot()
        #expect(abs(measured - gradient.dot(direction)) <= 1e-2 * scale + 1e-7)
      }
    }
  }
}
