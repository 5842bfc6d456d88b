import Tensors
import Testing

@testable import Autodiff

@Suite struct LinearTests {
  @Test func linearMap() {
    checkGradients([random([2, 5, 18], 1), random([18, 33], 2), random([33], 3)]) {
      linear($0[0], $0[1], bias: $0[2])
    }
  }

  @Test func linearMapAddedToOthers() {
    checkGradients([random([2, 5, 18], 1), random([18, 33], 2), random([2, 5, 33], 3)]) {
      linear($0[0], $0[1], adding: $0[2])
    }
    // What is added is what is mapped, too, and mapped twice: its gradient comes from all of them.
    checkGradients([random([2, 5, 18], 1), random([18, 18], 2), random([18], 3)]) {
      linear(linear($0[0], $0[1], adding: $0[0]), $0[1], bias: $0[2], adding: $0[0])
    }
  }

  static let geometries = [
    ConvolutionGeometry(kernel: 3), ConvolutionGeometry(kernel: 1),
    ConvolutionGeometry(kernel: 3, stride: 2),
    ConvolutionGeometry(kernel: 3, stride: 2, paddingBefore: 0, paddingAfter: 1),
    ConvolutionGeometry(kernel: 5, stride: 3, paddingBefore: 1, paddingAfter: 2),
  ]

  @Test(arguments: geometries, [(6, 8), (7, 5), (12, 12)])
  func convolutions(_ geometry: ConvolutionGeometry, _ size: (Int, Int)) {
    let (inputs, outputs, k) = (6, 19, geometry.kernel)
    checkGradients([
      random([2, size.0, size.1, inputs], 1), random([k, k, inputs, outputs], 2),
      random([outputs], 3),
    ]) { convolve($0[0], $0[1], bias: $0[2], geometry) }
  }

  /// The second is Winograd's.
  @Test(arguments: [(1, 3, 4, 6, 5), (4, 4, 4, 16, 16)])
  func upsampledConvolutions(_ batch: Int, _ height: Int, _ width: Int, _ inputs: Int, outputs: Int)
  {
    let inputs = [
      random([batch, height, width, inputs], 1), random([3, 3, inputs, outputs], 2),
      random([outputs], 3),
    ]
    checkGradients(inputs) { convolveUpsampled($0[0], .full($0[1]), bias: $0[2]) }
    let enlarged = convolve(
      resizeNearest(Variable(inputs[0]), height: 2 * height, width: 2 * width),
      Variable(inputs[1]), bias: Variable(inputs[2]), ConvolutionGeometry(kernel: 3))
    let found = convolveUpsampled(
      Variable(inputs[0]), .full(Variable(inputs[1])), bias: Variable(inputs[2]))
    let largest = enlarged.value.array.map(abs).max()!
    for (a, b) in zip(found.value.array, enlarged.value.array) {
      #expect(abs(a - b) <= 1e-5 * largest)
    }
  }

  /// Each of input, weights and bias may be frozen; the gradients by the rest are the same then.
  @Test(arguments: 1..<8) func frozenParts(_ tracked: Int) {
    let values = [random([2, 4, 5, 6], 1), random([3, 3, 6, 7], 2), random([7], 3)]
    let probe = random([2, 4, 5, 7], 4)
    func gradients(_ isTracked: (Int) -> Bool) -> [Tensor?] {
      let leaves = values.indices.map {
        isTracked($0) ? Variable.leaf(values[$0]) : Variable(values[$0])
      }
      let tape = Tape()
      tape.backward(
        from: tape.record {
          weightedMean(
            convolve(leaves[0], leaves[1], bias: leaves[2], ConvolutionGeometry(kernel: 3)), probe)
        })
      return leaves.map(\.gradient)
    }
    let all = gradients { _ in true }
    let some = gradients { tracked & (1 << $0) != 0 }
    for index in values.indices {
      let expected = tracked & (1 << index) != 0 ? all[index]?.array : nil
      #expect(some[index]?.array == expected)
    }
  }
}
