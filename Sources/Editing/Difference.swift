// Whether what is asked for goes on from what is saved.

import Foundation

/// One setting that differs between what is saved and what is asked for.
public struct Difference: Equatable, Sendable {
  public let name: String
  public let saved: String
  public let asked: String
}

/// The settings that a stage's saved state depends on, by name, in the order in which they are told. Steps are not among
/// them: more of them go on from fewer.
struct StageIdentity: Equatable {
  var entries: [(name: String, value: String)]

  /// What both training stages depend on, in the order in which differences are told.
  static func common(_ header: CheckpointHeader) -> [(name: String, value: String)] {
    [
      ("photograph", "SHA-256 \(header.imageDigest.prefix(12))"),
      ("sentence", "\"\(header.settings.prompt)\""),
      ("base", "SHA-256 \(header.baseDigest.prefix(12))"),
      ("fit", header.settings.fit.rawValue),
      ("size", header.settings.size?.description ?? "the base's"),
    ]
  }

  static func == (left: StageIdentity, right: StageIdentity) -> Bool {
    differences(saved: left, asked: right).isEmpty
  }

  static func differences(saved: StageIdentity, asked: StageIdentity) -> [Difference] {
    asked.entries.compactMap { entry in
      let value = saved.entries.first { $0.name == entry.name }?.value ?? "none"
      return value == entry.value
        ? nil : Difference(name: entry.name, saved: value, asked: entry.value)
    }
  }

  /// - Parameter restart: what begins the file anew: a flag of this program, or another command.
  /// - Throws: `EditingError`, `usage`, that names every difference and both its values.
  static func check(
    saved: StageIdentity, asked: StageIdentity, file: String, by restart: String = "--restart"
  ) throws {
    let found = differences(saved: saved, asked: asked)
    guard !found.isEmpty else { return }
    let told = found.map { "\($0.name) (saved \($0.saved), asked for \($0.asked))" }
    throw EditingError(
      .usage,
      "\(file): was begun with another \(told.joined(separator: ", another ")); "
        + "\(restart) begins anew and keeps it as "
        + "\(URL(fileURLWithPath: file).lastPathComponent).previous"
    )
  }
}
