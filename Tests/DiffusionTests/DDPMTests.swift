import Tensors
import Testing

@testable import Diffusion

@Suite struct DDPMTests {
  @Test func samplesAreThoseOfDiffusers() throws {
    let references = try ScheduleReferences.load()
    let latent = Tensor(references.latent, [1, 8])
    var compared = 0
    for reference in references.schedules {
      let schedule = NoiseSchedule(try .init(reference.configuration))
      for walk in reference.ancestral {
        var sampling = try ddpm(
          from: latent, schedule: schedule, steps: walk.steps, seed: ScheduleReferences.seed,
          denoise: referenceModel)
        expectClose(try sampling.finish().array, walk.latent, tolerance: 2e-5)
        compared += 1
      }
    }
    #expect(compared == 15)
  }

  /// DDIM with an eta of 1 is the same sampler.
  @Test func samplesAreThoseOfDDIMWithNoise() throws {
    let references = try ScheduleReferences.load()
    var compared = 0
    for reference in references.schedules {
      guard let expected = reference.ancestralDdim else { continue }
      var sampling = try ddpm(
        from: Tensor(references.latent, [1, 8]),
        schedule: NoiseSchedule(try .init(reference.configuration)), steps: 20,
        seed: ScheduleReferences.seed, denoise: referenceModel)
      expectClose(try sampling.finish().array, expected, tolerance: 2e-5)
      compared += 1
    }
    #expect(compared == 3)
  }

  /// With a model that knows the clean sample, the latents of each level are spread around it as the schedule says.
  @Test func latentsHaveTheVarianceOfTheirLevel() throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = .sample
    let count = 16_384
    let clean = Tensor(zeros: [1, count])
    var sampling = try ddpm(
      from: Philox(seed: 3, stream: .samplingNoise).normal(clean.shape),
      schedule: NoiseSchedule(parameters), steps: 20, seed: 3
    ) { _, _ in clean }
    while try sampling.advance(), sampling.completed < 20 {
      let found = sampling.latent.array.reduce(0) { $0 + $1 * $1 } / Float(count)
      let expected = 1 - sampling.steps[sampling.completed - 1].to
      // The mean of so many squares deviates by a factor of sqrt(2 / 16384), 1.1%.
      #expect(abs(found / expected - 1) < 0.05, "step \(sampling.completed)")
    }
    #expect(sampling.latent.array == clean.array)
  }

  @Test(arguments: [0, 1, 7]) func aWalkThatSkipsTakesTheRestOfTheSteps(skipped: Int) throws {
    let schedule = NoiseSchedule(.init())
    func walk(skipping: Int) throws -> Trajectory {
      try ddpm(
        from: Tensor([1, -1], [1, 2]), schedule: schedule, steps: 10, skipping: skipping, seed: 0,
        denoise: referenceModel)
    }
    var rest = try walk(skipping: skipped)
    try #expect(rest.steps == Array(walk(skipping: 0).steps.dropFirst(skipped)))
    try #expect(rest.finish().isFinite)
  }

  @Test func drawsDependOnTheSeed() throws {
    func sample(_ seed: UInt64) throws -> [Float] {
      var sampling = try ddpm(
        from: Tensor([1, 2], [1, 2]), schedule: NoiseSchedule(.init()), steps: 5, seed: seed,
        denoise: referenceModel)
      return try sampling.finish().array
    }
    try #expect(sample(0) == sample(0))
    try #expect(sample(0) != sample(1))
  }
}
