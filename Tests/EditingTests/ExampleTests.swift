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

    func apple(_ picture: Picture) -> Double {
      greenness(of: picture, rows: 25..<38, columns: 20..<44)
    }
    #expect(apple(photograph) < -30)
    #expect(apple(unchanged) < -30)
    #expect(apple(edited) > 30)
    // Above the apple the picture stays.
    func wall(_ picture: Picture) -> Double {
      greenness(of: picture, rows: 0..<10, columns: 0..<64)
    }
    #expect(abs(wall(edited) - wall(photograph)) < 20)
  }

  /// How much more green than red there is, on average, in a part of a picture.
  private func greenness(of picture: Picture, rows: Range<Int>, columns: Range<Int>) -> Double {
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
