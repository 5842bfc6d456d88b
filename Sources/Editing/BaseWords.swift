// The words that a base was trained on, where its folder says so.

import Foundation
import Models

/// The words of a base's training captions: a file with a word on each line, or several that can stand for one another.
package struct BaseWords: Sendable {
  package static let file = "words.txt"

  let known: Set<String>
  /// Of the words that others can stand for, those others.
  private let others: [String: [String]]

  /// Nil for a base that does not say which words it knows, such as Stable Diffusion.
  /// - Throws: `EditingError`, `badData`, where the file can't be read as text.
  package init?(base: String) throws {
    let path = "\(base)/\(Self.file)"
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw EditingError(.badData, "\(path): found bytes that are not UTF-8, wanted words")
    }
    let groups = text.split(whereSeparator: \.isNewline).map {
      $0.split(whereSeparator: \.isWhitespace).map(String.init)
    }
    known = Set(groups.joined())
    others = Dictionary(
      groups.flatMap { group in group.map { word in (word, group.filter { $0 != word }) } }
    ) { $0 + $1 }.filter { !$0.value.isEmpty }
  }

  /// The content of the file.
  package static func text(of words: WordGroups) -> String {
    words.groups.map { $0.joined(separator: " ") + "\n" }.joined()
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

  /// A sentence with one of its words replaced, once by each of those that can stand for it; a list for each word that has
  /// any.
  func replacements(in sentence: String) -> [[String]] {
    let words = sentence.split(whereSeparator: \.isWhitespace).map(String.init)
    return words.indices.compactMap { index in
      let marks = words[index].filter { !$0.isLetter }
      let word = words[index].filter(\.isLetter).lowercased()
      return others[word].map { others in
        others.map { other in
          var replaced = words
          replaced[index] = other + marks
          return replaced.joined(separator: " ")
        }
      }
    }
  }
}
