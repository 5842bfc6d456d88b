// The example that `make edit` makes, with all its steps: whether the edit happens.

import Foundation
import Images
import TestSupport
import Testing

@testable import Editing

@Suite struct ExampleTests {
  @Test func theFlowerTurnsPurpleAndAlpha0StaysThePhotograph() throws {
    let folder = try TemporaryFolder()
    var run = StageRun(folder: RunFolder(path: folder.path))
    run.request = try EditRequest(requestAt: "\(Repository.path)/prompts/flower-purple.yaml")
    run.flags.generate.alphas = [0, 1.5]
    run.shouldStop = { false }
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    try GenerateStage.run(run)

    let photograph = try EmbeddingCheckpoint(contentsOf: run.folder.embedding).picture
    let base = try Base(path: Repository.base)
    let autoencoder = try base.folder.autoencoder()
    let reconstructed = try Picture(autoencoder.image(of: base.latent(of: photograph)))
    let unchanged = try Picture(contentsOf: run.folder.edit(alpha: 0, seed: nil))
    let edited = try Picture(contentsOf: run.folder.edit(alpha: 1.5, seed: nil))
    #expect(photograph.psnr(to: unchanged) > photograph.psnr(to: reconstructed) - 3)

    // The middle of the flower is orange, and turns bluer than red, with less green than either.
    #expect((photograph.width, photograph.height) == (128, 128))
    let (before, same, after) = (middle(photograph), middle(unchanged), middle(edited))
    #expect(before.red - before.blue > 100 && same.red - same.blue > 100)
    #expect(after.blue > after.red && after.red > after.green, "\(after)")
  }

  /// The mean colour of the flower's middle.
  private func middle(_ picture: Picture) -> (red: Double, green: Double, blue: Double) {
    var sums = [0, 0, 0]
    for y in 40..<85 {
      for x in 40..<85 {
        for channel in 0..<3 {
          sums[channel] += Int(picture.pixels[(y * picture.width + x) * 3 + channel])
        }
      }
    }
    let means = sums.map { Double($0) / (45 * 45) }
    return (means[0], means[1], means[2])
  }
}
