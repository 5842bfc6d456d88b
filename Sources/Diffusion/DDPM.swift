// Ancestral sampling: Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020, algorithm 2.

import Tensors

/// From noise to a clean latent with new noise at every step: DDIM with an eta of 1.
///
/// A step draws from the posterior of the level that it arrives at, given the latent and the clean sample predicted from
/// it (the paper's equations 6 and 7, with the betas of the timesteps visited). The last step arrives at a sample free of
/// noise. So has it `DDPMScheduler` of diffusers with its `fixed_small` variance, at the timesteps that
/// `NoiseSchedule.timesteps` gives.
/// - Parameters:
///   - noise: standard normal noise in the shape of the latent.
///   - steps: how many steps there are from pure noise.
///   - skipped: how many of them, the noisiest, to leave out: `noise` is then a latent at the level of the next.
///   - seed: of the noise that the steps add. A draw depends on it and the number of the step alone.
/// - Throws: `ScheduleError` where the schedule has no room for so many steps.
public func ddpm(
  from noise: Tensor, schedule: NoiseSchedule, steps: Int, skipping skipped: Int = 0, seed: UInt64,
  denoise: @escaping Denoiser
) throws -> Trajectory {
  let timesteps = Array(try schedule.timesteps(steps).dropFirst(skipped))
  let levels = timesteps.map { schedule.alphas[$0] } + [1]
  let walk = timesteps.indices.map { index in
    Trajectory.Step(timestep: timesteps[index], from: levels[index], to: levels[index + 1])
  }
  let limit = schedule.parameters.clipRange ?? .infinity
  return Trajectory(
    noise, steps: walk, prediction: schedule.parameters.prediction, denoise: denoise
  ) { latent, answer, step, index in
    let posterior = Posterior(step)
    let mean = elementwise(answer.clean, latent) { clean, latent in
      posterior.clean * min(max(clean, -limit), limit) + posterior.latent * latent
    }
    guard posterior.deviation > 0 else { return mean }
    let draw = Philox(seed: seed, stream: .samplerSteps, step: index).normal(latent.shape)
    return elementwise(mean, draw) { $0 + posterior.deviation * $1 }
  }
}

/// The distribution of the latent at a cleaner level: its mean's shares of the clean sample and of the noisier latent, and
/// its standard deviation.
private struct Posterior {
  let clean: Float
  let latent: Float
  let deviation: Float

  init(_ step: Trajectory.Step) {
    let (from, to) = (Double(step.from), Double(step.to))
    let kept = from / to
    clean = Float(to.squareRoot() * (1 - kept) / (1 - from))
    latent = Float(kept.squareRoot() * (1 - to) / (1 - from))
    deviation = Float(((1 - to) / (1 - from) * (1 - kept)).squareRoot())
  }
}
