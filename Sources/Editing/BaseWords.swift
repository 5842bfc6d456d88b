// The words that a base was trained on, where its folder says so.

import Foundation
import Models

/// The words of a base's training captions: a file with a word on each line.
package struct BaseWords: Sendable {
  package static let file = "words.txt"

  let known: Set<String>

  /// Nil for a base that does not say which words it knows, such as Stable Diffusion.
  /// - Throws: `EditingError`, `badData`, where the file can't be read as text.
  package init?(base: String) throws {
    let path = "\(base)/\(Self.file)"
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw EditingError(.badData, "\(path): found bytes that are not UTF-8, wanted words")
    }
    known = Set(text.split(whereSeparator: \.isNewline).map(String.init))
  }

  /// The words of sentences that the base has never seen, in the order of the alphabet.
  package func unknown(in sentences: [String]) -> [String] {
    BytePairTraining.words(of: sentences).filter { !known.contains($0) }
  }

  /// What to tell a person about such words; nil where there are none.
  func warning(about sentences: [String]) -> String? {
    let words = unknown(in: sentences)
    guard !words.isEmpty else { return nil }
    let list = words.map { "\"\($0)\"" }.joined(separator: ", ")
    return
      "the base has never seen \(words.count == 1 ? "the word" : "the words") \(list); it can't "
      + "know what is meant"
  }
}
