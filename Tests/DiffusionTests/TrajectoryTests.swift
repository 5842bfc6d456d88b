import Tensors
import Testing

@testable import Diffusion

@Suite struct TrajectoryTests {
  private let resampling = try! ResamplingSchedule(steps: 20, jump: 5, resample: 3)

  /// For a model that answers with the clean sample.
  private let knowing: NoiseSchedule = {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = .sample
    return NoiseSchedule(parameters)
  }()

  private static let samplers = ["ddim", "ddpm", "dpm-solver++"]

  private func walk(
    _ sampler: String, from noise: Tensor, schedule: NoiseSchedule = NoiseSchedule(.init()),
    _ denoise: @escaping Denoiser
  ) throws -> Trajectory {
    switch sampler {
    case "ddim": try ddim(from: noise, schedule: schedule, steps: 20, denoise: denoise)
    case "ddpm": try ddpm(from: noise, schedule: schedule, steps: 20, seed: 9, denoise: denoise)
    default: try dpmSolver(from: noise, schedule: schedule, steps: 20, denoise: denoise)
    }
  }

  /// Each step starts from the level that the one before arrived at, and the model is told that level's timestep.
  @Test(arguments: samplers) func aResampledWalkIsUnbroken(sampler: String) throws {
    let straight = try walk(sampler, from: Tensor([1], [1])) { latent, _ in latent }
    var told: [Int] = []
    var resampled = try walk(sampler, from: Tensor([1], [1])) {
      told.append($1)
      return $0
    }.resampled(by: resampling, seed: 1)
    for (step, next) in zip(resampled.steps, resampled.steps.dropFirst()) {
      #expect(step.to == next.from)
    }
    #expect(resampled.steps.count == resampling.times.count - 1)
    #expect(resampled.steps.first == straight.steps.first)
    #expect(resampled.steps.last == straight.steps.last)
    _ = try resampled.finish()
    #expect(told.count == resampling.calls)
    let timesteps = straight.steps.map(\.timestep)
    let visited = zip(resampling.times, resampling.times.dropFirst()).filter { $1 < $0 }
    #expect(told == visited.map { timesteps[19 - $0.0] })
  }

  /// With a model that knows the clean sample, the latents of each level are spread around it as the schedule says, also
  /// after going up.
  @Test(arguments: samplers) func goingUpKeepsTheVarianceOfALevel(sampler: String) throws {
    let clean = Tensor(zeros: [1, 16_384])
    let noise = Philox(seed: 2, stream: .samplingNoise).normal(clean.shape)
    var resampled = try walk(sampler, from: noise, schedule: knowing) { _, _ in clean }
      .resampled(by: resampling, seed: 2)
    while try resampled.advance(), resampled.completed < resampled.steps.count {
      let found = resampled.latent.array.reduce(0) { $0 + $1 * $1 } / Float(clean.count)
      let expected = 1 - resampled.steps[resampled.completed - 1].to
      // The mean of so many squares deviates by a factor of sqrt(2 / 16384), 1.1%.
      #expect(abs(found / expected - 1) < 0.05, "\(sampler), step \(resampled.completed)")
    }
  }

  /// `sqrt(1 - beta) x + sqrt(beta) z`, with beta that of the two levels next to each other.
  @Test func aStepUpIsTheForwardProcess() throws {
    var resampled = try walk("ddim", from: Tensor([1, -2], [1, 2])) { latent, _ in latent }
      .resampled(by: resampling, seed: 7)
    var before = resampled.latent
    while try resampled.advance() {
      let index = resampled.completed - 1
      let step = resampled.steps[index]
      if step.timestep == nil {
        let beta = 1 - step.to / step.from
        #expect(beta > 0)
        let noise = Philox(seed: 7, stream: .samplerSteps, step: index).normal([1, 2])
        let expected = zip(before.array, noise.array).map {
          (1 - beta).squareRoot() * $0 + beta.squareRoot() * $1
        }
        #expect(resampled.latent.array == expected)
      }
      before = resampled.latent
    }
  }

  /// A straight order is no other walk.
  @Test(arguments: samplers) func sampledOnceItIsTheSameWalk(sampler: String) throws {
    let noise = Tensor([1, -0.5], [1, 2])
    var plain = try walk(sampler, from: noise, referenceModel)
    var once = try walk(sampler, from: noise, referenceModel)
      .resampled(by: ResamplingSchedule(steps: 20), seed: 3)
    #expect(plain.steps == once.steps)
    try #expect(plain.finish().array == once.finish().array)
  }

  /// A model that knows the clean sample leads to it however often it goes back.
  @Test func aPerfectModelIsFollowed() throws {
    let clean = Tensor([0.25, -0.5], [1, 2])
    var sampling = try walk("dpm-solver++", from: Tensor([3, 1], [1, 2]), schedule: knowing) {
      _, _ in clean
    }.resampled(by: resampling, seed: 0)
    try #expect(sampling.finish().array == clean.array)
  }
}
