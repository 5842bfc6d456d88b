import Tensors
import Testing

@testable import Diffusion

@Suite struct KnownPartTests {
  private let schedule = NoiseSchedule(.init())
  private let shape: Shape = [1, 2, 3, 2]
  private let clean = Tensor((0..<12).map { Float($0) / 8 - 0.7 }, [1, 2, 3, 2])
  private let mask = Tensor([0, 1, 0.25, 0, 0.5, 1] as [Float], [1, 2, 3, 1])

  private func start(_ sampler: String, _ denoise: @escaping Denoiser = referenceModel) throws
    -> Trajectory
  {
    let noise = Philox(seed: 4, stream: .samplingNoise).normal(shape)
    return switch sampler {
    case "ddim": try ddim(from: noise, schedule: schedule, steps: 10, denoise: denoise)
    case "ddpm": try ddpm(from: noise, schedule: schedule, steps: 10, seed: 4, denoise: denoise)
    default: try dpmSolver(from: noise, schedule: schedule, steps: 10, denoise: denoise)
    }
  }

  /// To the bit, also for a negative zero and whatever the model says there.
  @Test(arguments: ["ddim", "ddpm", "dpm-solver++"], [1, 3])
  func whatIsKeptIsTheCleanLatentToTheBit(sampler: String, resample: Int) throws {
    let clean = clean.copy()
    clean.pointer[0] = -0.0
    let schedule = try ResamplingSchedule(steps: 10, jump: 2, resample: resample)
    func bits(_ maskedModel: @escaping Denoiser) throws -> [UInt32] {
      var sampling = try start(sampler, maskedModel).resampled(by: schedule, seed: 4)
        .keeping(KnownPart(clean, mask: mask, seed: 4))
      return try sampling.finish().array.map(\.bitPattern)
    }
    let expected = clean.array.map(\.bitPattern)
    for model: Denoiser in [referenceModel, { latent, _ in Float.infinity * latent }] {
      let found = try bits(model)
      for position in [0, 3] {
        for index in 2 * position..<2 * position + 2 { #expect(found[index] == expected[index]) }
      }
      #expect(found[2] != expected[2])
    }
  }

  /// Nothing known is the plain walk.
  @Test(arguments: ["ddim", "ddpm", "dpm-solver++"]) func aWhiteMaskChangesNothing(sampler: String)
    throws
  {
    var plain = try start(sampler)
    var masked = try start(sampler).keeping(
      KnownPart(clean, mask: Tensor(repeating: 1, [1, 2, 3, 1]), seed: 4))
    try #expect(plain.finish().array == masked.finish().array)
  }

  /// The known part has the noise of the level that the step arrived at, of a deviation sqrt(1 - alpha).
  @Test func eachStepArrivesAtTheKnownPartOfItsLevel() throws {
    var sampling = try start("ddim").keeping(
      KnownPart(clean, mask: Tensor(zeros: [1, 2, 3, 1]), seed: 6))
    while try sampling.advance() {
      let (index, step) = (sampling.completed - 1, sampling.steps[sampling.completed - 1])
      let isLast = sampling.completed == 10
      let noise = Philox(seed: 6, stream: .knownNoise, step: index).normal(shape)
      let expected = zip(clean.array, noise.array).map { clean, noise in
        isLast ? clean : step.to.squareRoot() * clean + (1 - step.to).squareRoot() * noise
      }
      #expect(sampling.latent.array == expected, "step \(index)")
    }
  }

  /// `mask * unknown + (1 - mask) * known`, channel by channel.
  @Test func greyIsSoft() throws {
    var free = try start("ddim")
    var masked = try start("ddim").keeping(KnownPart(clean, mask: mask, seed: 6))
    _ = try (free.advance(), masked.advance())
    let noise = Philox(seed: 6, stream: .knownNoise, step: 0).normal(shape)
    let level = free.steps[0].to
    for index in 0..<12 {
      let m = mask.pointer[index / 2]
      let known =
        level.squareRoot() * clean.pointer[index] + (1 - level).squareRoot() * noise.pointer[index]
      let expected = m * free.latent.pointer[index] + (1 - m) * known
      #expect(abs(masked.latent.pointer[index] - expected) < 1e-6)
    }
  }

  /// With an inversion, the known part is what the inversion had at that level, also after going up.
  @Test func anInversionTellsTheNoise() throws {
    let inversion = (0..<10).map { Tensor(repeating: Float($0), shape) }
    let order = try ResamplingSchedule(steps: 10, jump: 2, resample: 2)
    var sampling = try start("ddim").resampled(by: order, seed: 0)
      .keeping(KnownPart(clean, mask: Tensor(zeros: [1, 2, 3, 1]), inversion: inversion))
    while try sampling.advance() {
      let time = order.times[sampling.completed]
      guard sampling.steps[sampling.completed - 1].timestep != nil else { continue }
      #expect(sampling.latent.array == (time < 0 ? clean.array : inversion[time].array))
    }
  }

  /// The second picture of a batch has the same mask.
  @Test func aBatchHasOneMask() throws {
    let both = Tensor(concatenating: [clean, 2 * clean])
    var sampling = try ddim(
      from: Tensor(repeating: 1, [2, 2, 3, 2]), schedule: schedule, steps: 3,
      denoise: referenceModel
    ).keeping(KnownPart(both, mask: mask, seed: 0))
    let found = try sampling.finish().array
    #expect(found[12] == 2 * clean.array[0] && found[13] == 2 * clean.array[1])
    #expect(found[14] != 2 * clean.array[2])
  }
}
