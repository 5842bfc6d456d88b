import Autodiff
import TestSupport
import Tensors
import Testing

@testable import Editing

@Suite struct EditMeterTests {
  /// Against the mean of losses written out, with all noise levels in one batch.
  @Test func theAdvantageIsTheDifferenceOfTheLosses() throws {
    let base = try Base(path: Repository.base)
    let unet = try base.folder.unet()
    let meter = EditMeter(unet: unet, schedule: base.schedule, seed: 3)
    let texts = try base.embeddings(of: ["a photo of a red apple", "a photo of a horse"]).tensor
    let latent = try base.randomLatent(seed: 1, height: 8, width: 12)
    #expect(meter.timesteps == [62, 187, 312, 437, 562, 687, 812, 937])

    let noise = Tensor(
      concatenating: (0..<8).map {
        Philox(seed: 3, stream: .measurement, step: $0).normal(latent.shape)
      })
    let clean = Tensor(concatenating: Array(repeating: latent, count: 8))
    let noisy = base.schedule.noisy(clean, noise: noise, timesteps: meter.timesteps)
    let wanted = base.schedule.target(clean: clean, noise: noise, timesteps: meter.timesteps)
    let losses = (0..<2).map { index in
      let text = texts.slice(index..<index + 1)
      let context = Tensor(concatenating: Array(repeating: text, count: 8))
      return unet(Variable(noisy), timesteps: meter.timesteps, context: Variable(context)).value
        .meanSquaredDifference(wanted)
    }
    var asked = 0
    let advantage = meter.advantage(of: texts.slice(0..<1), over: texts.slice(1..<2), for: latent) {
      asked += 1
    }
    #expect(asked == 8)
    #expect(abs(advantage - (losses[1] - losses[0])) < 1e-5)
    #expect(abs(advantage) > 1e-4)
  }
}
