// From a text to the numbers that a CLIP text encoder takes.

import Foundation
import Weights

/// The tokenizer of CLIP, with the answers of `CLIPTokenizer` of transformers 5.
///
/// A text is searched for special tokens, normalised, cut into words, and each word is encoded by byte pairs. The result
/// is framed by a start and an end, and padded or cut to the length that the encoder was trained with.
public struct CLIPTokenizer: Sendable {
  /// An encoded text.
  public struct Encoding: Sendable, Equatable {
    /// As many as the encoder takes: start, text, end, padding.
    public let ids: [Int]
    /// How many tokens the whole text has, without start, end and padding.
    public let textCount: Int
    /// How many of those were cut off at the end because the encoder takes no more.
    public let droppedCount: Int
  }

  /// How many ids an encoding has.
  public let maximumLength: Int
  public let startID: Int
  public let endID: Int
  public let paddingID: Int
  /// One more than the largest id.
  public let vocabularySize: Int

  private struct Special: Sendable {
    let scalars: [UnicodeScalar]
    let id: Int
  }

  private let encoding: BytePairEncoding
  /// Looked for in the text as it is.
  private let verbatimTokens: [Special]
  /// Looked for in the normalised text.
  private let normalizedTokens: [Special]

  /// - Parameter folder: holds `vocab.json`, `merges.txt`, `tokenizer_config.json` and, maybe, `special_tokens_map.json`.
  /// - Throws: `LoadingError` for files that can't be read, contradict each other, or ask for what is not supported.
  public init(folder: URL) throws {
    let configuration = try TokenizerConfiguration(folder: folder)
    let vocabularyFile = folder.appendingPathComponent("vocab.json")
    let vocabulary = try Self.vocabulary(
      JSON(contentsOf: vocabularyFile), file: vocabularyFile.path)
    func id(_ token: TokenizerConfiguration.SpecialToken) throws -> Int {
      guard let id = vocabulary[token.content] else {
        throw LoadingError(
          file: vocabularyFile.path,
          "no entry \(JSON.string(token.content)), wanted one for that special token")
      }
      guard token.entry == nil || token.entry == id else {
        throw LoadingError(
          file: vocabularyFile.path,
          "\(JSON.string(token.content)) is \(id), wanted \(token.entry ?? id) as in tokenizer_config.json"
        )
      }
      return id
    }
    let mergesFile = folder.appendingPathComponent("merges.txt")
    encoding = try BytePairEncoding(
      vocabulary: vocabulary,
      merges: Self.merges(readFile(mergesFile, limit: Self.sizeLimit), file: mergesFile.path),
      unknown: id(configuration.unknown), file: mergesFile.path)
    maximumLength = configuration.maximumLength
    startID = try id(configuration.start)
    endID = try id(configuration.end)
    paddingID = try id(configuration.padding)
    vocabularySize = (vocabulary.values.max() ?? -1) + 1
    verbatimTokens = try configuration.tokens.filter { !$0.isNormalized }.map {
      Special(scalars: Array($0.content.unicodeScalars), id: try id($0))
    }
    normalizedTokens = try configuration.tokens.filter(\.isNormalized).map {
      Special(scalars: WordPattern.normalized($0.content), id: try id($0))
    }
  }

  static let sizeLimit = 16 << 20

  static func vocabulary(_ json: JSON, file: String) throws -> [String: Int] {
    guard case .object(let members) = json else {
      throw LoadingError(file: file, "\(json), wanted an object of tokens and their numbers")
    }
    var vocabulary: [String: Int] = [:]
    vocabulary.reserveCapacity(members.count)
    var ids: Set<Int> = []
    for member in members {
      guard let id = member.value.integer(in: 0...extentLimit) else {
        throw LoadingError(
          file: file,
          "\(JSON.string(member.key)) is \(member.value), wanted an integer from 0 to \(extentLimit)"
        )
      }
      guard ids.insert(id).inserted else {
        throw LoadingError(
          file: file, "\(JSON.string(member.key)) is \(id), which another token is: wanted its own")
      }
      vocabulary[member.key] = id
    }
    return vocabulary
  }

  /// The pairs of a file that has one on each line, apart from the version on its first.
  static func merges(_ bytes: [UInt8], file: String) throws -> [(String, String)] {
    var merges: [(String, String)] = []
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for (index, line) in lines.enumerated() {
      let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if text.starts(with: "#version".utf8) { continue }
      let parts = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard parts.count == 2, let left = String(validating: parts[0], as: UTF8.self),
        let right = String(validating: parts[1], as: UTF8.self), !left.isEmpty, !right.isEmpty
      else {
        let found = JSON.string(String(decoding: text.prefix(200), as: UTF8.self))
        throw LoadingError(
          file: file, "line \(index + 1) is \(found), wanted two tokens with a space between")
      }
      merges.append((left, right))
    }
    return merges
  }

  /// The ids of a text, framed, padded and cut.
  public func encode(_ text: String) -> Encoding {
    var body: [Int] = []
    Self.split(Array(text.unicodeScalars), by: verbatimTokens, into: &body) { part, body in
      var view = String.UnicodeScalarView()
      view.append(contentsOf: part)
      let normalized = WordPattern.normalized(String(view))
      Self.split(normalized, by: normalizedTokens, into: &body) { part, body in
        for word in WordPattern.words(Array(part)) { body += encoding.encode(word) }
      }
    }
    let kept = body.prefix(maximumLength - 2)
    let padding = Array(repeating: paddingID, count: maximumLength - 2 - kept.count)
    return Encoding(
      ids: [startID] + kept + [endID] + padding, textCount: body.count,
      droppedCount: body.count - kept.count)
  }

  /// Finds tokens from left to right, the longest where several begin; what stands between them goes to `body`.
  private static func split(
    _ text: [UnicodeScalar], by tokens: [Special], into ids: inout [Int],
    _ body: (ArraySlice<UnicodeScalar>, inout [Int]) -> Void
  ) {
    var start = 0
    var position = 0
    while position < text.count {
      let rest = text[position...]
      let found = tokens.filter { rest.starts(with: $0.scalars) }
      guard let token = found.max(by: { $0.scalars.count < $1.scalars.count }) else {
        position += 1
        continue
      }
      if start < position { body(text[start..<position], &ids) }
      ids.append(token.id)
      position += token.scalars.count
      start = position
    }
    if start < text.count { body(text[start...], &ids) }
  }
}
