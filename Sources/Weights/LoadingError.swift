// The one error that reading a base's files throws.

import Foundation

/// Why a file could not be used: a line that names the file, what was found and what was wanted.
public struct LoadingError: Error, Equatable, CustomStringConvertible {
  /// What kind of failure it is; a program's exit code follows from it.
  public enum Kind: Sendable {
    /// The file or folder is not there, or may not be read.
    case missing
    /// The file was read, and what it says can't be used.
    case malformed
    /// A file can't be made there.
    case cannotCreate
    /// The system failed while reading or writing.
    case inputOutput
  }

  public let kind: Kind
  /// The path of the file.
  public let file: String
  /// What was found and what was wanted, without the file's name.
  public let problem: String

  public init(_ kind: Kind = .malformed, file: String, _ problem: String) {
    self.kind = kind
    self.file = file
    self.problem = problem
  }

  public var description: String { "\(file): \(problem)" }

  /// The failure of a system call on a file, from `errno`.
  static func system(_ action: String, file: String, code: Int32 = errno) -> LoadingError {
    let isMissing = [ENOENT, EACCES, ENOTDIR, EPERM, EISDIR].contains(code)
    return LoadingError(
      isMissing ? .missing : .inputOutput, file: file,
      "can't \(action): \(String(cString: strerror(code)))")
  }
}

extension LoadingError: LocalizedError {
  public var errorDescription: String? { description }
}
