// What both checkpoints of a run say of themselves: the root attributes of embedding.h5 and weights.h5.

import Checkpoints

/// The root attributes of a checkpoint.
struct CheckpointHeader: Equatable {
  static let formatVersion = 1

  /// Everything that the stage was asked for; its picture size is resolved.
  var settings: EditSettings
  /// SHA-256 of the base, in hexadecimal.
  var baseDigest: String
  /// SHA-256 of the photograph's file, in hexadecimal.
  var imageDigest: String
  /// Steps done.
  var step: Int
  /// Steps to do; in a complete checkpoint, those that were done, whatever the settings' number is.
  var steps: Int
  var isComplete: Bool

  /// Says that what was done is all that there is to do.
  mutating func complete() {
    steps = step
    isComplete = true
  }

  func attributes(format: String) throws -> [String: AttributeValue] {
    [
      "format": .string(format),
      "format_version": .integer(Int64(Self.formatVersion)),
      "complete": .integer(isComplete ? 1 : 0),
      "step": .integer(Int64(step)),
      "steps": .integer(Int64(steps)),
      "settings": .string(try SettingsJSON.encode(settings)),
      "base_digest": .string(baseDigest),
      "image_digest": .string(imageDigest),
      "prompt": .string(settings.prompt),
      "seed": .integer(Int64(settings.seed)),
    ]
  }
}

extension CheckpointHeader {
  /// - Throws: `EditingError` or `StoreError`, where the file is none of this format or contradicts itself.
  init(_ file: StoreFile, format: String) throws {
    let found = (try file.string("format"), try file.integer("format_version"))
    guard found == (format, Self.formatVersion) else {
      throw EditingError(
        .badData,
        "\(file.source): found the format \(found.0) \(found.1), wanted \(format) \(Self.formatVersion)"
      )
    }
    self.init(
      settings: try SettingsJSON.decode(
        EditSettings.self, from: file.string("settings"), source: file.source),
      baseDigest: try file.string("base_digest"), imageDigest: try file.string("image_digest"),
      step: try file.integer("step"), steps: try file.integer("steps"),
      isComplete: try file.integer("complete") == 1)
    guard step >= 1, steps >= step, !isComplete || step == steps else {
      throw EditingError(
        .badData,
        "\(file.source): found step \(step) of \(steps) with complete = \(isComplete ? 1 : 0), "
          + "which contradict each other")
    }
  }
}
