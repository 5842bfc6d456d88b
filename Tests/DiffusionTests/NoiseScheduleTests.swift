import Tensors
import Testing

@testable import Diffusion

@Suite struct NoiseScheduleTests {
  @Test func alphasAreThoseOfDiffusers() throws {
    for reference in try ScheduleReferences.load().schedules {
      let schedule = NoiseSchedule(try .init(reference.configuration))
      for pair in reference.alphas {
        let (timestep, alpha) = (Int(pair[0]), Float(pair[1]))
        // Twice the last bit of a float32 near 1, over up to a thousand products.
        #expect(abs(schedule.alphas[timestep] - alpha) <= 3e-7)
      }
      #expect(abs(schedule.finalAlpha - reference.finalAlpha) <= 3e-7)
    }
  }

  @Test func timestepsAreThoseOfDiffusers() throws {
    for reference in try ScheduleReferences.load().schedules {
      let schedule = NoiseSchedule(try .init(reference.configuration))
      for list in reference.timesteps {
        try #expect(schedule.timesteps(list.steps) == list.timesteps)
      }
    }
  }

  @Test func refusesStepsThatDoNotFit() throws {
    let schedule = NoiseSchedule(.init())
    for steps in [0, -1, 1001] {
      #expect {
        try schedule.timesteps(steps)
      } throws: {
        "\($0)" == "\(steps) sampling steps, wanted 1 to 1000"
      }
    }
    // With the offset of 1, the first of 1000 timesteps would be 1000.
    #expect(throws: ScheduleError.self) { try schedule.timesteps(1000) }
    try #expect(schedule.timesteps(500).first == 999)
  }

  @Test func noisyAndTargetAreThoseOfDiffusers() throws {
    let references = try ScheduleReferences.load()
    let clean = Tensor(references.latent.prefix(6), [3, 2])
    let noise = Tensor(references.latent.suffix(6), [3, 2])
    for reference in references.schedules {
      var parameters = try NoiseSchedule.Parameters(reference.configuration)
      parameters.prediction = .velocity
      let schedule = NoiseSchedule(parameters)
      let total = parameters.trainingSteps
      let timesteps = [0, total / 3, total - 1]
      let noisy = schedule.noisy(clean, noise: noise, timesteps: timesteps)
      expectClose(noisy.array, reference.noisy, tolerance: 1e-6)
      let velocity = schedule.target(clean: clean, noise: noise, timesteps: timesteps)
      expectClose(velocity.array, reference.velocity, tolerance: 1e-6)
    }
  }

  @Test func otherTargetsAreTheirTensors() {
    let clean = Tensor([1], [1, 1])
    let noise = Tensor([2], [1, 1])
    var parameters = NoiseSchedule.Parameters()
    #expect(
      NoiseSchedule(parameters).target(clean: clean, noise: noise, timesteps: [5]).array == [2])
    parameters.prediction = .sample
    #expect(
      NoiseSchedule(parameters).target(clean: clean, noise: noise, timesteps: [5]).array == [1])
  }

  @Test func zeroTerminalSNREndsInPureNoise() {
    var parameters = NoiseSchedule.Parameters()
    parameters.rescalesToZeroTerminalSNR = true
    let schedule = NoiseSchedule(parameters)
    #expect(schedule.alphas.last == 0)
    #expect(schedule.alphas.allSatisfy { $0.isFinite })
    #expect(schedule.alphas[0] == NoiseSchedule(.init()).alphas[0])
  }

  @Test func trainingTimestepsFallIntoTheirParts() {
    let schedule = NoiseSchedule(.init())
    for step in 0..<200 {
      let timesteps = schedule.trainingTimesteps(batch: 4, seed: 3, step: step)
      for (index, timestep) in timesteps.enumerated() {
        #expect((250 * index..<250 * (index + 1)).contains(timestep))
      }
    }
  }

  @Test func trainingTimestepsAreEvenOverManySteps() {
    let schedule = NoiseSchedule(.init())
    let draws = (0..<20_000).flatMap { schedule.trainingTimesteps(batch: 1, seed: 9, step: $0) }
    let tenths = draws.reduce(into: Array(repeating: 0, count: 10)) { $0[$1 / 100] += 1 }
    // Five standard deviations of a count of 2000.
    #expect(tenths.allSatisfy { abs($0 - 2000) < 213 })
    #expect(draws.allSatisfy { (0..<1000).contains($0) })
  }

  @Test func trainingTimestepsDependOnSeedAndStepAlone() {
    let schedule = NoiseSchedule(.init())
    let draw = schedule.trainingTimesteps(batch: 8, seed: 1, step: 7)
    #expect(draw == schedule.trainingTimesteps(batch: 8, seed: 1, step: 7))
    #expect(draw != schedule.trainingTimesteps(batch: 8, seed: 1, step: 8))
    #expect(draw != schedule.trainingTimesteps(batch: 8, seed: 2, step: 7))
  }
}
