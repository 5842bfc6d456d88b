import Autodiff
import Tensors
import Testing

@testable import Layers

@Suite struct ParameterTests {
  static let layouts: [(ParameterLayout, stored: [Int], inMemory: [Int])] = [
    (.plain, [17], [17]), (.plain, [5, 7], [5, 7]), (.linear, [17, 33], [33, 17]),
    (.pointwise, [3, 17, 1, 1], [17, 3]), (.convolution, [5, 3, 3, 3], [3, 3, 3, 5]),
    (.convolution, [33, 17, 1, 1], [1, 1, 17, 33]), (.strips, [32, 48, 3, 3], [2, 48, 3, 3, 16]),
  ]

  @Test(arguments: layouts)
  func layoutsRoundTrip(_ test: (layout: ParameterLayout, stored: [Int], inMemory: [Int])) {
    let stored = random(Shape(test.stored), 1)
    let parameter = Parameter(name: "x", layout: test.layout, stored: stored)
    #expect(parameter.storedShape == stored.shape)
    #expect(parameter.value.shape == Shape(test.inMemory))
    #expect(parameter.storedValue.array == stored.array)
    #expect(parameter.storedValue.shape == stored.shape)

    let gradient = random(Shape(test.inMemory), 2)
    #expect(parameter.stored(gradient).shape == stored.shape)
    #expect(parameter.inMemory(parameter.stored(gradient)).array == gradient.array)

    let other = random(stored.shape, 3)
    parameter.load(other)
    #expect(parameter.storedValue.array == other.array)
    #expect(parameter.value.shape == Shape(test.inMemory))
  }

  @Test(arguments: layouts)
  func memoryIsItsOwn(_ test: (layout: ParameterLayout, stored: [Int], inMemory: [Int])) {
    let stored = random(Shape(test.stored), 1)
    let before = stored.array
    let parameter = Parameter(name: "x", layout: test.layout, stored: stored)
    let snapshot = parameter.storedValue
    parameter.value.scale(inPlace: 2)
    #expect(stored.array == before)
    #expect(snapshot.array == before)
    parameter.load(snapshot)
    parameter.value.scale(inPlace: 2)
    #expect(snapshot.array == before)
  }

  @Test func onlyATrainableParameterHasAGradient() {
    let parameter = Parameter(name: "x", layout: .plain, stored: random([4], 1))
    #expect(!parameter.variable.isTracked)
    func backward() {
      let tape = Tape()
      tape.backward(
        from: tape.record { weightedMean(parameter.variable, Tensor(repeating: 8, [4])) })
    }
    parameter.isTrainable = true
    backward()
    #expect(parameter.gradient?.array == [2, 2, 2, 2])
    backward()
    #expect(parameter.gradient?.array == [4, 4, 4, 4])
    parameter.clearGradient()
    #expect(parameter.gradient == nil)

    nonisolated(unsafe) var taken: [[Float]] = []
    parameter.whenGradientIsComplete = { taken.append($0.array) }
    backward()
    #expect(taken == [[2, 2, 2, 2]])
    #expect(parameter.gradient == nil)
    parameter.gradientTaker = { PartTaker { _ in } }
    parameter.isTrainable = false
    #expect(parameter.whenGradientIsComplete == nil && parameter.gradientTaker == nil)
    #expect(!parameter.variable.isTracked)
  }

  @Test func namesFollowTheScopes() throws {
    let source = RandomStore()
    let block = source.root["down_blocks"][0]["resnets"][12]
    _ = try block["conv1"].parameter("weight", [2, 3, 1, 1], .convolution)
    _ = try block.parameter("scale", [4])
    _ = try source.root.parameter("top", [1])
    #expect(
      source.asked == [
        "down_blocks.0.resnets.12.conv1.weight [2, 3, 1, 1]", "down_blocks.0.resnets.12.scale [4]",
        "top [1]",
      ])
    #expect(
      source.store.parameters.map(\.name) == [
        "down_blocks.0.resnets.12.conv1.weight", "down_blocks.0.resnets.12.scale", "top",
      ])
  }

  @Test func whatTheSourceThrowsComesThrough() {
    struct Missing: Error, Equatable { var name: String }
    let store = ParameterStore { name, _ in throw Missing(name: name) }
    #expect(throws: Missing(name: "a.bias")) { try store.root["a"].parameter("bias", [3]) }
    #expect(store.parameters.isEmpty)
  }
}
