// Random numbers that depend on where they are drawn, not on what was drawn before.

import Glibc

/// A counter-based generator of random numbers, Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011).
///
/// A draw is a function of `(seed, stream, step)` and its index in the draw alone, so a run that was stopped draws, when
/// it goes on, what it would have drawn. The key is the seed; the counter is, from its low word to its high one, the
/// index of a block of four words, the step, and the stream.
public struct Philox: Sendable {
  /// What random numbers are drawn for. Each purpose has a stream, so that no two share numbers.
  public enum Stream: UInt32, Sendable, CaseIterable {
    /// The timesteps of a training step.
    case timesteps = 1
    /// The noise that is added to the latent in a training step.
    case trainingNoise = 2
    /// The noise that a sampler starts from.
    case samplingNoise = 3
    /// The noise that a stochastic sampler adds on its way.
    case samplerSteps = 4
    /// Initial values of parameters.
    case initialization = 5
    /// Which captions are dropped, and other choices among training data.
    case selection = 6
    /// The noise of the part of a picture that a masked sampler keeps.
    case knownNoise = 7
    /// The noise in which a mask is looked for.
    case maskNoise = 8
    /// The noise in which edits are measured.
    case measurement = 9
    /// What a made scene shows.
    case scenes = 16
    /// What is scattered over a made scene: snow.
    case scatter = 17
    /// Which parts of photographs are cut out.
    case crops = 18
    /// What an edit changes of a scene.
    case edits = 19
    /// The order in which training pictures come.
    case order = 32
    /// Where training pictures are cropped.
    case cropping = 33
    /// The draws from an autoencoder's posterior.
    case posterior = 34
  }

  private let key: SIMD2<UInt32>
  private let stream: UInt32
  private let step: UInt32

  /// - Parameters:
  ///   - seed: the seed of the run.
  ///   - stream: what the numbers are for.
  ///   - step: which training or sampling step they are for.
  public init(seed: UInt64, stream: Stream, step: Int = 0) {
    self.init(seed: seed, stream: stream.rawValue, step: UInt32(truncatingIfNeeded: step))
  }

  init(seed: UInt64, stream: UInt32, step: UInt32) {
    self.key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.stream = stream
    self.step = step
  }

  /// The four random words of one block.
  public func words(block: UInt64) -> SIMD4<UInt32> {
    Self.philox4x32(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), step, stream),
      key: key)
  }

  /// Ten rounds of the Philox4x32 bijection.
  static func philox4x32(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (c0, c1, c2, c3) = (counter[0], counter[1], counter[2], counter[3])
    var (k0, k1) = (key[0], key[1])
    for _ in 0..<10 {
      let product0 = UInt64(0xD251_1F53) &* UInt64(c0)
      let product1 = UInt64(0xCD9E_8D57) &* UInt64(c2)
      (c0, c1, c2, c3) = (
        UInt32(truncatingIfNeeded: product1 >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: product1),
        UInt32(truncatingIfNeeded: product0 >> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: product0)
      )
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return SIMD4(c0, c1, c2, c3)
  }

  /// `count` numbers drawn evenly from [0, 1): 24 bits each.
  public func uniform(count: Int) -> [Float] {
    (0..<count).map { index in
      let word = words(block: UInt64(index / 4))[index % 4]
      return Float(word >> 8) * 0x1p-24
    }
  }

  /// A tensor of numbers drawn from the standard normal distribution, by the Box-Muller transform of pairs of words:
  /// `sqrt(-2 ln u) * (cos, sin)(2 pi v)` with `u` in (0, 1] and `v` in [0, 1), computed in double precision.
  public func normal(_ shape: Shape) -> Tensor {
    let result = Tensor(uninitialized: shape)
    Parallel.forEachRange(of: (shape.count + 3) / 4, grain: 1024) { blocks in
      for block in blocks {
        let words = words(block: UInt64(block))
        for pair in 0..<2 {
          let index = 4 * block + 2 * pair
          let u = (Double(words[2 * pair]) + 1) * 0x1p-32
          let v = Double(words[2 * pair + 1]) * 0x1p-32
          let radius = (-2 * log(u)).squareRoot()
          let angle = 2 * Double.pi * v
          if index < shape.count { result.pointer[index] = Float(radius * cos(angle)) }
          if index + 1 < shape.count { result.pointer[index + 1] = Float(radius * sin(angle)) }
        }
      }
    }
    return result
  }
}
