// What can go wrong with a stored file, in one line and with the exit code that belongs to it.

import Glibc

/// An error about a file of a run.
public struct StoreError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What went wrong, as sysexits.h divides it.
  public enum Kind: Sendable {
    /// The content is not what it should be.
    case badData
    /// The file isn't there or can't be opened.
    case noInput
    /// The file can't be created where it should be.
    case cantCreate
    /// Reading or writing failed.
    case inputOutput
    /// Another process works in the run folder.
    case locked
  }

  public let kind: Kind
  /// One line that names the file, what was found and what was wanted.
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = Self.oneLine(description)
  }

  /// The exit code of a program that stops for this.
  public var exitCode: Int32 {
    switch kind {
    case .badData: 65
    case .noInput: 66
    case .cantCreate, .locked: 73
    case .inputOutput: 74
    }
  }

  /// A failed system call.
  init(_ kind: Kind, _ path: String, _ what: String, errno code: Int32) {
    self.init(kind, "\(path): \(what): \(String(cString: strerror(code)))")
  }

  /// Names in a file that someone else made may hold anything; an error stays one readable line.
  private static func oneLine(_ text: String) -> String {
    let most = 1000
    let clean = String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    return clean.count <= most ? clean : clean.prefix(most) + "…"
  }
}
