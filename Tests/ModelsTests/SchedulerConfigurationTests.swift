import Testing
import Weights

@testable import Models

@Suite struct SchedulerConfigurationTests {
  /// As Stable Diffusion 1.5 has it.
  static let pndm = """
    {"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012,
     "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
     "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null,
     "clip_sample": false}
    """

  /// As files of later models have it.
  static let dpmSolver = """
    {"_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.24.0",
     "algorithm_type": "dpmsolver++", "beta_end": 0.012, "beta_schedule": "scaled_linear",
     "beta_start": 0.00085, "dynamic_thresholding_ratio": 0.995, "euler_at_final": false,
     "lambda_min_clipped": -Infinity, "lower_order_final": true, "num_train_timesteps": 1000,
     "prediction_type": "v_prediction", "sample_max_value": 1.0, "solver_order": 2,
     "solver_type": "midpoint", "steps_offset": 1, "thresholding": false,
     "timestep_spacing": "trailing", "trained_betas": null, "use_karras_sigmas": false,
     "variance_type": null}
    """

  @Test func readsStableDiffusion1() throws {
    let scheduler = try SchedulerConfiguration(reader(Self.pndm))
    #expect(scheduler.schedulerClass == .pndm)
    #expect(scheduler.trainingSteps == 1000)
    #expect(scheduler.betaSchedule == .scaledLinear)
    #expect(scheduler.betaStart == 0.00085 && scheduler.betaEnd == 0.012)
    #expect(scheduler.prediction == .epsilon)
    #expect(scheduler.spacing == .leading && scheduler.stepsOffset == 1)
    #expect(!scheduler.setsAlphaToOne)
    #expect(scheduler.clipRange == nil)
    #expect(!scheduler.rescalesToZeroTerminalSNR)
  }

  @Test func readsAnotherSampler() throws {
    let scheduler = try SchedulerConfiguration(reader(Self.dpmSolver))
    #expect(scheduler.prediction == .velocity)
    #expect(scheduler.spacing == .trailing)
    #expect(scheduler.clipRange == nil, "DPM-Solver never clips")
    #expect(scheduler.setsAlphaToOne, "the default of DDIMScheduler")
  }

  @Test func readsTheEmbeddedBase() throws {
    let scheduler = try SchedulerConfiguration(
      contentsOf: embeddedBase.appendingPathComponent("scheduler/scheduler_config.json"))
    #expect(scheduler.clipRange == nil)
  }

  /// The signature of `DDIMScheduler.__init__` in diffusers 0.42.1.
  @Test func absentKeysHaveTheDefaultsOfDiffusers() throws {
    let scheduler = try SchedulerConfiguration(reader(#"{"_class_name": "DDIMScheduler"}"#))
    #expect(scheduler.betaSchedule == .linear)
    #expect(scheduler.betaStart == 0.0001 && scheduler.betaEnd == 0.02)
    #expect(scheduler.clipRange == 1)
    #expect(scheduler.setsAlphaToOne && scheduler.stepsOffset == 0)
  }

  @Test(arguments: [
    ("_class_name", "\"FlowMatchEulerDiscreteScheduler\""), ("beta_schedule", "\"sigmoid\""),
    ("prediction_type", "\"flow_prediction\""), ("trained_betas", "[0.1]"),
    ("thresholding", "true"), ("timestep_spacing", "\"even\""), ("num_train_timesteps", "0"),
    ("beta_end", "1"), ("beta_start", "-0.1"), ("steps_offset", "-1"), ("use_flow_sigmas", "true"),
    ("eta", "0.5"),
  ])
  func refuses(key: String, value: String) {
    expectRefusal(of: key, value) {
      _ = try SchedulerConfiguration(reader(Self.pndm, changing: key, to: value))
    }
  }
}
