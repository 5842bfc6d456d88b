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

extension SceneTable {
  /// How captions are made up, a line for each part in their order: the text of captions.txt in a folder of scenes, which
  /// `base-train` gives to the base.
  var captionParts: String {
    let (absent, unsaid) = ("-", "?")
    let lightings = Lighting.allCases.compactMap(\.phrase)
    let positions = Scene.Position.allCases.filter { $0 != .middle }.map { "on the \($0.rawValue)" }
    let lines: [(mark: String, choices: [String])] = [
      ("", ["a photo of"]),
      ("", ["a / two"]),
      ("> ", [unsaid] + colours.map(\.name)),
      ("", nouns.map { "\($0.name) / \($0.plural)" }),
      ("", [unsaid] + places.map(\.phrase)),
      ("", [absent] + lightings),
      ("", [absent] + positions),
    ]
    return """
      # What captions are made up of, part by part in their order: choices between |, forms that go together between / (of one
      # thing, of two), - for nothing, which says something too, ? for what is left unsaid, > before what describes the next
      # part.

      """
        + lines.map { $0.mark + $0.choices.joined(separator: " | ") + "\n" }.joined()
  }
}
