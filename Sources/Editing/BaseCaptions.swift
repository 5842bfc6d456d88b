// The sentences that a base was trained on, where its folder says so.

import Foundation

/// How a base's training captions are made up: `captions.txt` in its folder, a line for each part of a caption in their
/// order, with what can stand in its place.
///
/// Between `|` are the choices of a part, and between the `/` of a choice forms that go together: all parts of a caption
/// have their first, or all their second. `-` is nothing, which says something too: by day, in the middle; `?` leaves a part
/// unsaid. `>` begins a part that describes the next one. The word a is an before a vowel. Lines that begin with `#` say
/// nothing.
package struct BaseCaptions: Sendable {
  package static let file = "captions.txt"

  /// One caption: the form that its parts have, and of each part the choice.
  struct Caption: Hashable, Sendable {
    var form: Int
    var choices: [Int]
  }

  private struct Part: Sendable {
    /// The forms of each choice, as many as it has, in words.
    var choices: [[[String]]]
    var describesNext: Bool
    /// The choice without words, and whether that leaves the part unsaid.
    var nothing: (choice: Int, isUnsaid: Bool)?
  }

  private let parts: [Part]
  /// The most forms that any choice has.
  private let forms: Int

  /// Nil for a base that does not say what its captions are, such as Stable Diffusion.
  /// - Throws: `EditingError`, `badData`, where the file can't be read as text, or has no part or an empty choice.
  package init?(base: String) throws {
    let path = "\(base)/\(Self.file)"
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw EditingError(.badData, "\(path): found bytes that are not UTF-8, wanted captions")
    }
    try self.init(text: text, source: path)
  }

  /// - Parameter source: the file that the text is from, named where it is wrong.
  init(text: String, source: String) throws {
    var parts: [Part] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      var line = line.drop(while: \.isWhitespace)
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      let describesNext = line.hasPrefix(">")
      if describesNext { line = line.dropFirst() }
      let choices = Self.split(line, at: "|").map { choice in
        Self.split(choice, at: "/").map { form in
          let words = form.split(whereSeparator: \.isWhitespace).map(String.init)
          return [["-"], ["?"]].contains(words) ? [] : words
        }
      }
      let marks = Self.split(line, at: "|").map { $0.filter { !$0.isWhitespace } }
      let nothing = marks.firstIndex { $0 == "-" || $0 == "?" }.map { ($0, marks[$0] == "?") }
      let isEmpty = Self.split(line, at: "|").contains { choice in
        Self.split(choice, at: "/").contains { $0.allSatisfy(\.isWhitespace) }
      }
      guard !isEmpty else {
        throw EditingError(
          .badData, "\(source):\(number + 1): found a choice without words, wanted words, - or ?")
      }
      parts.append(Part(choices: choices, describesNext: describesNext, nothing: nothing))
    }
    guard !parts.isEmpty else {
      throw EditingError(.badData, "\(source): found no parts of captions, wanted a line for each")
    }
    self.parts = parts
    forms = parts.flatMap { $0.choices.map(\.count) }.max() ?? 1
  }

  private static func split(_ text: Substring, at separator: Character) -> [Substring] {
    text.split(separator: separator, omittingEmptySubsequences: false)
  }

  /// The caption that a sentence is; nil where it is none of the base's.
  func caption(of sentence: String) -> Caption? {
    let words = sentence.lowercased().split(whereSeparator: \.isWhitespace).map { word in
      word.filter { $0.isLetter || $0.isNumber || $0 == "-" }
    }.map { $0 == "an" ? "a" : $0 }
    for form in 0..<forms {
      if let choices = choices(of: words[...], form: form, from: 0) {
        return Caption(form: form, choices: choices)
      }
    }
    return nil
  }

  /// The choices of the parts from one on that are just these words, the longest that there are first.
  private func choices(of words: ArraySlice<String>, form: Int, from part: Int) -> [Int]? {
    guard part < parts.count else { return words.isEmpty ? [] : nil }
    let longest = parts[part].choices.indices.map { ($0, self.words(part, $0, form)) }
      .sorted { ($1.1.count, $0.0) < ($0.1.count, $1.0) }
    for (choice, own) in longest where words.starts(with: own) {
      let rest = words.dropFirst(own.count)
      if let others = choices(of: rest, form: form, from: part + 1) { return [choice] + others }
    }
    return nil
  }

  private func words(_ part: Int, _ choice: Int, _ form: Int) -> [String] {
    let all = parts[part].choices[choice]
    return all[min(form, all.count - 1)]
  }

  /// The sentence that a caption is.
  func sentence(of caption: Caption) -> String {
    let words = parts.indices.flatMap { self.words($0, caption.choices[$0], caption.form) }
    return words.indices.map { index in
      let isBeforeVowel =
        index + 1 < words.count && words[index + 1].first.map { "aeiou".contains($0) } ?? false
      return words[index] == "a" && isBeforeVowel ? "an" : words[index]
    }.joined(separator: " ")
  }

  /// A caption that differs from another in one part.
  struct Change: Sendable {
    let caption: Caption
    /// Nil where all parts are in another form.
    let part: Int?
    /// Whether the caption describes the part that was changed, by the part before it; that is left out then.
    let isDescribed: Bool
    /// Whether the part says that there is nothing, or nothing at all, any more.
    let isAbsence: Bool
    let isUnsaid: Bool
  }

  /// All captions that differ from one in one part.
  func changes(of caption: Caption) -> [Change] {
    let otherForms = (0..<forms).filter { $0 != caption.form }.map { form in
      var changed = caption
      changed.form = form
      return Change(
        caption: changed, part: nil, isDescribed: false, isAbsence: false, isUnsaid: false)
    }
    return otherForms + parts.indices.flatMap { changes(of: caption, part: $0) }
  }

  /// All captions that differ from one in what describes a part; none where nothing does.
  func descriptions(of part: Int, in caption: Caption) -> [Change] {
    part > 0 && parts[part - 1].describesNext ? changes(of: caption, part: part - 1) : []
  }

  private func changes(of caption: Caption, part: Int) -> [Change] {
    var caption = caption
    var isDescribed = false
    if part > 0, parts[part - 1].describesNext, let nothing = parts[part - 1].nothing?.choice {
      isDescribed = caption.choices[part - 1] != nothing
      caption.choices[part - 1] = nothing
    }
    let nothing = parts[part].nothing
    return parts[part].choices.indices.filter { $0 != caption.choices[part] }.map { choice in
      var changed = caption
      changed.choices[part] = choice
      return Change(
        caption: changed, part: part, isDescribed: isDescribed,
        isAbsence: choice == nothing?.choice && nothing?.isUnsaid == false,
        isUnsaid: choice == nothing?.choice && nothing?.isUnsaid == true)
    }
  }
}
