// Why a scene could not be had, in one line.

/// An error of this module. Its description is one line that names the file, what was found and what was wanted.
public struct SceneError: Error, Equatable, CustomStringConvertible {
  /// What an exit code depends on.
  public enum Kind: Sendable {
    /// There is no such file (sysexits' 66).
    case noInput
    /// The file is there, and is not what it should be (sysexits' 65).
    case badData
    /// A file or folder can't be made (sysexits' 73).
    case cannotCreate
  }

  public let kind: Kind
  public let description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
