// The sentence that says what a scene shows.

extension Scene {
  /// What a caption may leave out.
  struct CaptionParts: Equatable, Sendable {
    var place = true
    var position = true
  }

  /// "a photo of a red car on a road at sunset on the left".
  func caption(in table: SceneTable, _ parts: CaptionParts = CaptionParts()) -> String {
    let place = table.place(self.place)
    var words: [String] = ["a photo of"]
    if let subject {
      let noun = table.noun(subject.noun)
      let name = subject.isPair ? noun?.plural ?? subject.noun : subject.noun
      let described = [subject.colour, name].compactMap(\.self).joined(separator: " ")
      words.append(subject.isPair ? "two \(described)" : Self.withArticle(described))
      if parts.place, let phrase = place?.phrase { words.append(phrase) }
    } else {
      words.append(place?.scene ?? self.place)
    }
    if let phrase = lighting.phrase { words.append(phrase) }
    if let subject, !subject.isPair, parts.position, subject.position != .middle {
      words.append("on the \(subject.position.rawValue)")
    }
    return words.joined(separator: " ")
  }

  /// "an apple", "a car".
  static func withArticle(_ words: String) -> String {
    "aeiou".contains(words.first ?? " ") ? "an \(words)" : "a \(words)"
  }
}
