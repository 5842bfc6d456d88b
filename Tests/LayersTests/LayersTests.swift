import Autodiff
import Tensors
import Testing

@testable import Layers

/// Each layer against its definition by the parameters as they lie on disk.
@Suite struct LayersTests {
  @Test func linearMaps() throws {
    let source = RandomStore()
    let layer = try Linear(source.root["proj"], inputs: 5, outputs: 17)
    #expect(source.asked == ["proj.weight [17, 5]", "proj.bias [17]"])
    let x = random([2, 3, 5], 1)
    let y = layer(Variable(x)).value
    #expect(y.shape == [2, 3, 17])
    let error = relativeError(y) { place in
      let row = place[0] * 3 + place[1]
      return (0..<5).reduce(source.element("proj.bias", place[2])) {
        $0 + Double(x.pointer[row * 5 + $1]) * source.element("proj.weight", place[2], $1)
      }
    }
    #expect(error <= 1e-6)
  }

  @Test func linearMapsWithoutABias() throws {
    let source = RandomStore()
    let layer = try Linear(source.root["to_q"], inputs: 3, outputs: 4, bias: false)
    #expect(source.asked == ["to_q.weight [4, 3]"])
    #expect(layer(Variable(Tensor(zeros: [2, 3]))).value.array == Array(repeating: 0, count: 8))
  }

  @Test func linearMapsThatAreConvolutionsOnDisk() throws {
    let source = RandomStore()
    let layer = try Linear(source.root["proj_in"], inputs: 3, outputs: 7, pointwise: true)
    #expect(source.asked == ["proj_in.weight [7, 3, 1, 1]", "proj_in.bias [7]"])
    let x = random([1, 2, 2, 3], 1)
    let error = relativeError(layer(Variable(x)).value) { place in
      let row = place[1] * 2 + place[2]
      return (0..<3).reduce(source.element("proj_in.bias", place[3])) {
        $0 + Double(x.pointer[row * 3 + $1]) * source.element("proj_in.weight", place[3], $1, 0, 0)
      }
    }
    #expect(error <= 1e-6)
  }

  @Test(arguments: [
    (ConvolutionGeometry(kernel: 3), 5e-5),
    (ConvolutionGeometry(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1), 1e-5),
    (ConvolutionGeometry(kernel: 1), 1e-5),
  ])
  func convolutions(_ geometry: ConvolutionGeometry, _ tolerance: Double) throws {
    let source = RandomStore()
    let layer = try Convolution(source.root["conv"], inputs: 3, outputs: 5, geometry)
    let k = geometry.kernel
    #expect(source.asked == ["conv.weight [5, 3, \(k), \(k)]", "conv.bias [5]"])
    let (height, width) = (7, 6)
    let x = random([2, height, width, 3], 1)
    let y = layer(Variable(x)).value
    #expect(y.shape == [2, geometry.outputExtent(height), geometry.outputExtent(width), 5])
    let error = relativeError(y) { place in
      var sum = source.element("conv.bias", place[3])
      for tapY in 0..<k {
        for tapX in 0..<k {
          let row = place[1] * geometry.stride + tapY - geometry.paddingBefore
          let column = place[2] * geometry.stride + tapX - geometry.paddingBefore
          guard row >= 0, row < height, column >= 0, column < width else { continue }
          for c in 0..<3 {
            let pixel = ((place[0] * height + row) * width + column) * 3 + c
            sum +=
              Double(x.pointer[pixel]) * source.element("conv.weight", place[3], c, tapY, tapX)
          }
        }
      }
      return sum
    }
    #expect(error <= tolerance)
  }

