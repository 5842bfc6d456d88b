import Tensors

@testable import Editing

extension Base {
  /// Noise in the form of a latent of this base, `[1, height, width, channels]`.
  func randomLatent(seed: UInt64, height: Int, width: Int) throws -> Tensor {
    let channels = try folder.unetConfiguration().inChannels
    return Philox(seed: seed, stream: .selection).normal([1, height, width, channels])
  }
}
