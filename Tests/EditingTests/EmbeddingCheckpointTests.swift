import Foundation
import Images
import Layers
import Tensors
import TestSupport
import Testing

@testable import Editing

@Suite struct EmbeddingCheckpointTests {
  private let folder: TemporaryFolder
  private var checkpoint: EmbeddingCheckpoint

  init() throws {
    folder = try TemporaryFolder()
    var settings = EditSettings(published: "/a.png", prompt: "a sentence", base: "/base")
    settings.size = PictureSize(width: 3, height: 2)
    checkpoint = EmbeddingCheckpoint(
      header: CheckpointHeader(
        settings: settings, baseDigest: "01", imageDigest: "02", step: 2, steps: 5,
        isComplete: false),
      target: Tensor([1, 2, 3, 4, 5, 6], [2, 3]), optimized: Tensor([1, 0, 3, 0, 5, 0], [2, 3]),
      moments: Adam.Moments(
        mean: Tensor(repeating: 7, [2, 3]), variance: Tensor(repeating: 8, [2, 3])),
      losses: [0.5, 0.25], picture: Picture(width: 3, height: 2, color: [1, 2, 3]))
  }

  @Test func itComesBackAsItWas() throws {
    let path = "\(folder.path)/embedding.h5"
    try checkpoint.save(to: path)
    let found = try EmbeddingCheckpoint(contentsOf: path)
    #expect(found.header == checkpoint.header)
    #expect(found.target.array == checkpoint.target.array && found.target.shape == [2, 3])
    #expect(found.optimized.array == checkpoint.optimized.array)
    #expect(found.moments.mean.array == checkpoint.moments.mean.array)
    #expect(found.moments.variance.array == checkpoint.moments.variance.array)
    #expect(found.losses == [0.5, 0.25] && found.picture == checkpoint.picture)
    #expect(found.digest == checkpoint.digest)
  }

  @Test func aCaptionComesBackToo() throws {
    let path = "\(folder.path)/embedding.h5"
    var captioned = checkpoint
    captioned.start = .init(
      caption: "a caption", embedding: Tensor([6, 5, 4, 3, 2, 1], [2, 3]))
    try captioned.save(to: path)
    let found = try #require(try EmbeddingCheckpoint(contentsOf: path).start)
    #expect(found.caption == "a caption" && found.embedding.array == [6, 5, 4, 3, 2, 1])
    // The weights are tuned to it.
    #expect(captioned.digest != checkpoint.digest)
    try checkpoint.save(to: path)
    #expect(try EmbeddingCheckpoint(contentsOf: path).start == nil)
  }

  @Test(arguments: [Float.nan, .infinity])
  func numbersThatAreNoneAreNotSaved(bad: Float) throws {
    let path = "\(folder.path)/embedding.h5"
    try checkpoint.save(to: path)
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    var broken = checkpoint
    broken.optimized = Tensor([1, 0, 3, 0, bad, 0], [2, 3])
    let error = try #require(throws: EditingError.self) { try broken.save(to: path) }
    #expect(error.status == .internalError)
    #expect(error.description.contains("no longer finite after step 2"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test func contradictionsAreNamed() throws {
    let path = "\(folder.path)/embedding.h5"
    var wrong = checkpoint
    wrong.header.isComplete = true
    try wrong.save(to: path)
    var error = try #require(throws: EditingError.self) {
      try EmbeddingCheckpoint(contentsOf: path)
    }
    #expect(error.description.contains("found step 2 of 5 with complete = 1"))
    wrong = checkpoint
    wrong.header.settings.size = PictureSize(width: 2, height: 3)
    try wrong.save(to: path)
    error = try #require(throws: EditingError.self) { try EmbeddingCheckpoint(contentsOf: path) }
    #expect(error.description.contains("found a picture of 3x2, wanted 2x3"))
  }

  @Test func theDigestIsThatOfBothEmbeddings() throws {
    var other = checkpoint
    other.moments.mean = Tensor(zeros: [2, 3])
    #expect(other.digest == checkpoint.digest)
    other.optimized = Tensor([1, 0, 3, 0, 5, 1], [2, 3])
    #expect(other.digest != checkpoint.digest)
  }
}
