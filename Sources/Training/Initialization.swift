// The values that parameters begin with.

import Layers
import Models
import Tensors

/// Draws the initial values of a network's parameters, each from a place of its own in the stream, by the order in which
/// the network asks for them.
///
/// Matrices and kernels are uniform with the variance 1 / (3 * inputs), PyTorch's default for `Linear` and `Conv2d`;
/// biases are 0; norms are the identity; tables of embeddings are normal with a standard deviation of 0.02, CLIP's.
final class Initialization {
  private let seed: UInt64
  private var number: Int

  /// - Parameter first: the place of the first parameter, so that networks share no draws.
  init(seed: UInt64, first: Int) {
    self.seed = seed
    number = first
  }

  var store: ParameterStore { ParameterStore { name, shape in self.tensor(name, shape) } }

  private func tensor(_ name: String, _ shape: Shape) -> Tensor {
    defer { number += 1 }
    if name.hasSuffix(".bias") { return Tensor(zeros: shape) }
    if shape.rank == 1 { return Tensor(repeating: 1, shape) }
    let random = Philox(seed: seed, stream: .initialization, step: number)
    if name.contains("embedding.weight") {
      return 0.02 * random.normal(shape)
    }
    let limit = 1 / Float(shape.count / shape[0]).squareRoot()
    return Tensor(random.uniform(count: shape.count).map { (2 * $0 - 1) * limit }, shape)
  }
}
