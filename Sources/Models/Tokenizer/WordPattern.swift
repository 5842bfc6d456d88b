// How CLIP normalises a text and cuts it into words, before they are encoded.

import Foundation

enum WordPattern {
  /// The text in composed form (NFC), each run of white space as one space, in lower case.
  ///
  /// Letters are lowered one by one: a sigma at the end of a word stays a common one.
  static func normalized(_ text: String) -> [UnicodeScalar] {
    var result: [UnicodeScalar] = []
    for scalar in text.precomposedStringWithCanonicalMapping.unicodeScalars {
      if let previous = result.last, let syllable = hangul(previous, scalar) {
        result[result.count - 1] = syllable
      } else if !scalar.properties.isWhitespace {
        result += scalar.properties.lowercaseMapping.unicodeScalars
      } else if result.last != " " {
        result.append(" ")
      }
    }
    return result
  }

  /// A Hangul syllable without a final consonant, composed with one: Foundation leaves a pair of them as it is.
  private static func hangul(_ first: UnicodeScalar, _ second: UnicodeScalar) -> UnicodeScalar? {
    let finals: ClosedRange<UInt32> = 0x11A8...0x11C2
    guard (0xAC00...0xD7A3).contains(first.value), (first.value - 0xAC00) % 28 == 0,
      finals.contains(second.value)
    else { return nil }
    return UnicodeScalar(first.value + second.value - 0x11A7)
  }

  /// The words of a normalised text, in UTF-8.
  ///
  /// As the pattern `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+` finds
  /// them: the names of special tokens, contractions, runs of letters, single digits, runs of anything else that is
  /// not white space. A name that is a word here was not taken for the token before; the second, byte-level stage of
  /// transformers' tokenizer cuts it up again, by the same pattern without names.
  static func words(_ text: [UnicodeScalar]) -> [[UInt8]] {
    var words: [[UInt8]] = []
    forEachWord(text, names: specialNames) { word, isName in
      if isName {
        forEachWord(Array(word), names: []) { part, _ in words.append(utf8(part)) }
      } else {
        words.append(utf8(word))
      }
    }
    return words
  }

  private static let specialNames = ["<|startoftext|>", "<|endoftext|>"].map {
    Array($0.unicodeScalars)
  }

  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  private enum Kind {
    case space
    case letter
    case number
    case other

    init(_ scalar: UnicodeScalar) {
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        self = .letter
      case .decimalNumber, .letterNumber, .otherNumber:
        self = .number
      default:
        self = scalar.properties.isWhitespace ? .space : .other
      }
    }
  }

  private static func forEachWord(
    _ text: [UnicodeScalar], names: [[UnicodeScalar]],
    _ body: (_ word: ArraySlice<UnicodeScalar>, _ isName: Bool) -> Void
  ) {
    var start = 0
    while start < text.count {
      let rest = text[start...]
      if let name = names.first(where: rest.starts) {
        body(rest.prefix(name.count), true)
        start += name.count
        continue
      }
      let kind = Kind(text[start])
      var end = start + 1
      if let contraction = contractions.first(where: rest.starts) {
        end = start + contraction.count
      } else if kind == .letter || kind == .other {
        while end < text.count, Kind(text[end]) == kind { end += 1 }
      }
      if kind != .space { body(text[start..<end], false) }
      start = end
    }
  }

  private static func utf8(_ word: ArraySlice<UnicodeScalar>) -> [UInt8] {
    word.flatMap { UTF8.encode($0).map(Array.init) ?? [] }
  }
}
