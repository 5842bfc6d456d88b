// The optimiser of a base: AdamW with warm-up and a cosine, clipped gradients, and a running average of the weights.

import Autodiff
import Foundation
import Layers
import Tensors

/// Learning rates over a training: a linear warm-up, then half a cosine down to a share of the peak (Loshchilov and
/// Hutter, "SGDR", ICLR 2017, equation 5, without restarts).
struct LearningRateSchedule: Equatable {
  var peak: Double
  var warmUp: Int
  var steps: Int
  /// The share of the peak that the last step has.
  var last = 0.02

  /// The rate of a step, counted from 0.
  func rate(at step: Int) -> Double {
    if step < warmUp { return peak * Double(step + 1) / Double(warmUp) }
    let position = Double(step - warmUp) / Double(max(1, steps - warmUp))
    return peak * (last + (1 - last) * (1 + cos(.pi * min(1, position))) / 2)
  }
}

/// AdamW over the parameters of a network (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019),
/// gradients clipped by their common norm (Pascanu et al., 2013), and an exponential moving average of the weights whose
/// decay rises to its value, `min(decay, (1 + step) / (10 + step))`, as in TensorFlow's.
final class Optimizer {
  let parameters: [Parameter]
  var schedule: LearningRateSchedule
  private let weightDecay: Float
  private let clip: Double
  private let decay: Double
  /// Running means of the gradient and its square, and of the weights, in the layout of memory, by parameter.
  private(set) var means: [Tensor]
  private(set) var variances: [Tensor]
  private(set) var averages: [Tensor]
  /// Steps done.
  private(set) var step = 0

  /// - Parameters:
  ///   - clip: the largest norm of all gradients together.
  ///   - decay: of the average of the weights.
  init(
    _ parameters: [Parameter], schedule: LearningRateSchedule, weightDecay: Double, clip: Double,
    decay: Double
  ) {
    self.parameters = parameters
    self.schedule = schedule
    self.weightDecay = Float(weightDecay)
    self.clip = clip
    self.decay = decay
    means = parameters.map { Tensor(zeros: $0.value.shape) }
    variances = parameters.map { Tensor(zeros: $0.value.shape) }
    averages = parameters.map { $0.value.copy() }
    for parameter in parameters { parameter.isTrainable = true }
  }

  /// Goes on from a saved state, in the layout of disk, by the parameters' order.
  func resume(step: Int, means: [Tensor], variances: [Tensor], averages: [Tensor]) {
    self.step = step
    for (index, parameter) in parameters.enumerated() {
      self.means[index] = parameter.inMemory(means[index])
      self.variances[index] = parameter.inMemory(variances[index])
      self.averages[index] = parameter.inMemory(averages[index])
    }
  }

  /// Changes the parameters by the gradients that the last backward left, and forgets those.
  func update() {
    let gradients = parameters.map { $0.gradient }
    let square = gradients.reduce(0.0) { sum, gradient in sum + (gradient.map { $0.dot($0) } ?? 0) }
    let norm = square.squareRoot()
    step += 1
    let rate = Float(schedule.rate(at: step - 1))
    let share = Float(min(decay, Double(1 + step) / Double(10 + step)))
    for (index, parameter) in parameters.enumerated() {
      guard let gradient = gradients[index] else { continue }
      let value = parameter.value
      if norm > clip { gradient.scale(inPlace: Float(clip / norm)) }
      // Biases and norms are not drawn to zero.
      let isMatrix = parameter.storedShape.rank > 1
      AdamStep(learningRate: rate, weightDecay: isMatrix ? weightDecay : 0, step: step).apply(
        to: value, gradient: gradient, mean: means[index], variance: variances[index])
      averages[index].blend(inPlace: value, share: 1 - share)
      parameter.clearGradient()
    }
  }

  /// Runs `body` with the averages in the place of the weights.
  func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
    swap()
    defer { swap() }
    return try body()
  }

  private func swap() {
    for (index, parameter) in parameters.enumerated() {
      let value = parameter.value.copy()
      parameter.value.assign(averages[index])
      averages[index].assign(value)
    }
  }
}

extension Tensor {
  /// Moves each element by a share of the way to that of another tensor.
  func blend(inPlace other: Tensor, share: Float) {
    Parallel.forEachRange(of: count, grain: 65_536) { range in
      let (own, others) = (pointer, other.pointer)
      for index in range { own[index] += share * (others[index] - own[index]) }
    }
  }

  /// Takes the elements of another tensor of as many.
  func assign(_ other: Tensor) { pointer.update(from: other.pointer, count: count) }
}

extension Optimizer {
  convenience init(_ parameters: [Parameter], _ recipe: Recipe.Schedule) {
    self.init(
      parameters,
      schedule: LearningRateSchedule(
        peak: recipe.learningRate, warmUp: recipe.warmUp, steps: recipe.steps),
      weightDecay: recipe.weightDecay, clip: recipe.clip, decay: recipe.averageDecay)
  }
}
