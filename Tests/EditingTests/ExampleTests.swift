// The example that `make edit` makes, with all its steps: whether the edit happens.

import Foundation
import Images
import TestSupport
import Testing

@testable import Editing

@Suite struct ExampleTests {
  @Test func theGreenAppleTurnsGreenAndAlpha0StaysThePhotograph() throws {
    let folder = try TemporaryFolder()
    var run = StageRun(folder: RunFolder(path: folder.path))
    run.request = try EditRequest(requestAt: "\(Repository.path)/prompts/apple-green.yaml")
    run.flags.generate.alphas = [0, 0.9]
    run.shouldStop = { false }
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
    try GenerateStage.run(run)

    let photograph = try EmbeddingCheckpoint(contentsOf: run.folder.embedding).picture
    let base = try Base(path: Repository.base)
    let autoencoder = try base.folder.autoencoder()
    let reconstructed = try Picture(autoencoder.image(of: base.latent(of: photograph)))
    let unchanged = try Picture(contentsOf: run.folder.edit(alpha: 0, seed: nil))
    let edited = try Picture(contentsOf: run.folder.edit(alpha: 0.9, seed: nil))
    #expect(photograph.psnr(to: unchanged) > photograph.psnr(to: reconstructed) - 1.5)

    let apple = 20..<44
    #expect(greenness(of: photograph, apple) < -30)
    #expect(greenness(of: unchanged, apple) < -30)
    #expect(greenness(of: edited, apple) > 30)
    // Beside the apple the picture stays.
    #expect(abs(greenness(of: edited, 0..<8) - greenness(of: photograph, 0..<8)) < 20)
  }

  /// How much more green than red there is, on average, in some columns of a picture's middle.
  private func greenness(of picture: Picture, _ columns: Range<Int>) -> Double {
    let rows = picture.height * 2 / 5..<picture.height * 3 / 5
    var sum = 0
    for y in rows {
      for x in columns {
        let pixel = (y * picture.width + x) * 3
        sum += Int(picture.pixels[pixel + 1]) - Int(picture.pixels[pixel])
      }
    }
    return Double(sum) / Double(rows.count * columns.count)
  }
}
