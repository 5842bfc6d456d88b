import Tensors
import Testing

@testable import Autodiff

@Suite struct ActivationsTests {
  @Test(arguments: [Activation.silu, .quickGELU, .gelu])
  func activations(_ activation: Activation) {
    checkGradients([random([3, 37], 1)]) { activate($0[0], activation) }
  }

  @Test func gatedUnit() {
    checkGradients([random([3, 2 * 21], 1)]) { gatedGELU($0[0]) }
  }
}