  /// Layers of half precision are those whose weights were rounded, to the bit, in both directions.
  @Test func narrowWeightsAreRoundedOnes() throws {
    func layers(_ store: ParameterStore) throws -> (Linear, Convolution) {
      (
        try Linear(store.root["proj"], inputs: 48, outputs: 32),
        try Convolution(store.root["conv"], inputs: 32, outputs: 16, ConvolutionGeometry(kernel: 3))
      )
    }
    func weights(_ rounds: Bool) -> (String, Shape) -> Tensor {
      { name, shape in
        let tensor = random(shape, UInt64(shape.count))
        guard rounds, name.hasSuffix("weight") else { return tensor }
        return Tensor(tensor.array.map { Float(Float16($0)) }, shape)
      }
    }
    func run(_ store: ParameterStore) throws -> [[Float]] {
      let (proj, conv) = try layers(store)
      let x = Variable.leaf(random([2, 6, 5, 48], 1))
      let tape = Tape()
      let loss = tape.record {
        let y = conv(proj(x))
        return meanSquaredError(y, Tensor(zeros: y.shape))
      }
      tape.backward(from: loss)
      return [loss.value.array, try #require(x.gradient).array]
    }
    let narrow = ParameterStore(isNarrow: true, source: weights(false))
    let wanted = try run(ParameterStore(source: weights(true)))
    #expect(try run(narrow) == wanted)
    #expect(try run(ParameterStore(source: weights(false))) != wanted)
    // What is stored is what is used.
    let stored = try #require(narrow.parameters.first { $0.name == "conv.weight" }).storedValue
    #expect(stored.array == weights(true)("conv.weight", stored.shape).array)
  }

  @Test func weightsThatHalfPrecisionCannotHoldAreNamed() throws {
    let store = ParameterStore(isNarrow: true) { _, shape in Tensor(repeating: 1e5, shape) }
    let error = #expect(throws: NarrowingError.self) {
      try Linear(store.root["proj"], inputs: 3, outputs: 4)
    }
    #expect(error?.name == "proj.weight")
  }

  @Test func groupNormalisation() throws {
    let source = RandomStore()
    let layer = try GroupNorm(source.root["norm"], channels: 6, groups: 2, epsilon: 1e-3)
    #expect(source.asked == ["norm.weight [6]", "norm.bias [6]"])
    let x = random([2, 2, 3, 6], 1)
    func exact(_ place: [Int]) -> Double {
      let members = (0..<18).map { member in
        let channel = place[3] / 3 * 3 + member % 3
        return Double(x.pointer[(place[0] * 6 + member / 3) * 6 + channel])
      }
      let mean = members.reduce(0, +) / 18
      let variance = members.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 18
      let value = Double(x.pointer[((place[0] * 2 + place[1]) * 3 + place[2]) * 6 + place[3]])
      return (value - mean) / (variance + 1e-3).squareRoot()
        * source.element("norm.weight", place[3]) + source.element("norm.bias", place[3])
    }
    let plain = layer(Variable(x)).value
    #expect(relativeError(plain, exact) <= 1e-5)
    let activated = layer(Variable(x), silu: true).value
    let expected = plain.applying(.silu).array.map(Double.init)
    #expect(
      relativeError(activated) { expected[(($0[0] * 2 + $0[1]) * 3 + $0[2]) * 6 + $0[3]] } <= 1e-5)
  }

  @Test func layerNormalisation() throws {
    let source = RandomStore()
    let layer = try LayerNorm(source.root["norm1"], channels: 5, epsilon: 1e-3)
    #expect(source.asked == ["norm1.weight [5]", "norm1.bias [5]"])
    let x = random([2, 3, 5], 1)
    let error = relativeError(layer(Variable(x)).value) { place in
      let row = (0..<5).map { Double(x.pointer[(place[0] * 3 + place[1]) * 5 + $0]) }
      let mean = row.reduce(0, +) / 5
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
      return (row[place[2]] - mean) / (variance + 1e-3).squareRoot()
        * source.element("norm1.weight", place[2]) + source.element("norm1.bias", place[2])
    }
    #expect(error <= 1e-5)
    // PyTorch's default.
    #expect(try LayerNorm(source.root["norm2"], channels: 5).epsilon == 1e-5)
  }

  @Test func embeddings() throws {
    let source = RandomStore()
    let layer = try Embedding(source.root["token_embedding"], entries: 6, width: 3)
    #expect(source.asked == ["token_embedding.weight [6, 3]"])
    let found = layer([5, 0, 5]).value
    #expect(found.shape == [3, 3])
    let error = relativeError(found) {
      source.element("token_embedding.weight", [5, 0, 5][$0[0]], $0[1])
    }
    #expect(error == 0)
    #expect(layer.first(4).value.array == layer([0, 1, 2, 3]).value.array)
  }
}
