import Tensors
import Testing

@testable import Diffusion

@Suite struct DDIMTests {
  private struct ModelFailure: Error {}

  @Test func samplesAreThoseOfDiffusers() throws {
    let references = try ScheduleReferences.load()
    for reference in references.schedules {
      let schedule = NoiseSchedule(try .init(reference.configuration))
      var sampling = try ddim(
        from: Tensor(references.latent, [1, 8]), schedule: schedule, steps: 20,
        denoise: referenceModel)
      expectClose(try sampling.finish().array, reference.sampled, tolerance: 1e-5)
    }
  }

  @Test func inversionsAreThoseOfDiffusers() throws {
    let references = try ScheduleReferences.load()
    var compared = 0
    for reference in references.schedules {
      guard let expected = reference.inverted else { continue }
      let schedule = NoiseSchedule(try .init(reference.configuration))
      var inversion = try ddimInversion(
        of: Tensor(references.latent, [1, 8]), schedule: schedule, steps: 20,
        denoise: referenceModel)
      expectClose(try inversion.finish().array, expected, tolerance: 1e-5)
      compared += 1
    }
    #expect(compared == 4)
  }

  /// The steps that are left out are those that the whole walk begins with.
  @Test(arguments: [0, 1, 7, 20]) func aWalkThatSkipsGoesOnFromItsLatent(skipped: Int) throws {
    let schedule = NoiseSchedule(.init())
    let noise = Tensor([0.25, -0.5, 1], [1, 3])
    var whole = try ddim(from: noise, schedule: schedule, steps: 20, denoise: referenceModel)
    for _ in 0..<skipped { _ = try whole.advance() }
    var rest = try ddim(
      from: whole.latent, schedule: schedule, steps: 20, skipping: skipped, denoise: referenceModel)
    #expect(rest.steps == Array(whole.steps.dropFirst(skipped)))
    try #expect(rest.finish().array == whole.finish().array)
  }

  /// A model that knows the clean sample leads to it from any noise: exactly for a schedule that ends free of noise.
  @Test(arguments: [NoiseSchedule.Spacing.leading, .trailing, .linspace])
  func aPerfectModelIsFollowed(spacing: NoiseSchedule.Spacing) throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = .sample
    parameters.spacing = spacing
    parameters.setsAlphaToOne = true
    let clean = Tensor([0.25, -0.5], [1, 2])
    var sampling = try ddim(
      from: Tensor([3, 1], [1, 2]), schedule: NoiseSchedule(parameters), steps: 10
    ) { _, _ in clean }
    try #expect(sampling.finish().array == clean.array)
  }

  /// Where the answer does not depend on the level, the inversion is exact.
  @Test func inversionThenSamplingReturns() throws {
    let schedule = NoiseSchedule(.init())
    let clean = Tensor([0.25, -0.5, 1], [1, 3])
    let noise = Tensor([1, -1, 0.5], [1, 3])
    var inversion = try ddimInversion(of: clean, schedule: schedule, steps: 25) { _, _ in noise }
    var sampling = try ddim(
      from: try inversion.finish(), schedule: schedule, steps: 25
    ) { _, _ in noise }
    expectClose(try sampling.finish().array, clean.array, tolerance: 1e-5)
  }

  /// A sample without noise, and a model that tells nothing of noise: the first step leaves it as it is.
  @Test func aCleanSampleIsInvertedByAModelOfSamples() throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = .sample
    parameters.setsAlphaToOne = true
    let schedule = NoiseSchedule(parameters)
    let clean = Tensor([0.25, -0.5], [1, 2])
    let guess = Tensor([0.2, -0.4], [1, 2])
    let timesteps = try schedule.timesteps(10)
    for var inversion in [
      try ddimInversion(of: clean, schedule: schedule, steps: 10) { _, _ in guess },
      ddimInversion(of: clean, schedule: schedule, through: timesteps) { _, _ in guess },
    ] {
      try #expect(inversion.advance())
      expectClose(inversion.latent.array, clean.array, tolerance: 1e-5)
      #expect(try inversion.finish().isFinite)
    }
  }

  @Test func theModelIsToldTheTimestepsInTurn() throws {
    let schedule = NoiseSchedule(.init())
    var told: [Int] = []
    var sampling = try ddim(from: Tensor([1], [1]), schedule: schedule, steps: 4) {
      told.append($1)
      return $0
    }
    #expect(sampling.steps.count == 4)
    #expect(sampling.completed == 0)
    try #expect(sampling.advance())
    #expect(sampling.completed == 1)
    _ = try sampling.finish()
    #expect(told == [751, 501, 251, 1])
    try #expect(!sampling.advance())

    told = []
    var inversion = try ddimInversion(of: Tensor([1], [1]), schedule: schedule, steps: 4) {
      told.append($1)
      return $0
    }
    _ = try inversion.finish()
    #expect(told == [1, 251, 501, 751])
  }

  @Test func aFailureOfTheModelLeavesTheLatent() throws {
    var sampling = try ddim(
      from: Tensor([1, 2], [1, 2]), schedule: NoiseSchedule(.init()), steps: 4
    ) { _, _ in throw ModelFailure() }
    #expect(throws: ModelFailure.self) { _ = try sampling.advance() }
    #expect(sampling.completed == 0)
    #expect(sampling.latent.array == [1, 2])
  }
}
