import Tensors
import Testing

@testable import Autodiff

@Suite struct ActivationTests {
  @Test(arguments: [Activation.silu, .quickGELU, .gelu])
  func activations(_ activation: Activation) {
    checkGradients([random([3, 37], 1)]) { activate($0[0], activation) }
  }

  @Test func gatedUnit() {
    checkGradients([random([3, 2 * 21], 1)]) { gatedGELU($0[0]) }
  }
}

@Suite struct LinearTests {
  @Test func linearMap() {
    checkGradients([random([2, 5, 18], 1), random([18, 33], 2), random([33], 3)]) {
      linear($0[0], $0[1], bias: $0[2])
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
}

@Suite struct NormalizationTests {
  @Test(arguments: [false, true]) func groups(_ silu: Bool) {
    checkGradients([random([2, 9, 15, 24], 1), random([24], 2), random([24], 3)]) {
      groupNorm(
        $0[0], scale: $0[1], shift: $0[2], groups: 4, epsilon: 1e-5, silu: silu)
    }
  }

  @Test func layers() {
    checkGradients([random([2, 9, 24], 1), random([24], 2), random([24], 3)]) {
      layerNorm($0[0], scale: $0[1], shift: $0[2], epsilon: 1e-5)
    }
  }
}

@Suite struct AttentionTests {
  @Test(arguments: [(1, 5, 7), (2, 20, 20), (3, 130, 9), (1, 9, 300)], [false, true])
  func heads(_ sizes: (Int, Int, Int), _ causal: Bool) {
    let (batch, queries, keys) = sizes
    checkGradients(
      [
        random([batch, queries, 24], 1), random([batch, keys, 24], 2),
        random([batch, keys, 24], 3),
      ]
    ) {
      attend(queries: $0[0], keys: $0[1], values: $0[2], heads: 3, causal: causal)
    }
  }
}

@Suite struct LossTests {
  @Test func squaredError() {
    let target = random([4, 9], 5)
    checkGradients([random([4, 9], 1)]) { meanSquaredError($0[0], target) }
  }
}
