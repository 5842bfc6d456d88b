// The stored answers of diffusers' schedulers, made by tools/make_schedule_references.py.

import Foundation
import Tensors
import Testing

@testable import Diffusion

struct ScheduleReferences: Decodable {
  struct Configuration: Decodable {
    let numTrainTimesteps: Int
    let betaStart: Double
    let betaEnd: Double
    let betaSchedule: String
    let clipSample: Bool
    let clipSampleRange: Float
    let setAlphaToOne: Bool
    let stepsOffset: Int
    let predictionType: String
    let timestepSpacing: String
    let rescaleBetasZeroSnr: Bool
  }

  struct Schedule: Decodable {
    let configuration: Configuration
    let alphas: [[Double]]
    let finalAlpha: Float
    let timesteps: [TimestepList]
    let sampled: [Float]
    let inverted: [Float]?
    let ancestral: [AncestralWalk]
    /// DDIM's walk of 20 steps with an eta of 1, where its levels are those of its timesteps.
    let ancestralDdim: [Float]?
    let noisy: [Float]
    let velocity: [Float]
  }

  /// A walk of DDPM from the latent, with the noise of this program.
  struct AncestralWalk: Decodable {
    let steps: Int
    let latent: [Float]
  }

  /// The order in which RePaint visits its times.
  struct Resampling: Decodable {
    let steps: Int
    let jump: Int
    let resample: Int
    let times: [Int]
  }

  /// Walks of DPM-Solver++ from the latent.
  struct Solver: Decodable {
    struct Walk: Decodable {
      let steps: Int
      let timesteps: [Int]
      let latent: [Float]
    }

    let configuration: Configuration
    let sampled: [Walk]
  }

  /// `[steps, [timestep, ...]]`
  struct TimestepList: Decodable {
    let steps: Int
    let timesteps: [Int]

    init(from decoder: any Decoder) throws {
      var list = try decoder.unkeyedContainer()
      steps = try list.decode(Int.self)
      timesteps = try list.decode([Int].self)
    }
  }

  /// The seed of the stochastic walks' noise.
  static let seed: UInt64 = 5

  let latent: [Float]
  let schedules: [Schedule]
  let solvers: [Solver]
  let resamplings: [Resampling]

  static func load() throws -> ScheduleReferences {
    let url = try #require(
      Bundle.module.url(
        forResource: "schedule-references", withExtension: "json", subdirectory: "Resources"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(ScheduleReferences.self, from: Data(contentsOf: url))
  }
}

extension NoiseSchedule.Parameters {
  init(_ configuration: ScheduleReferences.Configuration) throws {
    self.init()
    let schedules: [String: NoiseSchedule.BetaSchedule] = [
      "linear": .linear, "scaled_linear": .scaledLinear, "squaredcos_cap_v2": .squaredCosine,
    ]
    let predictions: [String: Prediction] = [
      "epsilon": .epsilon, "v_prediction": .velocity, "sample": .sample,
    ]
    let spacings: [String: NoiseSchedule.Spacing] = [
      "leading": .leading, "trailing": .trailing, "linspace": .linspace,
    ]
    trainingSteps = configuration.numTrainTimesteps
    betaSchedule = try #require(schedules[configuration.betaSchedule])
    betaStart = configuration.betaStart
    betaEnd = configuration.betaEnd
    rescalesToZeroTerminalSNR = configuration.rescaleBetasZeroSnr
    prediction = try #require(predictions[configuration.predictionType])
    spacing = try #require(spacings[configuration.timestepSpacing])
    stepsOffset = configuration.stepsOffset
    setsAlphaToOne = configuration.setAlphaToOne
    clipRange = configuration.clipSample ? configuration.clipSampleRange : nil
  }
}

/// The model of the reference trajectories.
func referenceModel(_ latent: Tensor, _ timestep: Int) -> Tensor {
  Tensor(latent.array.map { 0.3 * $0 + Float(timestep) / 5000 - 0.05 }, latent.shape)
}

/// Expects two lists to differ by at most `tolerance` of the largest value expected.
func expectClose(
  _ found: [Float], _ expected: [Float], tolerance: Float,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(found.count == expected.count, sourceLocation: sourceLocation)
  let scale = expected.map(abs).max() ?? 0
  let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
  #expect(difference <= tolerance * scale, sourceLocation: sourceLocation)
}
