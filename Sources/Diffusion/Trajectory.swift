// Walks from noise level to noise level, which all samplers are.

import Tensors

/// A model as a sampler sees it: the prediction for a latent at a timestep.
public typealias Denoiser = (_ latent: Tensor, _ timestep: Int) throws -> Tensor

/// A walk from noise level to noise level, a step at a time; the caller drives it.
///
/// ```swift
/// var sampling = try ddim(from: noise, schedule: schedule, steps: 50, denoise: model)
/// while try sampling.advance() { show(sampling.completed, of: sampling.steps.count) }
/// let clean = sampling.latent
/// ```
public struct Trajectory {
  /// A step of the walk.
  public struct Step: Sendable, Equatable {
    /// The timestep that the model is told.
    public let timestep: Int
    /// The share of the clean sample's variance before the step, and after it.
    public let from: Float
    public let to: Float
  }

  /// What the model has said at a step, and what it said of the clean sample at the step before.
  struct Answer {
    let clean: Tensor
    let noise: Tensor
    /// Absent at the first step.
    let cleanBefore: Tensor?
  }

  /// The latent after step `index` of the walk, from the latent before it.
  typealias Rule = (_ latent: Tensor, _ answer: Answer, _ index: Int) -> Tensor

  public let steps: [Step]
  /// How many steps are done.
  public private(set) var completed = 0
  /// The latent after those steps.
  public private(set) var latent: Tensor
  private var cleanBefore: Tensor?
  private let prediction: Prediction
  private let denoise: Denoiser
  private let rule: Rule

  init(
    _ latent: Tensor, steps: [Step], prediction: Prediction, denoise: @escaping Denoiser,
    rule: @escaping Rule
  ) {
    self.latent = latent
    self.steps = steps
    self.prediction = prediction
    self.denoise = denoise
    self.rule = rule
  }

  /// Takes the next step. False when there was none left.
  /// - Throws: what the model throws; the latent is as it was then.
  public mutating func advance() throws -> Bool {
    guard completed < steps.count else { return false }
    let step = steps[completed]
    let answer = try denoise(latent, step.timestep)
    let (clean, noise) = prediction.parts(of: answer, for: latent, alpha: step.from)
    latent = rule(latent, Answer(clean: clean, noise: noise, cleanBefore: cleanBefore), completed)
    cleanBefore = clean
    completed += 1
    return true
  }

  /// Takes all the steps that are left.
  /// - Throws: what the model throws.
  public mutating func finish() throws -> Tensor {
    while try advance() {}
    return latent
  }
}
