import Foundation
import Testing
import Weights

@testable import Models

@Suite struct CLIPTokenizerTests {
  @Test(arguments: ["version1", "version2", "saved", "alike", "plain"])
  func answersAreThoseOfTransformers(name: String) throws {
    let references = try TokenizerReferences()
    let form = try #require(references.forms[name])
    try withTemporaryFolder { folder in
      try TokenizerReferences.write(config: form.config, special: form.special, to: folder)
      let tokenizer = try CLIPTokenizer(folder: folder)
      #expect(tokenizer.paddingID == form.pad)
      #expect(tokenizer.vocabularySize == 49408)
      for (text, first, others) in references.texts {
        let expected = others[name] ?? first
        let found = tokenizer.encode(text)
        let padding = Array(repeating: form.pad, count: 77 - expected.ids.count)
        #expect(found.ids == expected.ids + padding, "\(text.debugDescription)")
        #expect(found.textCount == expected.count - 2, "\(text.debugDescription)")
        #expect(found.droppedCount == max(0, expected.count - 77), "\(text.debugDescription)")
      }
    }
  }

  @Test func readsTheEmbeddedBase() throws {
    let tokenizer = try CLIPTokenizer(folder: embeddedBase.appendingPathComponent("tokenizer"))
    let empty = tokenizer.encode("")
    #expect(empty.ids.count == tokenizer.maximumLength)
    #expect(empty.ids[0] == tokenizer.startID && empty.ids[1] == tokenizer.endID)
    #expect(empty.textCount == 0 && empty.droppedCount == 0)
  }

  /// A word of 100 KB is encoded without a pause: the time is a loose bound, where a quadratic merge would take hours.
  @Test func encodesAVeryLongWord() throws {
    let form = try #require(TokenizerReferences().forms["version1"])
    try withTemporaryFolder { folder in
      try TokenizerReferences.write(config: form.config, special: form.special, to: folder)
      let tokenizer = try CLIPTokenizer(folder: folder)
      let start = ContinuousClock.now
      let encoding = tokenizer.encode(String(repeating: "thequickbrown", count: 8000))
      #expect(encoding.ids.count == 77)
      #expect(encoding.droppedCount == encoding.textCount - 75)
      #expect(encoding.droppedCount > 10_000)
      #expect(ContinuousClock.now - start < .seconds(5))
    }
  }

  /// The embedded base's tokenizer with one file changed.
  private func openChanged(_ name: String, to text: String?) throws {
    try withTemporaryFolder { folder in
      let changed = folder.appendingPathComponent("tokenizer")
      try FileManager.default.copyItem(
        at: embeddedBase.appendingPathComponent("tokenizer"), to: changed)
      let file = changed.appendingPathComponent(name)
      try FileManager.default.removeItem(at: file)
      if let text { try Data(text.utf8).write(to: file) }
      _ = try CLIPTokenizer(folder: changed)
    }
  }

  @Test(arguments: [
    ("vocab.json", nil, "can't open"), ("merges.txt", nil, "can't open"),
    ("tokenizer_config.json", nil, "can't open"),
    ("vocab.json", "[]", "wanted an object"), ("vocab.json", #"{"a": -1}"#, "wanted an integer"),
    ("vocab.json", #"{"a": 0, "b": 0}"#, "wanted its own"),
    ("vocab.json", #"{"a": 0}"#, "<|endoftext|>"),
    ("merges.txt", "#version: 0.2\na b c\n", "line 2"),
    ("merges.txt", "a b\n\nc d\n", "line 2"),
    ("merges.txt", "q zzz\n", "zzz"), ("merges.txt", "x x\n", "xx"),
    ("tokenizer_config.json", "{}", "model_max_length"),
    ("tokenizer_config.json", #"{"model_max_length": 1e30}"#, "model_max_length"),
    (
      "tokenizer_config.json", #"{"model_max_length": 20, "do_lower_case": false}"#, "do_lower_case"
    ),
    (
      "special_tokens_map.json", #"{"pad_token": {"content": "!", "lstrip": true}}"#, "lstrip"
    ),
    ("special_tokens_map.json", #"{"additional_special_tokens": ["<x>"]}"#, "<x>"),
    ("special_tokens_map.json", #"{"pad_token": "<pad>"}"#, "<pad>"),
  ])
  func refuses(file: String, text: String?, reason: String) {
    #expect {
      try openChanged(file, to: text)
    } throws: { error in
      let message = "\(error)"
      return error is LoadingError && message.contains(reason) && !message.contains("\n")
    }
  }
}
