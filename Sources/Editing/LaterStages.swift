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

  /// The settings of a later stage: where there is no request, those that weights.h5 holds, or the embedding's. How
  /// the embedding was made is told by its file, whatever is asked for now.
  /// - Parameter saved: of weights that were tuned to another embedding the later stages' own settings are taken alone.
  func laterSettings(_ embedding: EmbeddingCheckpoint, saved: WeightsCheckpoint?) throws
    -> EditSettings
  {
    let made = embedding.header.settings
    var basis = made
    if let saved {
      let settings = saved.header.settings
      if saved.embeddingDigest == embedding.digest { basis = settings }
      basis.seed = settings.seed
      basis.finetune = settings.finetune
      basis.generate = settings.generate
    }
    var settings = try settings(saved: basis)
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
      asked: StageIdentity(entries: StageIdentity.common(asked)), file: folder.embedding,
      by: "embed-optimize --restart")
  }

  /// Refuses a run that can't fit into the memory there is.
  /// - Parameters:
  ///   - hasMoments: whether Adam's moments are in memory already.
  ///   - available: how much there is, in bytes; nil where that isn't known.
  /// - Throws: `EditingError`, `internalError`.
  static func checkMemory(
    toTrain parameters: [Parameter], hasMoments: Bool,
    available: Int? = Resources.availableMemory
  ) throws {
    let weights = parameters.reduce(0) { $0 + $1.value.count } * 4
    // Adam's two moments are as large as the weights, and a save holds one tensor more at a time, in the layout of disk.
    let largest = parameters.reduce(0) { max($0, $1.value.count) } * 4
    let needed = (hasMoments ? 0 : 2 * weights) + largest
    guard let available, available < needed else { return }
    func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) / 1e9) }
    throw EditingError(
      .internalError,
      "found \(gigabytes(available)) of free memory, wanted at least \(gigabytes(needed)) to "
        + "train \(weights / 4) weights")
  }
}
