import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Editing

@Suite struct WeightsCheckpointTests {
  private let folder: TemporaryFolder
  private let checkpoint: WeightsCheckpoint

  init() throws {
    folder = try TemporaryFolder()
    var settings = EditSettings(published: "/a.png", prompt: "a sentence", base: "/base")
    settings.size = PictureSize(width: 8, height: 8)
    let names = ["conv_in.weight", "down_blocks.0.resnets.0.conv1.bias"]
    checkpoint = WeightsCheckpoint(
      header: CheckpointHeader(
        settings: settings, baseDigest: "01", imageDigest: "02", step: 1, steps: 1,
        isComplete: true),
      embeddingDigest: "03",
      weights: [names[0]: Tensor([1, 2], [2, 1]), names[1]: Tensor([3], [1])],
      moments: [
        names[0]: Adam.Moments(mean: Tensor([4, 5], [1, 2]), variance: Tensor([6, 7], [1, 2])),
        names[1]: Adam.Moments(mean: Tensor([8], [1]), variance: Tensor([9], [1])),
      ], losses: [0.5])
  }

  @Test func itComesBackAsItWas() throws {
    let path = "\(folder.path)/weights.h5"
    let digest = try checkpoint.save(to: path)
    let found = try WeightsCheckpoint(contentsOf: path, withOptimizer: true)
    #expect(found.header == checkpoint.header && found.embeddingDigest == "03")
    #expect(found.weights.mapValues(\.array) == checkpoint.weights.mapValues(\.array))
    #expect(found.moments.mapValues(\.mean.array) == checkpoint.moments.mapValues(\.mean.array))
    #expect(
      found.moments.mapValues(\.variance.array) == checkpoint.moments.mapValues(\.variance.array))
    #expect(found.losses == [0.5] && found.digest == digest)
    #expect(try WeightsCheckpoint(contentsOf: path, withOptimizer: false).moments.isEmpty)
  }

  /// In files they are as they were before weights lay in strips, so that runs begun then go on.
  @Test func momentsInStripsAreSavedInRows() throws {
    let rows = Tensor((0..<(9 * 16 * 32)).map(Float.init), [3, 3, 16, 32])
    let strips = rows.ordered(
      as: ConvolutionGeometry(kernel: 3).weightsShape(inputs: 16, outputs: 32))
    #expect(strips.shape == [2, 16, 3, 3, 16])
    var tuned = checkpoint
    tuned.moments = ["conv": Adam.Moments(mean: strips, variance: strips)]
    let path = "\(folder.path)/weights.h5"
    try tuned.save(to: path)
    let found = try #require(
      try WeightsCheckpoint(contentsOf: path, withOptimizer: true).moments["conv"])
    #expect(found.mean.shape == rows.shape && found.mean.array == rows.array)
    #expect(found.variance.shape == rows.shape && found.variance.array == rows.array)
  }

  @Test func numbersThatAreNoneAreNotSaved() throws {
    var broken = checkpoint
    broken.weights["conv_in.weight"] = Tensor([1, .nan], [2, 1])
    let path = "\(folder.path)/weights.h5"
    let error = try #require(throws: EditingError.self) { try broken.save(to: path) }
    #expect(error.status == .internalError && error.description.contains("conv_in.weight"))
    #expect(!FileManager.default.fileExists(atPath: path))

    broken = checkpoint
    broken.moments["conv_in.weight"]?.variance = Tensor([1, .infinity], [1, 2])
    let other = try #require(throws: EditingError.self) { try broken.save(to: path) }
    #expect(other.description.contains("the optimiser's moments of conv_in.weight are no longer"))
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func theHeadAlone() throws {
    let path = "\(folder.path)/weights.h5"
    try checkpoint.save(to: path)
    let head = try WeightsCheckpoint(headOf: path)
    #expect(head.header == checkpoint.header && head.embeddingDigest == "03")
    #expect(head.weights.isEmpty && head.moments.isEmpty)
  }

  @Test func anEmbeddingIsNoFileOfWeights() throws {
    let path = "\(folder.path)/weights.h5"
    try checkpoint.save(to: path)
    let error = try #require(throws: EditingError.self) {
      try EmbeddingCheckpoint(contentsOf: path)
    }
    #expect(
      error.description
        == "\(path): found the format imagic-weights 1, wanted imagic-embedding 1")
  }
}
