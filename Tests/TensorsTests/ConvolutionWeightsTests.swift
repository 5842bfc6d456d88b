import Testing

@testable import Tensors

@Suite struct ConvolutionWeightsTests {
  @Test(arguments: [
    [1, 1, 1, 1], [3, 17, 3, 3], [33, 1, 5, 5], [16, 32, 3, 3], [49, 33, 1, 1], [20, 3, 3, 3],
  ])
  func weights(_ extents: [Int]) {
    let files = random(Shape(extents), 1)  // [outputs, inputs, kernel, kernel]
    let found = files.outputsLast()
    let source = Exact(files)
    var expected = Exact(zeros: [extents[2], extents[3], extents[1], extents[0]])
    for o in 0..<extents[0] {
      for i in 0..<extents[1] {
        for y in 0..<extents[2] {
          for x in 0..<extents[3] { expected[y, x, i, o] = source[o, i, y, x] }
        }
      }
    }
    #expect(relativeError(found, expected) == 0)
    #expect(found.outputsFirst().array == files.array)
    #expect(found.outputsFirst().shape == files.shape)
  }

  @Test(arguments: [[16, 16, 3, 3], [48, 17, 3, 3], [320, 32, 1, 1], [32, 3, 5, 5]])
  func strips(_ extents: [Int]) {
    let files = random(Shape(extents), 1)  // [outputs, inputs, kernel, kernel]
    let found = files.outputsInStrips()
    #expect(found.shape == [extents[0] / 16, extents[1], extents[2], extents[3], 16])
    let values = files.array
    let size = values.count / extents[0]
    var expected: [Float] = []
    for strip in 0..<(extents[0] / 16) {
      for place in 0..<size {
        for output in 0..<16 { expected.append(values[(strip * 16 + output) * size + place]) }
      }
    }
    #expect(found.array == expected)
    #expect(found.outputsFirst().array == values)
    #expect(found.outputsFirst().shape == files.shape)
    // From one order in memory to the other and back.
    let rows = found.ordered(as: [extents[2], extents[3], extents[1], extents[0]])
    #expect(rows.array == files.outputsLast().array)
    #expect(rows.ordered(as: found.shape).array == expected)
    #expect(found.shape.unstripped == rows.shape && found.unstripped().array == rows.array)
    #expect(rows.shape.unstripped == rows.shape && rows.unstripped().array == rows.array)
  }

  @Test func whichWeightsLieInStrips() {
    let geometry = ConvolutionGeometry(kernel: 3)
    #expect(geometry.weightsShape(inputs: 48, outputs: 32) == [2, 48, 3, 3, 16])
    #expect(geometry.weightsShape(inputs: 4, outputs: 320) == [3, 3, 4, 320])
    #expect(geometry.weightsShape(inputs: 320, outputs: 4) == [3, 3, 320, 4])
    let strided = ConvolutionGeometry(kernel: 3, stride: 2)
    #expect(strided.weightsShape(inputs: 48, outputs: 32) == [3, 3, 48, 32])
    #expect(ConvolutionGeometry(kernel: 1).weightsShape(inputs: 48, outputs: 32) == [1, 1, 48, 32])
  }

  /// The parts of the memory that some kernels take are all of it, each line once.
  @Test(arguments: [false, true])
  func linesOfParts(_ transposed: Bool) {
    let (inputs, outputs) = (16..<64, 32..<80)
    KernelStrips.with(random([5, 96, 3, 3, 16], 1)) { kernels in
      let base = kernels.kernel(input: 0, output: 0)
      var found: [Int] = []
      for part in 0..<25 {
        let lines = kernels.lines(
          transposed: transposed, inner: transposed ? outputs : inputs,
          columns: transposed ? inputs : outputs, part: part, of: 25)
        for row in 0..<lines.rows {
          found += stride(from: 0, to: lines.run, by: 16).map {
            lines.base - base + row * lines.stride + $0
          }
        }
      }
      let expected = outputs.filter { $0 % 16 == 0 }.flatMap { output in
        inputs.flatMap { input in
          (0..<9).map { kernels.kernel(input: input, output: output) - base + $0 * 16 }
        }
      }
      #expect(found.sorted() == expected)
    }
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let x = random([48, 49, 30, 33], 1)
    expectSameBytesOnAnyThreads { [x.outputsLast(), x.outputsFirst(), x.outputsInStrips()] }
  }
}
