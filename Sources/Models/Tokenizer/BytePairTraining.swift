// How a byte-pair encoding is learnt from captions: the commonest neighbours merge, again and again (Sennrich et al.,
// "Neural Machine Translation of Rare Words with Subword Units", 2016, algorithm 1).

import Foundation
import Weights

/// A tokenizer's vocabulary and merges, learnt from texts. Words are those of CLIP's tokenizer.
public struct BytePairTraining: Sendable {
  public static let start = "<|startoftext|>"
  public static let end = "<|endoftext|>"

  /// Tokens and their numbers: the 256 bytes, the 256 bytes at the end of a word, the merges, the start and the end.
  public let vocabulary: [String: Int]
  /// Pairs in the order in which they were learnt.
  public let merges: [(String, String)]
  /// Every word of the texts, with those that can stand for it.
  public let words: WordGroups

  public var startID: Int { vocabulary.count - 2 }
  public var endID: Int { vocabulary.count - 1 }

  /// The content of `merges.txt`.
  public var mergesFile: String {
    "#version: 0.2\n" + merges.map { "\($0.0) \($0.1)\n" }.joined()
  }

  /// Learns until every word is a token of its own or the vocabulary is full. Of pairs that are equally common, the first
  /// in the order of their characters merges.
  /// - Parameter size: how many tokens there are at most, at least 514.
  public init(texts: [String], size: Int) {
    var counts: [[UInt8]: Int] = [:]
    var counted: [String: Int] = [:]
    for text in texts { counted[text, default: 0] += 1 }
    for (text, count) in counted {
      for word in WordPattern.words(WordPattern.normalized(text)) {
        counts[word, default: 0] += count
      }
    }
    words = WordGroups(texts: texts)

    let alphabet = BytePairEncoding.alphabet.map(String.init)
    var tokens = alphabet + alphabet.map { $0 + BytePairEncoding.wordEnd }
    var known = Set(tokens)
    var merges: [(String, String)] = []
    var parts = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { word, count in
      var symbols = word.map { alphabet[Int($0)] }
      symbols[symbols.count - 1] += BytePairEncoding.wordEnd
      return (symbols: symbols, count: count)
    }
    while tokens.count < size - 2 {
      var pairs: [Pair: Int] = [:]
      for (symbols, count) in parts {
        for index in symbols.indices.dropLast() {
          pairs[Pair(symbols[index], symbols[index + 1]), default: 0] += count
        }
      }
      guard let best = pairs.max(by: { ($0.value, $1.key) < ($1.value, $0.key) })?.key else {
        break
      }
      merges.append((best.left, best.right))
      // Two ways to one token give it one number.
      if known.insert(best.left + best.right).inserted { tokens.append(best.left + best.right) }
      for word in parts.indices { parts[word].symbols = best.merged(in: parts[word].symbols) }
    }
    self.merges = merges
    vocabulary = Dictionary(
      uniqueKeysWithValues: (tokens + [Self.start, Self.end]).enumerated().map { ($1, $0) })
  }

  /// The encoding that a folder has, with the words of texts.
  /// - Throws: `LoadingError` where the folder has none.
  public init(folder: URL, texts: [String]) throws {
    let file = folder.appendingPathComponent("vocab.json")
    vocabulary = try CLIPTokenizer.vocabulary(JSON(contentsOf: file), file: file.path)
    let mergesFile = folder.appendingPathComponent("merges.txt")
    merges = try CLIPTokenizer.merges(
      readFile(mergesFile, limit: CLIPTokenizer.sizeLimit), file: mergesFile.path)
    words = WordGroups(texts: texts)
  }

  /// Every word of texts, sorted.
  public static func words(of texts: [String]) -> [String] {
    Set(Set(texts).flatMap { WordPattern.words(WordPattern.normalized($0)) })
      .map { String(decoding: $0, as: UTF8.self) }.sorted()
  }

  private struct Pair: Hashable, Comparable {
    let left: String
    let right: String

    init(_ left: String, _ right: String) {
      self.left = left
      self.right = right
    }

    static func < (a: Pair, b: Pair) -> Bool { (a.left, a.right) < (b.left, b.right) }

    func merged(in symbols: [String]) -> [String] {
      var result: [String] = []
      var index = 0
      while index < symbols.count {
        if index + 1 < symbols.count, symbols[index] == left, symbols[index + 1] == right {
          result.append(left + right)
          index += 2
        } else {
          result.append(symbols[index])
          index += 1
        }
      }
      return result
    }
  }
}
