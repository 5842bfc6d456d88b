import Tensors
import Testing

@testable import Autodiff

@Suite struct AttentionOperationTests {
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
