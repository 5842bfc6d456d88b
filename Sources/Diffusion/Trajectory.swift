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
    /// The timestep that the model is told; nil for a step up to a noisier level, which adds noise and asks no model.
    public let timestep: Int?
    /// The share of the clean sample's variance before the step, and after it.
    public let from: Float
    public let to: Float
  }

  /// What the model has said at a step.
  struct Answer {
    let clean: Tensor
    let noise: Tensor
    /// The step that led here, and what the model said of the clean sample at it. Absent at the first step, and after one
    /// that added noise.
    let before: (step: Step, clean: Tensor)?
  }

  /// The latent after a step, from the latent before it. `index` is the number of the step in the walk.
  typealias Rule = (_ latent: Tensor, _ answer: Answer, _ step: Step, _ index: Int) -> Tensor

  public private(set) var steps: [Step]
  /// How many steps are done.
  public private(set) var completed = 0
  /// The latent after those steps.
  public private(set) var latent: Tensor
  private var before: (step: Step, clean: Tensor)?
  private let prediction: Prediction
  private let denoise: Denoiser
  private let rule: Rule
  /// Where each step arrives.
  private var times: [Int]
  private var seed: UInt64 = 0
  private var known: KnownPart?

  init(
    _ latent: Tensor, steps: [Step], prediction: Prediction, denoise: @escaping Denoiser,
    rule: @escaping Rule
  ) {
    self.latent = latent
    self.steps = steps
    times = Array(ResamplingSchedule(steps: steps.count).times.dropFirst())
    self.prediction = prediction
    self.denoise = denoise
    self.rule = rule
  }

  /// The same sampler, visiting its levels in another order. What a step up adds is
  /// `x[to] ~ N(sqrt(1 - beta) x[from], beta I)`, with the beta of the levels that are next to each other here.
  /// - Parameters:
  ///   - schedule: of as many steps as this walk.
  ///   - seed: of the noise that steps up add. A draw depends on it and the number of the step alone.
  /// - Precondition: no step is done yet, and each goes from one level of a sampler to the next.
  public func resampled(by schedule: ResamplingSchedule, seed: UInt64) -> Trajectory {
    precondition(completed == 0 && schedule.steps == steps.count, "\(schedule.steps) levels")
    var result = self
    let down = steps
    result.steps = []
    for (time, next) in zip(schedule.times, schedule.times.dropFirst()) {
      let level = result.steps.last?.to ?? down[0].from
      result.steps.append(
        next < time
          ? down[down.count - 1 - time]
          : Step(timestep: nil, from: level, to: down[down.count - 1 - next].from))
    }
    result.times = Array(schedule.times.dropFirst())
    result.seed = seed
    return result
  }

  /// The same walk with a part of the latent known.
  /// - Precondition: no step is done yet.
  public func keeping(_ part: KnownPart) -> Trajectory {
    precondition(completed == 0, "\(completed) steps are done")
    var result = self
    result.known = part
    return result
  }

  /// Takes the next step. False when there was none left.
  /// - Throws: what the model throws; the latent is as it was then.
  public mutating func advance() throws -> Bool {
    guard completed < steps.count else { return false }
    let step = steps[completed]
    if let timestep = step.timestep {
      let answer = try denoise(latent, timestep)
      let (clean, noise) = prediction.parts(of: answer, for: latent, alpha: step.from)
      latent = rule(latent, Answer(clean: clean, noise: noise, before: before), step, completed)
      before = (step, clean)
      if let known {
        let arrival = KnownPart.Arrival(
          time: times[completed], level: step.to, index: completed)
        latent = known.joined(latent, at: arrival)
      }
    } else {
      let kept = step.to / step.from
      let noise = Philox(seed: seed, stream: .samplerSteps, step: completed).normal(latent.shape)
      latent = .combination(kept.squareRoot(), latent, (1 - kept).squareRoot(), noise)
      before = nil
    }
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
