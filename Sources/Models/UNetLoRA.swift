// Which layers of the denoiser LoRA is laid over.

import Layers
import Tensors

extension UNet2DConditionModel {
  /// Lays LoRA over the attentions' `to_q`, `to_k`, `to_v` and `to_out.0` and, where wanted, over the `conv1` and `conv2` of
  /// the residual blocks. Their own weights are no longer trainable, nor any other.
  /// - Parameters:
  ///   - rank: of each.
  ///   - seed: the n-th layer in the order of the network draws from step n of the stream of initial values.
  /// - Returns: in the order of the network.
  public func addLoRA(rank: Int, convolutions: Bool, seed: UInt64) -> [LoRA] {
    let ends =
      ["to_q", "to_k", "to_v", "to_out.0"] + (convolutions ? ["conv1", "conv2"] : [])
    for parameter in parameters { parameter.isTrainable = false }
    return parameters.filter { parameter in
      ends.contains { parameter.name.hasSuffix(".\($0).weight") }
    }.enumerated().map { index, weight in
      weight.addLoRA(rank: rank, draws: Philox(seed: seed, stream: .initialization, step: index))
    }
  }

  /// Adds what LoRA has learned to the weights.
  public func mergeLoRA() {
    for parameter in parameters { parameter.mergeLoRA() }
  }
}
