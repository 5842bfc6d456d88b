// What a training step of either stage shows the denoiser: the photograph's latent with noise at drawn timesteps.

import Diffusion
import Tensors

/// Draws the batches of a stage. A batch depends on the seed, the stage and the step alone, never on what ran before.
struct TrainingBatches {
  /// The photograph's latent, `[1, height, width, channels]`.
  let latent: Tensor
  let schedule: NoiseSchedule
  let size: Int
  let seed: UInt64
  /// Where the stage's steps begin among those of the random streams, so that the two stages share no draws.
  let firstDraw: Int

  init(
    of latent: Tensor, schedule: NoiseSchedule, size: Int, seed: UInt64, stage: Stage
  ) {
    self.latent = latent
    self.schedule = schedule
    self.size = size
    self.seed = seed
    firstDraw = stage == .modelFinetune ? 1 << 30 : 0
  }

  /// The batch of a step: noisy latents, their timesteps, and what the denoiser should answer.
  func batch(_ step: Int) -> (noisy: Tensor, timesteps: [Int], target: Tensor) {
    let draw = firstDraw + step
    let timesteps = schedule.trainingTimesteps(batch: size, seed: seed, step: draw)
    let clean = Tensor(concatenating: Array(repeating: latent, count: size))
    let noise = Philox(seed: seed, stream: .trainingNoise, step: draw).normal(clean.shape)
    return (
      schedule.noisy(clean, noise: noise, timesteps: timesteps), timesteps,
      schedule.target(clean: clean, noise: noise, timesteps: timesteps)
    )
  }
}
