import Tensors
import Testing

@testable import Diffusion

@Suite struct PredictionTests {
  /// The model that answers with the target knows the parts.
  @Test(arguments: Prediction.allCases)
  func partsUndoTheTarget(prediction: Prediction) {
    var parameters = NoiseSchedule.Parameters()
    parameters.prediction = prediction
    let schedule = NoiseSchedule(parameters)
    let clean = Tensor([0.5, -1.5, 2], [1, 3])
    let noise = Tensor([1, 0.25, -0.75], [1, 3])
    for timestep in [1, 400, 900] {
      let noisy = schedule.noisy(clean, noise: noise, timesteps: [timestep])
      let answer = schedule.target(clean: clean, noise: noise, timesteps: [timestep])
      let parts = prediction.parts(of: answer, for: noisy, alpha: schedule.alphas[timestep])
      expectClose(parts.clean.array, clean.array, tolerance: 1e-5)
      expectClose(parts.noise.array, noise.array, tolerance: 1e-5)
    }
  }
}
