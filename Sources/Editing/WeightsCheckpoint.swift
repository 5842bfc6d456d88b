// weights.h5: what the second stage has reached.

import Checkpoints
import Layers
import Tensors

/// The content of weights.h5.
struct WeightsCheckpoint {
  static let format = "imagic-weights"

  var header: CheckpointHeader
  /// The digest of the embeddings that the model is tuned to, `EmbeddingCheckpoint.digest`.
  var embeddingDigest: String
  /// The denoiser's weights by diffusers' names, in diffusers' shapes; or, by the settings, those of LoRA alone, by the
  /// names and in the shapes of ``LoRA``.
  var weights: [String: Tensor]
  /// Adam's running moments of the gradient by the same names, in the shapes that the program computes with; in files, and as
  /// read from them, ``Tensors/Shape/unstripped``.
  var moments: [String: Adam.Moments]
  /// The loss of each step done.
  var losses: [Float]
  /// The SHA-256 of the file that this was read from; nil where it was not read from one.
  var digest: String?

  /// - Parameter parameters: what is saved beside the weights that this has, one converted at a time.
  /// - Returns: the SHA-256 of the file.
  /// - Throws: `StoreError`; what was at `path` is then still there, unless the folder alone could not be synced.
  ///   `EditingError`, `internalError`, where the state holds something that is not a finite number.
  @discardableResult func save(
    to path: String, weightsOf parameters: [Parameter] = []
  ) throws -> String {
    func check(_ what: String, _ tensors: Tensor...) throws {
      guard !tensors.allSatisfy(\.isFinite) else { return }
      throw EditingError(
        .internalError,
        "\(path): \(what) are no longer finite after step \(header.step); they were not saved, "
          + "try a lower --learning-rate")
    }
    for parameter in parameters { try check("the weights \(parameter.name)", parameter.value) }
    for (name, tensor) in weights { try check("the weights \(name)", tensor) }
    for (name, moments) in moments {
      try check("the optimiser's moments of \(name)", moments.mean, moments.variance)
    }
    var attributes = try header.attributes(format: Self.format)
    attributes["embedding_digest"] = .string(embeddingDigest)
    var file = StoreFile(
      attributes: attributes,
      datasets: ["/history/loss": .floats(Tensor(losses, [losses.count]))])
    for (name, tensor) in weights {
      file.datasets["\(header.weightsGroup)/\(name)"] = .floats(tensor)
    }
    for (name, moments) in moments {
      file.datasets["\(Self.meanGroup)/\(name)"] = Self.dataset(ofMoment: moments.mean)
      file.datasets["\(Self.varianceGroup)/\(name)"] = Self.dataset(ofMoment: moments.variance)
    }
    for parameter in parameters {
      file.datasets["\(header.weightsGroup)/\(parameter.name)"] = .deferredFloats(
        shape: parameter.storedShape, make: parameter.storedValueMaker)
    }
    return try file.save(to: path)
  }

  fileprivate static let meanGroup = "/optimizer/first_moment"
  fileprivate static let varianceGroup = "/optimizer/second_moment"

  /// What a file has of a moment, converted when it is written, one at a time.
  private static func dataset(ofMoment moment: Tensor) -> Dataset {
    .deferredFloats(shape: moment.shape.unstripped) { moment.unstripped() }
  }
}

extension CheckpointHeader {
  /// Where the file has the weights.
  fileprivate var weightsGroup: String { settings.finetune.lora == nil ? "/unet" : "/lora" }
}

extension WeightsCheckpoint {
  /// What a file says of itself: without weights, moments and losses.
  /// - Throws: as ``init(contentsOf:withOptimizer:)``.
  init(headOf path: String) throws {
    let file = try StoreFile.read(path) { _ in false }
    self.init(
      header: try CheckpointHeader(file, format: Self.format),
      embeddingDigest: try file.string("embedding_digest"), weights: [:], moments: [:], losses: [])
  }

  /// - Parameter withOptimizer: whether Adam's averages are read too; only the training needs them.
  /// - Throws: `StoreError` or `EditingError`, where the file is missing, damaged or none of this format.
  init(contentsOf path: String, withOptimizer: Bool) throws {
    let file = try StoreFile.read(path) { withOptimizer || !$0.hasPrefix("/optimizer/") }
    func tensors(_ group: String) throws -> [String: Tensor] {
      try Dictionary(
        uniqueKeysWithValues: file.names(under: group).map {
          ($0, try file.tensor("\(group)/\($0)"))
        })
    }
    header = try CheckpointHeader(file, format: Self.format)
    embeddingDigest = try file.string("embedding_digest")
    weights = try tensors(header.weightsGroup)
    let variances = try tensors(Self.varianceGroup)
    moments = try Dictionary(
      uniqueKeysWithValues: tensors(Self.meanGroup).compactMap { name, mean in
        variances[name].map { (name, Adam.Moments(mean: mean, variance: $0)) }
      })
    digest = file.digest
    losses = try file.tensor("/history/loss", shape: [header.step]).array
  }
}
