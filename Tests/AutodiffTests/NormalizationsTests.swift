import Tensors
import Testing

@testable import Autodiff

@Suite struct NormalizationsTests {
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
