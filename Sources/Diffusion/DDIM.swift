// Deterministic sampling and its reverse: Song et al., "Denoising Diffusion Implicit Models", ICLR 2021, equation 12 with
// sigma 0.

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

  public let steps: [Step]
  /// How many steps are done.
  public private(set) var completed = 0
  /// The latent after those steps.
  public private(set) var latent: Tensor
  private let prediction: Prediction
  private let clipRange: Float?
  private let denoise: Denoiser

  init(
    _ latent: Tensor, steps: [Step], schedule: NoiseSchedule, denoise: @escaping Denoiser
  ) {
    self.latent = latent
    self.steps = steps
    self.denoise = denoise
    prediction = schedule.parameters.prediction
    clipRange = schedule.parameters.clipRange
  }

  /// Takes the next step. False when there was none left.
  /// - Throws: what the model throws; the latent is as it was then.
  public mutating func advance() throws -> Bool {
    guard completed < steps.count else { return false }
    let step = steps[completed]
    let answer = try denoise(latent, step.timestep)
    let (predicted, noise) = prediction.parts(of: answer, for: latent, alpha: step.from)
    let limit = clipRange ?? .infinity
    let signal = step.to.squareRoot()
    let spread = (1 - step.to).squareRoot()
    latent = elementwise(predicted, noise) { clean, noise in
      signal * min(max(clean, -limit), limit) + spread * noise
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

/// From noise to a clean latent.
///
/// A step at timestep t goes from the noise level of t to that of the timestep a stride, `trainingSteps / steps`, before
/// it; before the first timestep the level is the schedule's `finalAlpha`. The timesteps are those of
/// `NoiseSchedule.timesteps`, as in `DDIMScheduler` of diffusers with eta 0.
/// - Parameters:
///   - noise: standard normal noise in the shape of the latent.
///   - steps: how many times the model is asked.
/// - Throws: `ScheduleError` where the schedule has no room for so many steps.
public func ddim(
  from noise: Tensor, schedule: NoiseSchedule, steps: Int, denoise: @escaping Denoiser
) throws -> Trajectory {
  let walk = try schedule.timesteps(steps).map { timestep in
    Trajectory.Step(
      timestep: timestep, from: schedule.alphas[timestep],
      to: schedule.alpha(before: timestep, steps: steps))
  }
  return Trajectory(noise, steps: walk, schedule: schedule, denoise: denoise)
}

/// From a clean latent to the noise that `ddim` of as many steps takes back to it.
///
/// It visits the same timesteps from the cleanest to the noisiest. The step at timestep t goes from the noise level of the
/// timestep a stride before it to that of t, and the model is told t, the level that the step arrives at: what `ddim` is
/// told when it makes the same step backwards. The latent that the model sees is still that of the level before, which is
/// where the two walks differ, the less the more steps there are. So has it `DDIMInverseScheduler` of diffusers, which has
/// no linspace spacing; here it works with all three.
/// - Throws: `ScheduleError` where the schedule has no room for so many steps.
public func ddimInversion(
  of clean: Tensor, schedule: NoiseSchedule, steps: Int, denoise: @escaping Denoiser
) throws -> Trajectory {
  let walk = try schedule.timesteps(steps).reversed().map { timestep in
    Trajectory.Step(
      timestep: timestep, from: schedule.alpha(before: timestep, steps: steps),
      to: schedule.alphas[timestep])
  }
  return Trajectory(clean, steps: walk, schedule: schedule, denoise: denoise)
}
