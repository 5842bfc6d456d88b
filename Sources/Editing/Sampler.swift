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
  /// How often each stretch of `resampleJump` steps is gone through.
  var resample = 1
  var resampleJump = GenerateSettings.publishedJump
  var guidanceScale: Double
  /// The embedding of no sentence, `[1, tokens, width]`.
  let unconditional: Tensor

  /// From noise to a latent.
  /// - Parameters:
  ///   - noise: `[batch, height, width, channels]`.
  ///   - skipped: how many of the noisiest steps to leave out, where the noise is at the level of the next.
  ///   - embedding: `[batch, tokens, width]`.
  ///   - seed: of the noise that is taken in on the way.
  ///   - known: what the mask keeps; nil without a mask.
  ///   - afterStep: called each time the denoiser was asked; what it throws ends the sampling.
  /// - Throws: `ScheduleError`, and what `afterStep` throws.
  func latent(
    from noise: Tensor, skipping skipped: Int = 0, embedding: Tensor, seed: UInt64 = 0,
    keeping known: KnownPart? = nil, afterStep: () throws -> Void
  ) throws -> Tensor {
    let denoise = denoiser(embedding, unconditional: unconditional)
    var walk =
      switch method {
      case .ddim:
        try ddim(
          from: noise, schedule: schedule, steps: steps, skipping: skipped, denoise: denoise)
      case .ddpm:
        try ddpm(
          from: noise, schedule: schedule, steps: steps, skipping: skipped, seed: seed,
          denoise: denoise)
      case .dpmSolver:
        try dpmSolver(
          from: noise, schedule: schedule, steps: steps, skipping: skipped, denoise: denoise)
      }
    walk = walk.resampled(by: try order(of: walk.steps.count), seed: seed)
    if let known { walk = walk.keeping(known) }
    while try walk.advance() {
      if walk.steps[walk.completed - 1].timestep != nil { try afterStep() }
    }
    return walk.latent
  }

  /// How often the denoiser is asked in a walk of `count` steps.
  /// - Throws: `ScheduleError`.
  func calls(in count: Int) throws -> Int { try order(of: count).calls }

  /// In which order a walk visits its levels: a walk that begins late, with no room for a jump, goes straight.
  private func order(of count: Int) throws -> ResamplingSchedule {
    count > resampleJump
      ? try ResamplingSchedule(steps: count, jump: resampleJump, resample: resample)
      : ResamplingSchedule(steps: count)
  }

  /// The latents of the photograph at the sampler's levels, from the cleanest to the noise that the sampling without
  /// guidance takes back to `latent`: those of DDIM through the sampler's timesteps.
  func inversion(of latent: Tensor, embedding: Tensor, afterStep: () throws -> Void) throws
    -> [Tensor]
  {
    let denoise = prediction(embedding)
    var walk =
      switch method {
      case .ddim:
        try ddimInversion(of: latent, schedule: schedule, steps: steps, denoise: denoise)
      case .ddpm, .dpmSolver:
        ddimInversion(
          of: latent, schedule: schedule, through: try timesteps(), denoise: denoise)
      }
    var latents: [Tensor] = []
    while try walk.advance() {
      latents.append(walk.latent)
      try afterStep()
    }
    return latents
  }

  /// From a photograph's latent with noise to one that the sentence describes (Meng et al. 2022, algorithm 2).
  ///
  /// As in diffusers' image-to-image pipeline: noise is added up to the level of one of the sampler's timesteps, and the
  /// sampler goes on from there.
  /// - Parameters:
  ///   - photograph: `[batch, height, width, channels]`; comes back as it is where the strength leaves no step.
  ///   - noise: standard normal, in the same shape.
  ///   - strength: from 0, nothing, to 1, all of the sampler's steps.
  ///   - seed: of the noise that is taken in on the way.
  ///   - known: what the mask keeps; nil without a mask.
  /// - Throws: `ScheduleError`, and what `afterStep` throws.
  func latent(
    of photograph: Tensor, noise: Tensor, strength: Double, embedding: Tensor, seed: UInt64 = 0,
    keeping known: KnownPart? = nil, afterStep: () throws -> Void
  ) throws -> Tensor {
    let kept = try timesteps(strength: strength)
    guard let first = kept.first else { return photograph }
    let batch = photograph.shape[0]
    let noisy = schedule.noisy(
      photograph, noise: noise, timesteps: Array(repeating: first, count: batch))
    return try latent(
      from: noisy, skipping: timesteps().count - kept.count, embedding: embedding, seed: seed,
      keeping: known, afterStep: afterStep)
  }

  /// The last timesteps of the sampler, as many as the strength's share of them, rounded down.
  /// - Throws: `ScheduleError`.
  func timesteps(strength: Double) throws -> ArraySlice<Int> {
    let all = try timesteps()
    // Beyond the share, so that the rounding of 0.58 * 50 takes no step away.
    return all.suffix(Int(Double(all.count) * min(max(strength, 0), 1) + 1e-9))
  }

  private func timesteps() throws -> [Int] { try schedule.timesteps(steps, of: method) }

  func denoiser(_ embedding: Tensor, unconditional: Tensor) -> Denoiser {
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

extension NoiseSchedule {
  /// The timesteps that a sampler of `steps` steps visits, from the noisiest to the cleanest.
  /// - Throws: `ScheduleError` where the schedule has no room for so many.
  func timesteps(_ steps: Int, of method: SamplingMethod) throws -> [Int] {
    switch method {
    case .ddim, .ddpm: try timesteps(steps)
    case .dpmSolver: try solverTimesteps(steps)
    }
  }
}
