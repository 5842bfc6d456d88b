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

  /// The size of the steps that begin from now on.
  public var learningRate: Float
  /// How many steps have been finished.
  public private(set) var step: Int
  /// By the names of the tensors, in their layout in memory.
  public private(set) var moments: [String: Moments]
  /// Those of the parameters that this is attached to, once they were found by their names.
  private var found: [Moments?] = []
  /// The one that has begun.
  private var current: AdamStep?

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
  public func beginStep() {
    step += 1
    current = AdamStep(learningRate: learningRate, step: step)
  }

  /// Changes `value` in place by its gradient.
  /// - Precondition: a step has begun.
  public func update(_ name: String, _ value: Tensor, gradient: Tensor) {
    update(value, moments(of: name, value), gradient: gradient)
  }

  private func update(_ value: Tensor, _ state: Moments, gradient: Tensor) {
    begun.apply(to: value, gradient: gradient, mean: state.mean, variance: state.variance)
  }

  private var begun: AdamStep {
    guard let current else { preconditionFailure("an update before the first step") }
    return current
  }

  private func moments(of name: String, _ value: Tensor) -> Moments {
    if let state = moments[name] { return state }
    let state = Moments(mean: Tensor(zeros: value.shape), variance: Tensor(zeros: value.shape))
    moments[name] = state
    return state
  }

  private func moments(of parameter: Parameter, _ index: Int) -> Moments {
    if let state = found[index] { return state }
    let state = moments(of: parameter.name, parameter.value)
    found[index] = state
    return state
  }

  /// Makes each of the parameters trainable, and changes it during the backward: by the parts of its gradient while they are
  /// made, which so never come to memory, or else as soon as it is complete, so that no two gradients are held at once.
  public func attach(to parameters: [Parameter]) {
    for parameter in parameters {
      parameter.isTrainable = true
      let index = found.count
      found.append(nil)
      parameter.whenGradientIsComplete = { [unowned self, unowned parameter] gradient in
        update(parameter.value, moments(of: parameter, index), gradient: gradient)
      }
      parameter.gradientTaker = { [unowned self, unowned parameter] in
        let state = moments(of: parameter, index)
        return begun.taker(
          changing: parameter.value, mean: state.mean, variance: state.variance)
      }
    }
  }
}
