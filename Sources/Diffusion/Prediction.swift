// What a model's answer means. Samplers see clean samples and noise alone.

import Tensors

/// What a model predicts from a noisy sample.
public enum Prediction: Sendable, Hashable, CaseIterable {
  /// The noise in it.
  case epsilon
  /// `sqrt(alpha) * noise - sqrt(1 - alpha) * clean` (Salimans and Ho, "Progressive Distillation for Fast Sampling of
  /// Diffusion Models", 2022, appendix D).
  case velocity
  /// The clean sample in it.
  case sample

  /// The clean sample and the noise that a prediction says are in a noisy sample.
  /// - Parameters:
  ///   - prediction: the model's answer.
  ///   - noisy: what it was asked about, in the same shape.
  ///   - alpha: the share of the clean sample's variance, above 0 for `epsilon` and below 1 for `sample`.
  public func parts(
    of prediction: Tensor, for noisy: Tensor, alpha: Float
  ) -> (clean: Tensor, noise: Tensor) {
    let signal = alpha.squareRoot()
    let spread = (1 - alpha).squareRoot()
    switch self {
    case .epsilon:
      let clean = elementwise(noisy, prediction) { ($0 - spread * $1) / signal }
      return (clean, prediction)
    case .velocity:
      let clean = elementwise(noisy, prediction) { signal * $0 - spread * $1 }
      let noise = elementwise(noisy, prediction) { spread * $0 + signal * $1 }
      return (clean, noise)
    case .sample:
      let noise = elementwise(noisy, prediction) { ($0 - signal * $1) / spread }
      return (prediction, noise)
    }
  }
}

/// A function of two tensors of one shape, element by element.
@inline(__always)
func elementwise(_ x: Tensor, _ y: Tensor, _ function: (Float, Float) -> Float) -> Tensor {
  precondition(x.shape == y.shape, "shapes \(x.shape) and \(y.shape)")
  let result = Tensor(uninitialized: x.shape)
  let (a, b, c) = (x.pointer, y.pointer, result.pointer)
  for index in 0..<x.count { c[index] = function(a[index], b[index]) }
  return withExtendedLifetime((x, y)) { result }
}
