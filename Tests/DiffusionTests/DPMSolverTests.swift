import Tensors
import Testing

@testable import Diffusion

@Suite struct DPMSolverTests {
  @Test func samplesAreThoseOfDiffusers() throws {
    let references = try ScheduleReferences.load()
    var compared = 0
    for reference in references.solvers {
      let schedule = NoiseSchedule(try .init(reference.configuration))
      for walk in reference.sampled {
        try #expect(schedule.solverTimesteps(walk.steps) == walk.timesteps)
        var sampling = try dpmSolver(
          from: Tensor(references.latent, [1, 8]), schedule: schedule, steps: walk.steps,
          denoise: referenceModel)
        expectClose(try sampling.finish().array, walk.latent, tolerance: 2e-5)
        compared += 1
      }
    }
    #expect(compared == 60)
  }

  /// A model that knows the clean sample leads to it from any noise, at once.
  @Test(arguments: [NoiseSchedule.Spacing.leading, .trailing, .linspace], [1, 2, 10])
  func aPerfectModelIsFollowed(spacing: NoiseSchedule.Spacing, steps: Int) throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = .sample
    parameters.spacing = spacing
    let clean = Tensor([0.25, -0.5], [1, 2])
    var sampling = try dpmSolver(
      from: Tensor([3, 1], [1, 2]), schedule: NoiseSchedule(parameters), steps: steps
    ) { _, _ in clean }
    try #expect(sampling.finish().array == clean.array)
  }

  /// The first step after those that are left out has none before it; for a model whose clean sample never changes, that
  /// makes no difference.
  @Test(arguments: [1, 4, 14]) func aWalkThatSkipsGoesOnFromItsLatent(skipped: Int) throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = .sample
    let schedule = NoiseSchedule(parameters)
    let clean = Tensor([0.25, -0.5], [1, 2])
    var whole = try dpmSolver(from: Tensor([3, 1], [1, 2]), schedule: schedule, steps: 15) {
      _, _ in clean
    }
    for _ in 0..<skipped { _ = try whole.advance() }
    var rest = try dpmSolver(
      from: whole.latent, schedule: schedule, steps: 15, skipping: skipped
    ) { _, _ in clean }
    #expect(rest.steps == Array(whole.steps.dropFirst(skipped)))
    _ = try (whole.advance(), rest.advance())
    expectClose(rest.latent.array, whole.latent.array, tolerance: 1e-6)
    try #expect(rest.finish().array == clean.array)
  }

  /// For clean samples of a normal distribution the best prediction is known, and with it the latent at each level:
  /// the noise as wide as what the level holds. Ten steps come closer to it than forty of DDIM. The last step is left
  /// out, as it goes to another level with each.
  @Test func fewerStepsComeCloserThanDDIM() throws {
    let schedule = NoiseSchedule(.init())
    func variance(_ alpha: Float) -> Float { alpha * 0.25 + 1 - alpha }
    func model(_ latent: Tensor, _ timestep: Int) -> Tensor {
      let alpha = schedule.alphas[timestep]
      return ((1 - alpha).squareRoot() / variance(alpha)) * latent
    }
    func error(_ walk: Trajectory) throws -> Float {
      var walk = walk
      while walk.completed < walk.steps.count - 1 { _ = try walk.advance() }
      let (first, last) = (walk.steps[0].from, walk.steps[walk.completed].from)
      return abs(walk.latent.pointer[0] - (variance(last) / variance(first)).squareRoot())
    }
    let noise = Tensor([1], [1])
    let solved = try error(dpmSolver(from: noise, schedule: schedule, steps: 10, denoise: model))
    let stepped = try error(ddim(from: noise, schedule: schedule, steps: 40, denoise: model))
    #expect(solved < stepped / 5, "\(solved) against \(stepped)")
  }

  /// The inversion takes the solver's own levels backwards, and ends at the one that the solver starts from.
  @Test(arguments: [NoiseSchedule.Spacing.leading, .trailing, .linspace])
  func theInversionArrivesWhereTheSolverStarts(spacing: NoiseSchedule.Spacing) throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.spacing = spacing
    let schedule = NoiseSchedule(parameters)
    let clean = Tensor([0.25, -0.5, 1], [1, 3])
    let noise = Tensor([1, -1, 0.5], [1, 3])
    var inversion = ddimInversion(
      of: clean, schedule: schedule, through: try schedule.solverTimesteps(15)
    ) { _, _ in noise }
    var sampling = try dpmSolver(
      from: try inversion.finish(), schedule: schedule, steps: 15
    ) { _, _ in noise }
    #expect(inversion.steps.map(\.timestep) == sampling.steps.map(\.timestep).reversed())
    #expect(inversion.steps.last?.to == sampling.steps.first?.from)
    // The clean sample is taken for one with the noise of timestep 0.
    let signal = schedule.finalAlpha.squareRoot()
    let spread = (1 - schedule.finalAlpha).squareRoot()
    let expected = zip(clean.array, noise.array).map { ($0 - spread * $1) / signal }
    expectClose(try sampling.finish().array, expected, tolerance: 1e-5)
  }

  @Test(arguments: [NoiseSchedule.Spacing.leading, .trailing, .linspace])
  func refusesStepsThatDoNotFit(spacing: NoiseSchedule.Spacing) throws {
    var parameters = NoiseSchedule.Parameters()
    parameters.spacing = spacing
    let schedule = NoiseSchedule(parameters)
    for steps in [0, -1, 1001] {
      #expect(throws: ScheduleError.self) { try schedule.solverTimesteps(steps) }
    }
    // With the offset of 1, the first of 999 timesteps would be 1000.
    if spacing == .leading {
      #expect(throws: ScheduleError.self) { try schedule.solverTimesteps(999) }
    }
    try #expect(Set(schedule.solverTimesteps(400)).count == 400)
  }
}
