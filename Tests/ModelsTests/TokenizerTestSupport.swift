// What the tests of the tokenizer share: OpenAI's vocabulary, and the answers of transformers' CLIPTokenizer, made by
// tools/make_tokenizer_references.py.

import Foundation
import Testing

@testable import Models

func resource(_ name: String) throws -> URL {
  try #require(Bundle.module.url(forResource: name, withExtension: nil, subdirectory: "Resources"))
}

/// A folder that is removed after `body`.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder)
}

struct TokenizerReferences {
  struct Answer {
    let count: Int
    let ids: [Int]
  }

  struct Form {
    let config: [String: Any]
    let special: [String: Any]?
    let pad: Int
  }

  let forms: [String: Form]
  /// The answers to each text by form; forms that answer as "version1" are absent.
  let texts: [(text: String, first: Answer, others: [String: Answer])]

  init() throws {
    let json = try JSONSerialization.jsonObject(
      with: Data(contentsOf: resource("clip-references.json")))
    let root = try #require(json as? [String: Any])
    func answer(_ value: Any) throws -> Answer {
      let object = try #require(value as? [String: Any])
      return Answer(
        count: try #require(object["count"] as? Int), ids: try #require(object["ids"] as? [Int]))
    }
    forms = try #require(root["forms"] as? [String: [String: Any]]).mapValues { form in
      Form(
        config: try #require(form["config"] as? [String: Any]),
        special: form["special"] as? [String: Any], pad: try #require(form["pad"] as? Int))
    }
    texts = try #require(root["texts"] as? [[String: Any]]).map { entry in
      let others = try #require(entry["others"] as? [String: Any])
      return (
        try #require(entry["text"] as? String), try answer(entry), try others.mapValues(answer)
      )
    }
  }

  /// OpenAI's vocabulary: bytes, bytes at the end of a word, what each merge makes, the start and the end.
  static func vocabulary() throws -> [String: Int] {
    let merges = try String(contentsOf: resource("clip-merges.txt"), encoding: .utf8)
      .split(separator: "\n").dropFirst()
    // Printable characters come first there, in the order of their codes, then the stand-ins for the others.
    let bytes = BytePairEncoding.alphabet.sorted().map(String.init)
    let tokens =
      bytes + bytes.map { $0 + "</w>" } + merges.map { $0.filter { $0 != " " } }
      + ["<|startoftext|>", "<|endoftext|>"]
    #expect(tokens.count == 49408)
    return Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
  }

  /// Writes a tokenizer's folder with OpenAI's vocabulary.
  static func write(
    config: [String: Any], special: [String: Any]?, to folder: URL
  ) throws {
    func write(_ object: Any, _ name: String) throws {
      try JSONSerialization.data(withJSONObject: object)
        .write(to: folder.appendingPathComponent(name))
    }
    try write(vocabulary(), "vocab.json")
    try FileManager.default.copyItem(
      at: resource("clip-merges.txt"), to: folder.appendingPathComponent("merges.txt"))
    try write(config, "tokenizer_config.json")
    if let special { try write(special, "special_tokens_map.json") }
  }
}
