// Strict reading of the JSON configurations of diffusers and transformers: every key is used, known to have no effect, or
// an error.

import Foundation
import Weights

/// Reads the keys of one configuration, and notices those that nobody asked for.
///
/// An error names the file, the key, its value and what is wanted instead.
struct ConfigurationReader {
  let file: String
  private var remaining: [String: JSON]

  init(_ url: URL) throws {
    try self.init(JSON(contentsOf: url), file: url.path)
  }

  init(_ json: JSON, file: String) throws {
    guard case .object(let members) = json else {
      throw LoadingError(file: file, "\(json), wanted a JSON object")
    }
    self.file = file
    remaining = Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value) })
  }

  func failure(_ key: String, _ value: JSON, wanted: String) -> LoadingError {
    LoadingError(file: file, "\"\(key)\" is \(value), wanted \(wanted)")
  }

  /// The value of a key, which counts as used from here on.
  mutating func take(_ key: String) -> JSON? { remaining.removeValue(forKey: key) }

  private mutating func take<Value>(
    _ key: String, default: Value?, wanted: String, _ convert: (JSON) -> Value?
  ) throws -> Value {
    guard let json = take(key) else {
      guard let `default` else {
        throw LoadingError(file: file, "\"\(key)\" is missing, wanted \(wanted)")
      }
      return `default`
    }
    guard let value = convert(json) else { throw failure(key, json, wanted: wanted) }
    return value
  }

  mutating func boolean(_ key: String, default: Bool) throws -> Bool {
    try take(key, default: `default`, wanted: "true or false") {
      if case .boolean(let value) = $0 { value } else { nil }
    }
  }

  mutating func integer(_ key: String, default: Int?, in range: ClosedRange<Int>) throws -> Int {
    try take(key, default: `default`, wanted: Self.wanted(range)) { $0.integer(in: range) }
  }

  /// A list of `count` integers, or one that stands for all of them.
  mutating func integers(
    _ key: String, default: Int, count: Int, in range: ClosedRange<Int>
  ) throws -> [Int] {
    let wanted = "\(Self.wanted(range)), or a list of \(count) of them"
    return try take(key, default: Array(repeating: `default`, count: count), wanted: wanted) {
      guard case .array(let values) = $0 else {
        return $0.integer(in: range).map { Array(repeating: $0, count: count) }
      }
      let integers = values.compactMap { $0.integer(in: range) }
      return values.count == count && integers.count == count ? integers : nil
    }
  }

  /// A list of one or more integers.
  mutating func integerList(
    _ key: String, default: [Int], in range: ClosedRange<Int>
  ) throws -> [Int] {
    try take(key, default: `default`, wanted: "a list, each \(Self.wanted(range))") {
      guard case .array(let values) = $0 else { return nil }
      let integers = values.compactMap { $0.integer(in: range) }
      return values.isEmpty || integers.count < values.count ? nil : integers
    }
  }

  mutating func number(
    _ key: String, default: Double, wanted: String, where isValid: (Double) -> Bool
  ) throws -> Double {
    try take(key, default: `default`, wanted: wanted) { json in
      json.double.flatMap { $0.isFinite && isValid($0) ? $0 : nil }
    }
  }

  mutating func positive(_ key: String, default: Double) throws -> Double {
    try number(key, default: `default`, wanted: "a number above 0") { $0 > 0 }
  }

  /// One of the cases of an enumeration, by its raw value.
  mutating func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ key: String, default: Choice?
  ) throws -> Choice where Choice.RawValue == String {
    try take(key, default: `default`, wanted: Self.wanted(Choice.self)) { Self.choice($0) }
  }

  /// A list of cases of an enumeration.
  mutating func choices<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ key: String, default: [Choice]
  ) throws -> [Choice] where Choice.RawValue == String {
    try take(key, default: `default`, wanted: "a list, each \(Self.wanted(Choice.self))") {
      guard case .array(let values) = $0 else { return nil }
      let choices: [Choice] = values.compactMap(Self.choice)
      return values.isEmpty || choices.count < values.count ? nil : choices
    }
  }

  /// Keys that have no effect here at one value alone, where `supported` holds it for each: any other is an error.
  mutating func neutral(_ supported: KeyValuePairs<String, JSON>) throws {
    for (key, value) in supported {
      guard let found = take(key) else { continue }
      let isEqual = found == value || (found.double != nil && found.double == value.double)
      guard isEqual else { throw failure(key, found, wanted: "\(value)") }
    }
  }

  /// Keys that have no effect here at any value.
  mutating func ignore(_ keys: [String]) {
    for key in keys { remaining[key] = nil }
  }

  /// - Throws: where the class that the configuration is for is not `name`.
  mutating func requireClass(_ name: String) throws {
    guard let found = take("_class_name") else { return }
    guard found == .string(name) else {
      throw failure("_class_name", found, wanted: JSON.string(name).description)
    }
  }

  /// - Throws: where a key is left that nobody asked for.
  func finish() throws {
    guard let key = remaining.keys.min(), let value = remaining[key] else { return }
    throw LoadingError(
      file: file, "\"\(key)\" is \(value): not a key known here, wanted a file without it")
  }

  private static func choice<Choice: RawRepresentable & Sendable>(_ json: JSON) -> Choice?
  where Choice.RawValue == String {
    if case .string(let name) = json { Choice(rawValue: name) } else { nil }
  }

  private static func wanted<Choice: RawRepresentable & CaseIterable & Sendable>(_: Choice.Type)
    -> String
  where Choice.RawValue == String {
    let names = Choice.allCases.map { "\"\($0.rawValue)\"" }
    return (names.count > 1 ? "one of " : "") + names.joined(separator: ", ")
  }

  private static func wanted(_ range: ClosedRange<Int>) -> String {
    "an integer from \(range.lowerBound) to \(range.upperBound)"
  }
}

extension JSON {
  /// The value as a number; nil where it is none.
  var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The value as an integer of a range. Python writes 1.0 where a default is 1.0, so whole numbers count as integers.
  func integer(in range: ClosedRange<Int>) -> Int? {
    let integer: Int? =
      switch self {
      case .integer(let value): value
      case .number(let value): Int(exactly: value)
      default: nil
      }
    return integer.flatMap { range.contains($0) ? $0 : nil }
  }
}

/// The largest count of channels, tokens and the like that a configuration may ask for. Real ones stay far below; with
/// it, products of a few extents can't overflow.
let extentLimit = 1 << 20

/// The largest count of layers or blocks.
let layerLimit = 1 << 10
