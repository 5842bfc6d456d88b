// Deterministic sampling and its reverse: Song et al., "Denoising Diffusion Implicit Models", ICLR 2021, equation 12 with
// sigma 0.

import Tensors

/// From noise to a clean latent.
///
/// A step at timestep t goes from the noise level of t to that of the timestep a stride, `trainingSteps / steps`, before
/// it; before the first timestep the level is the schedule's `finalAlpha`. The timesteps are those of
/// `NoiseSchedule.timesteps`, as in `DDIMScheduler` of diffusers with eta 0.
/// - Parameters:
///   - noise: standard normal noise in the shape of the latent.
///   - steps: how many steps there are from pure noise.
///   - skipped: how many of them, the noisiest, to leave out: `noise` is then a latent at the level of the next.
/// - Throws: `ScheduleError` where the schedule has no room for so many steps.
public func ddim(
  from noise: Tensor, schedule: NoiseSchedule, steps: Int, skipping skipped: Int = 0,
  denoise: @escaping Denoiser
) throws -> Trajectory {
  let walk = try schedule.timesteps(steps).dropFirst(skipped).map { timestep in
    Trajectory.Step(
      timestep: timestep, from: schedule.alphas[timestep],
      to: schedule.alpha(before: timestep, steps: steps))
  }
  return ddim(noise, walk, schedule, denoise)
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
    inverseStep(
      to: timestep, from: schedule.alpha(before: timestep, steps: steps), of: schedule)
  }
  return ddim(clean, walk, schedule, denoise)
}

/// From a clean latent to the noise level that a sampler of the given timesteps starts from, by steps of DDIM from each
/// of its levels to the noisier one. The model is told the timestep that a step arrives at.
/// - Parameter timesteps: of the schedule, from the noisiest to the cleanest.
public func ddimInversion(
  of clean: Tensor, schedule: NoiseSchedule, through timesteps: [Int], denoise: @escaping Denoiser
) -> Trajectory {
  var level = schedule.finalAlpha
  let walk = timesteps.reversed().map { timestep in
    defer { level = schedule.alphas[timestep] }
    return inverseStep(to: timestep, from: level, of: schedule)
  }
  return ddim(clean, walk, schedule, denoise)
}

/// A step to the noisier level of a timestep. A model that predicts the clean sample tells nothing of the noise in a sample
/// that has none: such a sample is taken to be at the level that the step arrives at, and so stays as it is.
private func inverseStep(
  to timestep: Int, from level: Float, of schedule: NoiseSchedule
) -> Trajectory.Step {
  let next = schedule.alphas[timestep]
  let isUnknown = level >= 1 && schedule.parameters.prediction == .sample
  return Trajectory.Step(timestep: timestep, from: isUnknown ? next : level, to: next)
}

/// A walk by DDIM's rule: the predicted clean sample with as much of the predicted noise as the level has.
private func ddim(
  _ latent: Tensor, _ walk: [Trajectory.Step], _ schedule: NoiseSchedule,
  _ denoise: @escaping Denoiser
) -> Trajectory {
  let limit = schedule.parameters.clipRange ?? .infinity
  return Trajectory(
    latent, steps: walk, prediction: schedule.parameters.prediction, denoise: denoise
  ) { _, answer, step, _ in
    let signal = step.to.squareRoot()
    let spread = (1 - step.to).squareRoot()
    return elementwise(answer.clean, answer.noise) { clean, noise in
      signal * min(max(clean, -limit), limit) + spread * noise
    }
  }
}
