// What `scheduler/scheduler_config.json` says: the noise schedule that a model was trained on, and how to sample from it.

import Foundation
import Weights

/// A noise schedule and the spacing of sampling steps, as `DDIMScheduler` of diffusers reads them.
///
/// The sampler is the caller's choice, whatever class the file names: the schedule is the same for all. An absent key
/// has the default of `DDIMScheduler`, as `DDIMScheduler.from_config` gives it, but for `clip_sample`, which is off for
/// the classes that never clip.
public struct SchedulerConfiguration: Sendable, Equatable {
  public enum Class: String, Sendable, CaseIterable {
    case ddim = "DDIMScheduler"
    case ddpm = "DDPMScheduler"
    case pndm = "PNDMScheduler"
    case lms = "LMSDiscreteScheduler"
    case euler = "EulerDiscreteScheduler"
    case eulerAncestral = "EulerAncestralDiscreteScheduler"
    case dpmSolver = "DPMSolverMultistepScheduler"
    case uniPC = "UniPCMultistepScheduler"
  }

  public enum BetaSchedule: String, Sendable, CaseIterable {
    case linear
    case scaledLinear = "scaled_linear"
    case squaredCosine = "squaredcos_cap_v2"
  }

  public enum Prediction: String, Sendable, CaseIterable {
    case epsilon
    case velocity = "v_prediction"
    case sample
  }

  public enum Spacing: String, Sendable, CaseIterable {
    case leading
    case trailing
    case linspace
  }

  /// The sampler that the base's maker chose.
  public var schedulerClass: Class
  /// How many timesteps the model was trained on.
  public var trainingSteps: Int
  public var betaSchedule: BetaSchedule
  public var betaStart: Double
  public var betaEnd: Double
  /// Betas are rescaled so that the last timestep is pure noise.
  public var rescalesToZeroTerminalSNR: Bool
  public var prediction: Prediction
  public var spacing: Spacing
  /// Added to every timestep of the leading spacing.
  public var stepsOffset: Int
  /// Whether the last step goes to a sample free of noise, instead of the noise of timestep 0.
  public var setsAlphaToOne: Bool
  /// The predicted sample is clipped to plus and minus this; nil where it is not.
  public var clipRange: Double?

  /// - Parameter url: the file `scheduler_config.json` in the folder `scheduler`.
  /// - Throws: `LoadingError` for a file that can't be read, an unknown key, or a value that is not supported.
  public init(contentsOf url: URL) throws {
    try self.init(ConfigurationReader(url))
  }

  init(_ reader: ConfigurationReader) throws {
    var reader = reader
    schedulerClass = try reader.choice("_class_name", default: .ddim)
    try reader.neutral([
      "trained_betas": .null, "thresholding": false, "use_flow_sigmas": false,
      "use_dynamic_shifting": false,
    ])
    reader.ignore(Self.withoutEffect)

    trainingSteps = try reader.integer("num_train_timesteps", default: 1000, in: 1...extentLimit)
    betaSchedule = try reader.choice("beta_schedule", default: .linear)
    func beta(_ key: String, default: Double) throws -> Double {
      try reader.number(key, default: `default`, wanted: "a number above 0 and below 1") {
        $0 > 0 && $0 < 1
      }
    }
    betaStart = try beta("beta_start", default: 0.0001)
    betaEnd = try beta("beta_end", default: 0.02)
    rescalesToZeroTerminalSNR = try reader.boolean("rescale_betas_zero_snr", default: false)
    prediction = try reader.choice("prediction_type", default: .epsilon)
    spacing = try reader.choice("timestep_spacing", default: .leading)
    stepsOffset = try reader.integer("steps_offset", default: 0, in: 0...extentLimit)
    setsAlphaToOne = try reader.boolean("set_alpha_to_one", default: true)
    let neverClips = ![.ddim, .ddpm].contains(schedulerClass)
    let clips = try reader.boolean("clip_sample", default: !neverClips)
    let range = try reader.positive("clip_sample_range", default: 1)
    clipRange = clips ? range : nil
    try reader.finish()
  }

  /// Keys that say nothing about the schedule. Saved files carry the keys of any sampler that they were converted from,
  /// whatever class they name.
  private static let withoutEffect = [
    // How the file was saved, and the parameters of the thresholding that is off.
    "_diffusers_version", "_name_or_path", "dynamic_thresholding_ratio", "sample_max_value",
    // What steers samplers in ways that are not offered here.
    "skip_prk_steps", "variance_type", "interpolation_type", "timestep_type", "solver_order",
    "solver_type", "solver_p", "algorithm_type", "predict_x0", "disable_corrector",
    "lower_order_final", "euler_at_final", "final_sigmas_type", "lambda_min_clipped",
    "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas",
    "sigma_min", "sigma_max", "flow_shift", "time_shift_type", "shift_terminal",
  ]
}
