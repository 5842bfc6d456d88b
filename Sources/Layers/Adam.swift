// The optimiser of both training stages.

import Autodiff
import Tensors

/// Adam (Kingma and Ba, 2015) over named tensors, with PyTorch's defaults: betas 0.9 and 0.999, epsilon 1e-8.
///
/// The state of a tensor is made at its first step; a resumed optimiser is given the saved state instead.
public final class Adam {
  /// The running moments of one tensor's gradient.
  public struct Moments: Sendable {
    public var mean: Tensor
    public var variance: Tensor

    public init(mean: Tensor, variance: Tensor) {
      self.mean = mean
      self.variance = variance
    }
  }

  public var learningRate: Float
  /// How many steps have been finished.
  public private(set) var step: Int
  /// By the names of the tensors, in their layout in memory.
  public private(set) var moments: [String: Moments]

  /// - Parameters:
  ///   - learningRate: the size of a step.
  ///   - step: how many steps the given moments have seen.
  ///   - moments: saved state; empty at the start.
  public init(learningRate: Float, step: Int = 0, moments: [String: Moments] = [:]) {
    self.learningRate = learningRate
    self.step = step
    self.moments = moments
  }

  /// Begins a step: the updates until the next call belong to it.
  public func beginStep() { step += 1 }

  /// Changes `value` in place by its gradient.
  /// - Precondition: a step has begun.
  public func update(_ name: String, _ value: Tensor, gradient: Tensor) {
    let state = moments(of: name, value)
    AdamStep(learningRate: learningRate, step: step).apply(
      to: value, gradient: gradient, mean: state.mean, variance: state.variance)
  }

  /// What changes `value` in place by the parts of its gradient.
  /// - Precondition: a step has begun.
  public func taker(_ name: String, _ value: Tensor) -> PartTaker {
    let state = moments(of: name, value)
    return AdamStep(learningRate: learningRate, step: step).taker(
      changing: value, mean: state.mean, variance: state.variance)
  }

  private func moments(of name: String, _ value: Tensor) -> Moments {
    precondition(step > 0, "an update before the first step")
    if let state = moments[name] { return state }
    let state = Moments(mean: Tensor(zeros: value.shape), variance: Tensor(zeros: value.shape))
    moments[name] = state
    return state
  }

  /// Makes each of the parameters trainable, and changes it during the backward: by the parts of its gradient while they are
  /// made, which so never come to memory, or else as soon as it is complete, so that no two gradients are held at once.
  public func attach(to parameters: [Parameter]) {
    for parameter in parameters {
      parameter.isTrainable = true
      parameter.whenGradientIsComplete = { [unowned self, unowned parameter] gradient in
        update(parameter.name, parameter.value, gradient: gradient)
      }
      parameter.gradientTaker = { [unowned self, unowned parameter] in
        taker(parameter.name, parameter.value)
      }
    }
  }
}
