// The part of a latent that is known, and stays as it is while a sampler makes the rest.

import Tensors

/// What a masked walk keeps.
///
/// After every step the latent is `mask * latent + (1 - mask) * known`, where `known` is the clean latent with the noise of
/// the level that the step arrived at (Lugmayr et al. 2022, algorithm 1), and the clean latent itself after the last.
public struct KnownPart {
  /// Where a step arrives.
  struct Arrival {
    /// The time in a sampler's `ResamplingSchedule`.
    let time: Int
    /// The share of the clean sample's variance.
    let level: Float
    /// The number of the step in its walk.
    let index: Int
  }

  /// `[1, height, width, 1]`, 0 where the latent is known and 1 where the sampler is free.
  private let mask: Tensor
  private let clean: Tensor
  private let noisy: (Arrival) -> Tensor

  /// With noise drawn anew at each step. Its standard deviation is `sqrt(1 - level)`: the paper's algorithm prints it
  /// without the root.
  /// - Parameters:
  ///   - clean: the latent, `[batch, height, width, channels]`.
  ///   - mask: `[1, height, width, 1]`, 0 to 1.
  ///   - seed: of the noise. A draw depends on it and the number of the step alone.
  public init(_ clean: Tensor, mask: Tensor, seed: UInt64) {
    self.init(clean, mask) { arrival in
      let noise = Philox(seed: seed, stream: .knownNoise, step: arrival.index).normal(clean.shape)
      return .combination(
        arrival.level.squareRoot(), clean, (1 - arrival.level).squareRoot(), noise)
    }
  }

  /// With the noise that the latent's own inversion has found at each level.
  /// - Parameters:
  ///   - clean: the latent, `[batch, height, width, channels]`.
  ///   - mask: `[1, height, width, 1]`, 0 to 1.
  ///   - inversion: the latents at the times 0, 1 and so on.
  public init(_ clean: Tensor, mask: Tensor, inversion: [Tensor]) {
    self.init(clean, mask) { inversion[$0.time] }
  }

  /// - Precondition: the shapes fit.
  private init(_ clean: Tensor, _ mask: Tensor, noisy: @escaping (Arrival) -> Tensor) {
    let extents = clean.shape
    precondition(
      extents.rank == 4 && mask.shape == [1, extents[1], extents[2], 1],
      "a mask of \(mask.shape) for \(extents)")
    self.mask = mask
    self.clean = clean
    self.noisy = noisy
  }

  /// The latent with its known part put in place.
  func joined(_ latent: Tensor, at arrival: Arrival) -> Tensor {
    let known = arrival.time < 0 ? clean : noisy(arrival)
    let result = Tensor(uninitialized: latent.shape)
    let channels = latent.shape[3]
    for position in 0..<latent.count / channels {
      let free = mask.pointer[position % mask.count]
      for index in position * channels..<(position + 1) * channels {
        let (new, old) = (latent.pointer[index], known.pointer[index])
        // What is kept whole is kept to the bit, whatever the model says there.
        result.pointer[index] = free == 0 ? old : free == 1 ? new : free * new + (1 - free) * old
      }
    }
    return withExtendedLifetime((latent, known, mask)) { result }
  }
}
