// Why a picture could not be had, in one line.

/// An error of this module. Its description is one line that names the file (or what stands for
/// it), what was found and what was wanted.
public struct ImageError: Error, Equatable, CustomStringConvertible {
  /// What an exit code depends on.
  public enum Kind: Sendable {
    /// There is no such input, or it can't be read (sysexits' 66).
    case noInput
    /// The input is there, and is not what it should be (sysexits' 65).
    case badData
  }

  public let kind: Kind
  public let description: String

  static func noInput(_ name: String, _ reason: String) -> ImageError {
    ImageError(kind: .noInput, name: name, reason: reason)
  }

  static func badData(_ name: String, _ reason: String) -> ImageError {
    ImageError(kind: .badData, name: name, reason: reason)
  }

  private init(kind: Kind, name: String, reason: String) {
    self.kind = kind
    // A library's message, or a path, may hold line breaks; a description never does.
    self.description = "\(name): \(reason)".split(whereSeparator: \.isNewline)
      .joined(separator: " ")
  }
}
