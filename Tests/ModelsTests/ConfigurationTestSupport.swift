// What the tests of configurations share.

import Foundation
import Testing
import Weights

@testable import Models

/// The embedded base of this package.
let embeddedBase = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("checkpoints/base")

func reader(_ text: String, file: String = "config.json") throws -> ConfigurationReader {
  try ConfigurationReader(JSON(parsing: Array(text.utf8), file: file), file: file)
}

/// The configuration with one key set to another value, or added.
func reader(_ text: String, changing key: String, to value: String) throws -> ConfigurationReader {
  guard case .object(let members) = try JSON(parsing: Array(text.utf8), file: "config.json") else {
    Issue.record("not an object: \(text)")
    return try reader(text)
  }
  let json = try JSON(parsing: Array(value.utf8), file: "config.json")
  return try ConfigurationReader(
    .object(members.filter { $0.key != key } + [.init(key: key, value: json)]), file: "config.json")
}

/// Expects an error that names the file, the key and its value; an empty value stands for any.
func expectRefusal(
  of key: String, _ value: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  #expect(sourceLocation: sourceLocation) {
    try body()
  } throws: {
    let message = "\($0)"
    return message.hasPrefix("config.json: ") && message.contains("\"\(key)\"")
      && (value.isEmpty || message.contains(value)) && message.contains("wanted")
      && !message.contains("\n")
  }
}
