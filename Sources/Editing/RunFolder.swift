// The folder of one edit, and what it is made of.

import Foundation
import Glibc

/// A run folder: every file that the stages of one edit leave.
public struct RunFolder: Equatable, Sendable {
  /// As the person gave it, for messages.
  public let path: String

  public init(path: String) {
    self.path = path
  }

  /// The path of a request's folder where none is given: `checkpoints/NAME` in the working folder, NAME being the request's
  /// name without its extension.
  public static func path(ofRequestAt request: String) -> String {
    "checkpoints/\(URL(fileURLWithPath: request).deletingPathExtension().lastPathComponent)"
  }

  public var embedding: String { file("embedding.h5") }
  public var weights: String { file("weights.h5") }
  public var edits: String { file("edits") }
  public var contactSheet: String { contactSheet(of: .imagic) }
  public var suggestion: String { file("suggestion.json") }
  public var manifest: String { file("manifest.json") }
  /// The automatic mask.
  public var mask: String { file("mask.png") }

  /// Each method has a sheet of its own, and Imagic's bears no name.
  public func contactSheet(of method: EditMethod) -> String {
    file("contact-sheet\(method == .imagic ? "" : "-\(method.rawValue)").png")
  }

  /// Imagic's picture of one alpha and seed; without a seed, the one that the photograph's own inversion gives.
  public func edit(alpha: Double, seed: UInt64?) -> String {
    let seed = seed.map { "-seed-\($0)" } ?? ""
    return file("edits/alpha-\(NumberList.label(alpha))\(seed).png")
  }

  func file(_ name: String) -> String {
    path.hasSuffix("/") ? path + name : "\(path)/\(name)"
  }

  /// Makes the folder where it is not there yet.
  /// - Throws: `EditingError`, `cannotCreate`.
  public func create() throws { try Self.create(path) }

  /// Makes the folder of the edits where it is not there yet.
  /// - Throws: `EditingError`, `cannotCreate`.
  public func createEdits() throws { try Self.create(edits) }

  private static func create(_ path: String) throws {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += part + "/"
      guard mkdir(made, 0o777) == 0 || errno == EEXIST else { throw cannotCreate(path) }
    }
    // A file of that name has passed as a folder so far.
    guard access(made + ".", W_OK | X_OK) == 0 else { throw cannotCreate(path) }
  }

  private static func cannotCreate(_ path: String) -> EditingError {
    EditingError(
      .cannotCreate,
      "\(path): the folder can't be made or written to: \(String(cString: strerror(errno)))")
  }
}
