// One step of Adam over one tensor, in one pass over its memory.

import Glibc

/// The numbers of a step of Adam.
public struct AdamStep: Sendable {
  public var learningRate: Float
  /// In double precision, for 1 - beta2 of floats is off by 1e-5 of itself.
  public var beta1: Double
  public var beta2: Double
  public var epsilon: Float
  /// Decoupled weight decay (Loshchilov and Hutter, 2019); 0 is plain Adam.
  public var weightDecay: Float
  /// Which step this is, counted from 1.
  public var step: Int

  public init(
    learningRate: Float, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0, step: Int
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.step = step
  }

  /// Changes `values`, `mean` and `variance` in place (Kingma and Ba, 2015, Algorithm 1; the order of operations is that
  /// of PyTorch's `torch.optim.AdamW`).
  public func apply(to values: Tensor, gradient: Tensor, mean: Tensor, variance: Tensor) {
    precondition(
      [gradient, mean, variance].allSatisfy { $0.count == values.count },
      "a step of a tensor \(values.shape) with \(gradient.shape), \(mean.shape), \(variance.shape)")
    let correction1 = 1 - pow(beta1, Double(step))
    let correction2 = 1 - pow(beta2, Double(step))
    let rate = Vector(repeating: Float(Double(learningRate) / correction1))
    let inverseRoot = Vector(repeating: Float(1 / correction2.squareRoot()))
    let decay = Vector(repeating: 1 - learningRate * weightDecay)
    let (keep1, take1) = (Vector(repeating: Float(beta1)), Vector(repeating: Float(1 - beta1)))
    let (keep2, take2) = (Vector(repeating: Float(beta2)), Vector(repeating: Float(1 - beta2)))
    let tiny = Vector(repeating: epsilon)
    let (p, g, m, v) = (values.pointer, gradient.pointer, mean.pointer, variance.pointer)
    Parallel.forEachRange(of: values.count, grain: elementGrain) { range in
      forEachVector(range) { i, n in
        let slope = read(g + i, n)
        let first = keep1 * read(m + i, n) + take1 * slope
        let second = keep2 * read(v + i, n) + take2 * slope * slope
        write(first, m + i, n)
        write(second, v + i, n)
        let step = first / (second.squareRoot() * inverseRoot + tiny)
        write(read(p + i, n) * decay - rate * step, p + i, n)
      }
    }
  }
}
