import Diffusion
import TestSupport
import Tensors
import Testing

@testable import Editing

@Suite struct SamplerTests {
  private func sampler(_ method: SamplingMethod, steps: Int) throws -> Sampler {
    let base = try Base(path: Repository.base)
    return Sampler(
      unet: try base.folder.unet(), schedule: base.schedule, method: method, steps: steps,
      guidanceScale: 2, unconditional: try base.embeddings(of: [""]).tensor)
  }

  /// As diffusers' `get_timesteps` of its image-to-image pipelines has it, `min(int(steps * strength), steps)` of them, but for
  /// products that only their rounding keeps below a whole number, such as 50 * 0.58.
  @Test(arguments: [
    (25, 0.3, 7), (50, 0.58, 29), (50, 0.5, 25), (10, 1, 10), (10, 0.05, 0), (10, 0, 0),
  ])
  func aStrengthIsAShareOfTheSteps(steps: Int, strength: Double, kept: Int) throws {
    for method in SamplingMethod.allCases {
      let sampler = try sampler(method, steps: steps)
      let timesteps = try sampler.timesteps(strength: strength)
      let all = try sampler.timesteps(strength: 1)
      #expect(timesteps.count == kept && all.count == steps && timesteps == all.suffix(kept))
    }
  }

  /// Against the steps written out: noise up to the first timestep that is left, and DDIM from there.
  @Test func editsAreNoisedAndDenoised() throws {
    let base = try Base(path: Repository.base)
    let sampler = try sampler(.ddim, steps: 5)
    let photograph = try base.randomLatent(seed: 1, height: 8, width: 8)
    let noise = try base.randomLatent(seed: 2, height: 8, width: 8)
    let embedding = try base.embeddings(of: ["a photo of a cow"]).tensor
    var asked = 0
    let edited = try sampler.latent(
      of: photograph, noise: noise, strength: 0.6, embedding: embedding
    ) { asked += 1 }
    #expect(asked == 3)

    let schedule = sampler.schedule
    let kept = try Array(schedule.timesteps(5).suffix(3))
    let signal = schedule.alphas[kept[0]].squareRoot()
    let spread = (1 - schedule.alphas[kept[0]]).squareRoot()
    var walk = try ddim(
      from: Tensor.combination(signal, photograph, spread, noise), schedule: schedule, steps: 5,
      skipping: 2, denoise: sampler.denoiser(embedding, unconditional: sampler.unconditional))
    let expected = try walk.finish()
    for (found, wanted) in zip(edited.array, expected.array) {
      #expect(abs(found - wanted) < 1e-4)
    }
  }

  @Test func aStrengthOfNothingGivesThePhotographBack() throws {
    let base = try Base(path: Repository.base)
    let sampler = try sampler(.ddim, steps: 5)
    let photograph = try base.randomLatent(seed: 1, height: 8, width: 8)
    let same = try sampler.latent(
      of: photograph, noise: photograph, strength: 0.1, embedding: sampler.unconditional
    ) { Issue.record("a step was taken") }
    #expect(same.array == photograph.array)
  }
}
