// Strict reading of a small YAML or JSON file: every key known, every value of its type and within its limit, and an
// error that names the file, the line, the key, what was found and what was wanted.

import Foundation
import Yams

/// A file of settings as a tree of nodes. JSON is read as the YAML that it also is.
package struct SettingsFile {
  /// Far more than any request takes; a file beyond it is something else.
  static let maximumSize = 1 << 20

  let path: String
  let root: Node

  package init(path: String) throws {
    self.path = path
    let text = try Self.text(at: path)
    do {
      guard let root = try Yams.compose(yaml: text) else {
        throw EditingError(.badData, "\(path): found an empty file, wanted settings")
      }
      self.root = root
    } catch let error as YamlError {
      throw EditingError(.badData, "\(path)\(Self.describe(error))")
    }
  }

  package func top(keys: [String]) throws -> SettingsMapping {
    try SettingsMapping(file: path, path: [], node: root, keys: keys)
  }

  private static func text(at path: String) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw EditingError(.noInput, "\(path): there is no such file")
    }
    guard !isFolder.boolValue, let handle = FileHandle(forReadingAtPath: path) else {
      let found = isFolder.boolValue ? "a folder" : "a file that can't be read"
      throw EditingError(.noInput, "\(path): found \(found), wanted a file of settings")
    }
    defer { try? handle.close() }
    let data: Data
    do {
      data = try handle.read(upToCount: maximumSize + 1) ?? Data()
    } catch {
      throw EditingError(.inputOutput, "\(path): reading failed: \(error.localizedDescription)")
    }
    guard data.count <= maximumSize else {
      throw EditingError(.badData, "\(path): found more than \(maximumSize) bytes, wanted settings")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw EditingError(.badData, "\(path): found bytes that are not UTF-8, wanted text")
    }
    // Some editors begin a file with a byte order mark.
    return text.unicodeScalars.first == "\u{feff}" ? String(text.unicodeScalars.dropFirst()) : text
  }

  /// The place and the problem of a syntax error, on one line.
  private static func describe(_ error: YamlError) -> String {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return ":\(mark.line): not valid YAML: \(problem)"
    case .duplicatedKeysInMapping(let duplicates, _):
      return
        ": found \(duplicates.sorted().joined(separator: ", ")) more than once, wanted each key once"
    case .reader(let problem, _, _, _):
      return ": not valid YAML: \(problem)"
    default:
      return ": not valid YAML"
    }
  }
}

