// embedding.h5: what the first stage has reached, and the photograph as the model sees it.

import Checkpoints
import Images
import Layers
import Tensors

/// The content of embedding.h5.
struct EmbeddingCheckpoint {
  static let format = "imagic-embedding"
  private static let caption = "caption"
  private static let startEmbedding = "/embedding/caption"

  var header: CheckpointHeader
  /// The embedding of the sentence, `[tokens, width]`.
  var target: Tensor
  /// The embedding that was optimised for the photograph, `[tokens, width]`.
  var optimized: Tensor
  /// Where the optimisation started, where that was a caption of the photograph and not the sentence.
  var start: Start?
  /// Adam's running moments of the gradient, `[tokens, width]` each.
  var moments: Adam.Moments
  /// The loss of each step done.
  var losses: [Float]
  /// The photograph, fitted to the model's size.
  var picture: Picture

  /// A caption of the photograph.
  struct Start {
    var caption: String
    /// Its embedding, `[tokens, width]`.
    var embedding: Tensor
  }

  /// A digest of what the next stages depend on.
  var digest: String {
    SHA256Text.digest(
      of: ([target, optimized] + (start.map { [$0.embedding] } ?? [])).flatMap { tensor in
        UnsafeRawBufferPointer(start: tensor.pointer, count: tensor.count * 4)
      })
  }

  /// - Returns: the SHA-256 of the file.
  /// - Throws: `StoreError`; what was at `path` is then still there, unless the folder alone could not be synced.
  ///   `EditingError`, `internalError`, where the state holds something that is not a finite number.
  @discardableResult func save(to path: String) throws -> String {
    guard optimized.isFinite, moments.mean.isFinite, moments.variance.isFinite else {
      throw EditingError(
        .internalError,
        "\(path): the embedding is no longer finite after step \(header.step); it was not saved, "
          + "try a lower --learning-rate")
    }
    var attributes = try header.attributes(format: Self.format)
    attributes[Self.caption] = start.map { .string($0.caption) }
    var datasets: [String: Dataset] = [
      "/embedding/target": .floats(target),
      "/embedding/optimized": .floats(optimized),
      "/optimizer/first_moment": .floats(moments.mean),
      "/optimizer/second_moment": .floats(moments.variance),
      "/history/loss": .floats(Tensor(losses, [losses.count])),
      "/image/pixels": .bytes(picture.pixels, shape: [picture.height, picture.width, 3]),
    ]
    datasets[Self.startEmbedding] = start.map { .floats($0.embedding) }
    return try StoreFile(attributes: attributes, datasets: datasets).save(to: path)
  }
}

extension EmbeddingCheckpoint {
  /// - Throws: `StoreError` or `EditingError`, where the file is missing, damaged or none of this format.
  init(contentsOf path: String) throws {
    let file = try StoreFile.read(path)
    header = try CheckpointHeader(file, format: Self.format)
    target = try file.tensor("/embedding/target", shape: [nil, nil])
    let shape = target.shape.array
    optimized = try file.tensor("/embedding/optimized", shape: shape)
    if file.attributes[Self.caption] != nil {
      start = Start(
        caption: try file.string(Self.caption),
        embedding: try file.tensor(Self.startEmbedding, shape: shape))
    }
    moments = Adam.Moments(
      mean: try file.tensor("/optimizer/first_moment", shape: shape),
      variance: try file.tensor("/optimizer/second_moment", shape: shape))
    losses = try file.tensor("/history/loss", shape: [header.step]).array
    let (pixels, size) = try file.bytes("/image/pixels", shape: [nil, nil, 3])
    guard let wanted = header.settings.size, size.array == [wanted.height, wanted.width, 3] else {
      throw EditingError(
        .badData,
        "\(path): found a picture of \(size[1])x\(size[0]), wanted "
          + "\(header.settings.size.map(\.description) ?? "a size in the settings")")
    }
    picture = Picture(width: wanted.width, height: wanted.height, pixels: pixels)
  }
}
