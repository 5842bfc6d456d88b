import Testing

@testable import Tensors

@Suite struct ActivationsTests {
  @Test(arguments: Activation.allCases)
  func activations(_ activation: Activation) {
    // Every two thousandth of [-20, 20]: small magnitudes, the bends, and where the functions are flat.
    let values = (-40_000...40_000).map { Float($0) / 2_000 }
    let x = Tensor(values, [values.count])
    let (found, slopes) = (
      x.applying(activation), x.activationGradient(activation, Tensor(repeating: 1, x.shape))
    )
    for (index, value) in values.enumerated() {
      let (exact, slope) = (
        naiveValue(activation, Double(value)), naiveDerivative(activation, Double(value))
      )
      // A float of magnitude 20 is itself known to 1e-6.
      let unit = 3e-7 * max(1, abs(exact))
      #expect(abs(Double(found.pointer[index]) - exact) <= unit, "at \(value)")
      #expect(abs(Double(slopes.pointer[index]) - slope) <= 1e-6, "slope at \(value)")
    }
  }

  @Test(arguments: Activation.allCases, ElementwiseTests.counts)
  func activationGradients(_ activation: Activation, _ count: Int) {
    let (x, gradient) = (random([count], 1), random([count], 2))
    #expect(
      relativeError(x.applying(activation), Exact(x).map { naiveValue(activation, $0) }) <= 1e-5)
    #expect(
      relativeError(
        x.activationGradient(activation, gradient),
        naiveMap(x, gradient) { naiveDerivative(activation, $0) * $1 }) <= 1e-5)
  }

  @Test(arguments: Activation.allCases)
  func farOut(_ activation: Activation) {
    let x = Tensor([-1e4, -200, -60, 60, 200, 1e4], [6])
    let found = x.applying(activation).array
    #expect(largestDifference(found, [0, 0, 0, 60, 200, 1e4]) <= 1e-6)
    let slopes = x.activationGradient(activation, Tensor(repeating: 1, [6])).array
    #expect(largestDifference(slopes, [0, 0, 0, 1, 1, 1]) <= 1e-6)
    #expect(Tensor([.nan], [1]).applying(activation).scalar.isNaN)
  }

  @Test(arguments: [(1, 1), (5, 3), (2, 16), (33, 49), (300, 170)])
  func gatedUnit(_ rows: Int, _ width: Int) {
    let (x, gradient) = (random([rows, 2 * width], 1), random([rows, width], 2))
    let (source, upper) = (Exact(x), Exact(gradient))
    var expected = Exact(zeros: [rows, width])
    var slopes = Exact(zeros: x.shape)
    for i in 0..<rows {
      for j in 0..<width {
        let (a, g) = (source[i, j], source[i, width + j])
        expected[i, j] = a * naiveValue(.gelu, g)
        slopes[i, j] = upper[i, j] * naiveValue(.gelu, g)
        slopes[i, width + j] = upper[i, j] * a * naiveDerivative(.gelu, g)
      }
    }
    #expect(relativeError(x.gatedGELU(), expected) <= 1e-5)
    #expect(relativeError(x.gatedGELUGradient(gradient), slopes) <= 1e-5)
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let (x, gradient) = (random([400, 500], 1), random([400, 250], 2))
    expectSameBytesOnAnyThreads {
      Activation.allCases.flatMap { [x.applying($0), x.activationGradient($0, x)] }
        + [x.gatedGELU(), x.gatedGELUGradient(gradient)]
    }
  }
}
