// What the two later stages have in common: they go by what the first one saved.

import Foundation
import Layers
import Tensors

extension StageRun {
  /// embedding.h5, which has to be there and complete.
  /// - Throws: `EditingError` or `StoreError`.
  func completeEmbedding() throws -> EmbeddingCheckpoint {
    let path = folder.embedding
    guard FileManager.default.fileExists(atPath: path) else {
      throw EditingError(.noInput, "\(path): there is no such file, run embed-optimize first")
    }
    let embedding = try EmbeddingCheckpoint(contentsOf: path)
    guard embedding.header.isComplete else {
      throw EditingError(
        .badData,
        "\(path): found step \(embedding.header.step) of \(embedding.header.steps), wanted it "
          + "complete: run embed-optimize again")
    }
    return embedding
  }

  /// weights.h5 without the optimiser's state, which has to be there, complete, and tuned to `embedding`.
  /// - Throws: `EditingError` or `StoreError`.
  func completeWeights(of embedding: EmbeddingCheckpoint) throws -> WeightsCheckpoint {
    let path = folder.weights
    guard FileManager.default.fileExists(atPath: path) else {
      throw EditingError(.noInput, "\(path): there is no such file, run model-finetune first")
    }
    let weights = try WeightsCheckpoint(contentsOf: path, withOptimizer: false)
    guard weights.header.isComplete else {
      throw EditingError(
        .badData,
        "\(path): found step \(weights.header.step) of \(weights.header.steps), wanted it "
          + "complete: run model-finetune again")
    }
    guard weights.embeddingDigest == embedding.digest else {
      throw EditingError(
        .badData,
        "\(path): found weights that were tuned to another embedding than that of "
          + "embedding.h5: run model-finetune --restart")
    }
    return weights
  }

  /// The settings of a later stage: where there is no request, those that its own file holds, or the embedding's. How
  /// the embedding was made is told by its file, whatever is asked for now.
  func laterSettings(_ embedding: EmbeddingCheckpoint, saved: EditSettings?) throws
    -> EditSettings
  {
    var settings = try settings(saved: saved ?? embedding.header.settings)
    let made = embedding.header.settings
    settings.embedding = made.embedding
    settings.size = settings.size ?? made.size
    return settings
  }

  /// Checks that the request is the one that the embedding was made for.
  /// - Throws: `EditingError`, `usage`, that names each difference.
  func checkBasis(
    _ embedding: EmbeddingCheckpoint, settings: EditSettings, baseDigest: String
  ) throws {
    var asked = embedding.header
    asked.settings = settings
    asked.baseDigest = baseDigest
    if let image = askedImage { asked.imageDigest = try Self.digest(ofImage: image) }
    try StageIdentity.check(
      saved: StageIdentity(entries: StageIdentity.common(embedding.header)),
      asked: StageIdentity(entries: StageIdentity.common(asked)), file: folder.embedding)
  }

  /// Refuses a run that can't fit into the memory there is.
  /// - Throws: `EditingError`, `internalError`.
  func checkMemory(toTrain parameters: [Parameter]) throws {
    let weights = parameters.reduce(0) { $0 + $1.value.count } * 4
    // Adam's two moments are still to come, and a save holds the weights once more, in the layout of disk.
    let needed = 3 * weights
    guard let available = Resources.availableMemory, available < needed else { return }
    func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) / 1e9) }
    throw EditingError(
      .internalError,
      "found \(gigabytes(available)) of free memory, wanted at least \(gigabytes(needed)) for the "
        + "optimiser's state of \(weights / 4) weights")
  }
}
