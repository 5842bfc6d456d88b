// From an embedding to a picture: the tuned denoiser, guidance, and where the sampling starts.

import Autodiff
import Diffusion
import Models
import Tensors

/// Samples latents from a tuned denoiser.
struct Sampler {
  let unet: UNet2DConditionModel
  let schedule: NoiseSchedule
  let method: SamplingMethod
  var steps: Int
  var guidanceScale: Double
  /// The embedding of no sentence, `[1, tokens, width]`.
  let unconditional: Tensor

  /// From noise to a latent.
  /// - Parameters:
  ///   - noise: `[batch, height, width, channels]`.
  ///   - embedding: `[batch, tokens, width]`.
  ///   - afterStep: called after each step; what it throws ends the sampling.
  /// - Throws: `ScheduleError`, and what `afterStep` throws.
  func latent(from noise: Tensor, embedding: Tensor, afterStep: () throws -> Void) throws -> Tensor
  {
    let denoise = denoiser(embedding, unconditional: unconditional)
    let walk =
      switch method {
      case .ddim: try ddim(from: noise, schedule: schedule, steps: steps, denoise: denoise)
      case .dpmSolver:
        try dpmSolver(from: noise, schedule: schedule, steps: steps, denoise: denoise)
      }
    return try finish(walk, afterStep)
  }

  /// The noise that the sampling without guidance takes back to `latent`: that of DDIM through the sampler's timesteps.
  func inversion(of latent: Tensor, embedding: Tensor, afterStep: () throws -> Void) throws
    -> Tensor
  {
    let denoise = prediction(embedding)
    let walk =
      switch method {
      case .ddim:
        try ddimInversion(of: latent, schedule: schedule, steps: steps, denoise: denoise)
      case .dpmSolver:
        ddimInversion(
          of: latent, schedule: schedule, through: try schedule.solverTimesteps(steps),
          denoise: denoise)
      }
    return try finish(walk, afterStep)
  }

  private func finish(_ trajectory: Trajectory, _ afterStep: () throws -> Void) throws -> Tensor {
    var trajectory = trajectory
    while try trajectory.advance() { try afterStep() }
    return trajectory.latent
  }

  private func denoiser(_ embedding: Tensor, unconditional: Tensor) -> Denoiser {
    guard guidanceScale != 1 else { return prediction(embedding) }
    let batch = embedding.shape[0]
    let empty =
      unconditional.shape[0] == batch
      ? unconditional : Tensor(concatenating: Array(repeating: unconditional, count: batch))
    return guided(
      scale: Float(guidanceScale),
      denoise: prediction(Tensor(concatenating: [empty, embedding])))
  }

  /// The denoiser's own answer to an embedding.
  private func prediction(_ embedding: Tensor) -> Denoiser {
    { latent, timestep in
      unet(
        Variable(latent), timesteps: Array(repeating: timestep, count: latent.shape[0]),
        context: Variable(embedding)
      ).value
    }
  }
}
