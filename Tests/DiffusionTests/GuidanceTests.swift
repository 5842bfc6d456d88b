import Tensors
import Testing

@testable import Diffusion

@Suite struct GuidanceTests {
  @Test func movesAwayFromTheUnconditionalPrediction() throws {
    var seen: [Float] = []
    let denoise = guided(scale: 3) { latent, timestep in
      seen = latent.array
      #expect(timestep == 7)
      return Tensor([1, 2, 5, 1], [2, 2])
    }
    // 1 + 3 * (5 - 1) and 2 + 3 * (1 - 2)
    let guidedPrediction = try denoise(Tensor([0.5, 0.25], [1, 2]), 7)
    #expect(guidedPrediction.array == [13, -1])
    #expect(guidedPrediction.shape == [1, 2])
    #expect(seen == [0.5, 0.25, 0.5, 0.25])
  }
}