/// A mapping of a settings file whose keys are all known.
package struct SettingsMapping {
  private let file: String
  private let path: [String]
  private var values: [String: Node] = [:]

  fileprivate init(file: String, path: [String], node: Node, keys: [String]) throws {
    self.file = file
    self.path = path
    guard case .mapping(let mapping) = node else {
      throw Self.error(
        file, path, node, wanted: "keys and values (\(keys.joined(separator: ", ")))")
    }
    for (key, value) in mapping {
      guard case .scalar(let scalar) = key, keys.contains(scalar.string) else {
        let place = path.isEmpty ? "" : " in \(path.joined(separator: "."))"
        throw EditingError(
          .badData,
          "\(file)\(Self.line(key)): found the unknown key \(Self.describe(key))\(place), "
            + "wanted one of \(keys.joined(separator: ", "))")
      }
      values[scalar.string] = value
    }
  }

  package func section(_ key: String, keys: [String]) throws -> SettingsMapping? {
    try values[key].map {
      try SettingsMapping(file: file, path: path + [key], node: $0, keys: keys)
    }
  }

  package func text(_ key: String, _ limit: Limit<String>) throws -> String? {
    try value(key, limit) { node in
      guard case .scalar(let scalar) = node else { return nil }
      // A plain number, truth value or null is most likely a slip, and a quoted one is text.
      return scalar.style != .plain || node.tag.description == Tag.Name.str.rawValue
        ? scalar.string : nil
    }
  }

  package func whole(_ key: String, _ limit: Limit<Int>) throws -> Int? {
    try value(key, limit) { Self.plain($0).flatMap { Int($0) } }
  }

  package func number(_ key: String, _ limit: Limit<Double>) throws -> Double? {
    try value(key, limit, Self.number)
  }

  package func seed(_ key: String) throws -> UInt64? {
    try value(key, .seed) { Self.plain($0).flatMap { UInt64($0) } }
  }

  package func truth(_ key: String) throws -> Bool? {
    try value(key, Limit(wanted: "true or false") { _ in true }) {
      Self.plain($0).flatMap { Bool($0) }
    }
  }

  package func numbers(_ key: String, _ limit: Limit<[Double]>) throws -> [Double]? {
    try value(key, limit) { Self.list($0, Self.number) }
  }

  func seeds(_ key: String, _ limit: Limit<[UInt64]>) throws -> [UInt64]? {
    try value(key, limit) { Self.list($0) { Self.plain($0).flatMap { UInt64($0) } } }
  }

  func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
    _ key: String
  ) throws -> Choice? {
    let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    return try value(key, Limit(wanted: "one of \(names)") { _ in true }) {
      Self.plain($0).flatMap { Choice(rawValue: $0) }
    }
  }

  package func wholes(_ key: String, _ limit: Limit<[Int]>) throws -> [Int]? {
    try value(key, limit) { Self.list($0) { Self.plain($0).flatMap { Int($0) } } }
  }

  package func texts(_ key: String, _ limit: Limit<[String]>) throws -> [String]? {
    try value(key, limit) { Self.list($0) { node in node.string } }
  }

  /// A picture's size: `[width, height]`, or one number for a square.
  package func size(_ key: String) throws -> PictureSize? {
    let side = Limit<Int>.pictureSide
    let limit = Limit<PictureSize>(wanted: "\(side.wanted), or [width, height] of such") {
      side.contains($0.width) && side.contains($0.height)
    }
    return try value(key, limit) { node in
      let whole: (Node) -> Int? = { Self.plain($0).flatMap { Int($0) } }
      if let side = whole(node) { return PictureSize(width: side, height: side) }
      guard let sides = Self.list(node, whole), sides.count == 2 else { return nil }
      return PictureSize(width: sides[0], height: sides[1])
    }
  }

  /// The value of a key as `convert` reads it, nil where the key is absent.
  private func value<Value>(
    _ key: String, _ limit: Limit<Value>, _ convert: (Node) -> Value?
  ) throws -> Value? {
    guard let node = values[key] else { return nil }
    guard let value = convert(node), limit.contains(value) else {
      throw Self.error(file, path + [key], node, wanted: limit.wanted)
    }
    return value
  }

  /// The text of an unquoted scalar. JSON's strings are quoted and its numbers are not, as in YAML.
  private static func plain(_ node: Node) -> String? {
    guard case .scalar(let scalar) = node else { return nil }
    if scalar.style == .plain { return scalar.string }
    // A quoted number is text, but a quoted word, as every one of JSON, is that word.
    return Double(scalar.string) == nil ? scalar.string : nil
  }

  private static func number(_ node: Node) -> Double? {
    guard let text = plain(node), text.allSatisfy({ "0123456789+-.eE".contains($0) }) else {
      return nil
    }
    return Double(text)
  }

  private static func list<Element>(_ node: Node, _ convert: (Node) -> Element?) -> [Element]? {
    guard case .sequence(let sequence) = node else { return nil }
    let elements = sequence.compactMap(convert)
    return elements.count == sequence.count ? elements : nil
  }

  private static func error(_ file: String, _ path: [String], _ node: Node, wanted: String)
    -> EditingError
  {
    let key = path.isEmpty ? "" : " \(path.joined(separator: ".")):"
    return EditingError(
      .badData, "\(file)\(line(node)):\(key) found \(describe(node)), wanted \(wanted)")
  }

  private static func line(_ node: Node) -> String { node.mark.map { ":\($0.line)" } ?? "" }

  /// A short account of a node, on one line. Lists within lists are left out: aliases can make them endless.
  private static func describe(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar):
      if scalar.string.isEmpty { return scalar.style == .plain ? "nothing" : "an empty text" }
      let shown = String(scalar.string.prefix(60)).debugDescription
      return scalar.style == .plain ? String(shown.dropFirst().dropLast()) : shown
    case .sequence(let sequence):
      if sequence.isEmpty { return "an empty list" }
      let shown = sequence.prefix(8).map { element in
        if case .scalar = element { describe(element) } else { "…" }
      }.joined(separator: ", ")
      return "[\(shown)\(sequence.count > 8 ? ", …" : "")]"
    case .mapping: return "keys and values"
    case .alias: return "an alias"
    }
  }
}
