// Sampling in fewer steps: Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
// 2022, algorithm 2 (2M).

import Glibc
import Tensors

extension NoiseSchedule {
  /// The timesteps that `dpmSolver` of `steps` steps visits, from the noisiest to the cleanest, as in
  /// `DPMSolverMultistepScheduler` of diffusers. They are not those of ``timesteps(_:)``, but for the trailing spacing:
  /// the others leave room for one step more, the one to the sample free of noise.
  /// - Throws: `ScheduleError` where the schedule has no room for so many, or for none.
  public func solverTimesteps(_ steps: Int) throws -> [Int] {
    let total = parameters.trainingSteps
    if parameters.spacing == .trailing { return try timesteps(steps) }
    guard steps >= 1, steps < total else {
      throw ScheduleError(
        description: "\(steps) sampling steps of dpm-solver++, wanted 1 to \(total - 1)")
    }
    let timesteps: [Int]
    switch parameters.spacing {
    case .linspace:
      let stride = Double(total - 1) / Double(steps)
      timesteps = (1...steps).reversed().map { index in
        index == steps ? total - 1 : Int((Double(index) * stride).rounded(.toNearestOrEven))
      }
    case .leading, .trailing:
      let stride = total / (steps + 1)
      timesteps = (1...steps).reversed().map { $0 * stride + parameters.stepsOffset }
    }
    guard timesteps[0] < total else {
      throw ScheduleError(
        description:
          "\(steps) sampling steps of dpm-solver++ with an offset of \(parameters.stepsOffset) reach"
          + " timestep \(timesteps[0]), wanted at most \(total - 1): take fewer steps")
    }
    return timesteps
  }
}

/// From noise to a clean latent in fewer steps than `ddim` takes: 15 to 20, by the paper.
///
/// A step goes on with the line through the clean samples predicted at this step and the one before it; the first step,
/// which has none before it, and the last, which goes to a sample free of noise, go on with the newest alone. So has it
/// `DPMSolverMultistepScheduler` of diffusers with `algorithm_type="dpmsolver++"`, `solver_order=2`,
/// `solver_type="midpoint"`, `lower_order_final=True` and `final_sigmas_type="zero"`. Like it, it does not clip, whatever
/// the schedule's `clipRange` is, and takes a level of pure noise for one of 2^-24.
/// - Parameters:
///   - noise: standard normal noise in the shape of the latent.
///   - steps: how many steps there are from pure noise.
///   - skipped: how many of them, the noisiest, to leave out: `noise` is then a latent at the level of the next.
/// - Throws: `ScheduleError` where the schedule has no room for so many steps.
public func dpmSolver(
  from noise: Tensor, schedule: NoiseSchedule, steps: Int, skipping skipped: Int = 0,
  denoise: @escaping Denoiser
) throws -> Trajectory {
  let timesteps = Array(try schedule.solverTimesteps(steps).dropFirst(skipped))
  let levels = timesteps.map { schedule.alphas[$0] == 0 ? 0x1p-24 : schedule.alphas[$0] } + [1]
  let walk = timesteps.indices.map { index in
    Trajectory.Step(timestep: timesteps[index], from: levels[index], to: levels[index + 1])
  }
  return Trajectory(
    noise, steps: walk, prediction: schedule.parameters.prediction, denoise: denoise
  ) { latent, answer, step, _ in
    let isLast = step.to == 1
    let step = DPMSolverStep(step)
    guard let before = answer.before, !isLast else {
      return elementwise(latent, answer.clean) { step.keep * $0 + step.take * $1 }
    }
    let slope = step.slope(after: DPMSolverStep(before.step))
    let line = elementwise(answer.clean, before.clean) { $0 + slope * ($0 - $1) }
    return elementwise(latent, line) { step.keep * $0 + step.take * $1 }
  }
}

/// The numbers of one step, from the level s to the level t: `sigma_t / sigma_s`, `alpha_t (1 - e^-h)`, and h, by which
/// the logarithm of the ratio of signal to noise rises.
private struct DPMSolverStep {
  let keep: Float
  let take: Float
  let rise: Double

  init(_ step: Trajectory.Step) {
    let (from, to) = (Double(step.from), Double(step.to))
    keep = Float(((1 - to) / (1 - from)).squareRoot())
    rise = (log(to / (1 - to)) - log(from / (1 - from))) / 2
    take = Float(to.squareRoot() * -expm1(-rise))
  }

  /// How far beyond the newest clean sample to go, in distances of the two: h over twice the h of the step before.
  func slope(after before: DPMSolverStep) -> Float { Float(rise / before.rise / 2) }
}
