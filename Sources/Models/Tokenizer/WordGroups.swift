// Which words of captions can stand for one another, found from the company they keep (Harris, "Distributional
// structure", Word 10, 1954).

/// Words of captions in groups: those of one group stand behind the same two words and before the same word, such as
/// colours before things, or things behind an article.
public struct WordGroups: Sendable {
  /// From the largest group to the words that are alone; within a group in the order of the alphabet.
  public let groups: [[String]]

  /// How like the neighbours of any two words of a group are at least, the cosine of their counts.
  private static let leastLikeness = 0.3
  /// Rarer words than so many are alone: the comparison takes time by the square, and says little of rare words.
  private static let mostWords = 1000

  public init(texts: [String]) {
    var counted: [String: Int] = [:]
    for text in texts { counted[text, default: 0] += 1 }
    var uses: [String: Uses] = [:]
    for (text, count) in counted {
      let words = WordPattern.words(WordPattern.normalized(text)).map {
        String(decoding: $0, as: UTF8.self)
      }
      for (index, word) in words.enumerated() {
        let before = words[max(0, index - 2)..<index].joined(separator: " ")
        let after = index + 1 < words.count ? words[index + 1] : ""
        uses[word, default: Uses()].add(before: before, after: after, count)
      }
    }
    let common = uses.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    var groups: [[(word: String, uses: Uses)]] = []
    for (word, use) in common.prefix(Self.mostWords) {
      var best: (likeness: Double, group: Int)?
      for (index, group) in groups.enumerated() {
        let least = group.reduce(1) { min($0, $1.uses.likeness(to: use)) }
        if least >= Self.leastLikeness, least > best?.likeness ?? 0 { best = (least, index) }
      }
      if let best { groups[best.group].append((word, use)) } else { groups.append([(word, use)]) }
    }
    groups += common.dropFirst(Self.mostWords).map { [(word: $0.key, uses: $0.value)] }
    self.groups = groups.map { $0.map(\.word).sorted() }.sorted {
      ($1.count, $0[0]) < ($0.count, $1[0])
    }
  }

  /// The places that a word has in captions.
  private struct Uses {
    private(set) var count = 0
    private var before: [String: Int] = [:]
    private var after: [String: Int] = [:]

    mutating func add(before: String, after: String, _ count: Int) {
      self.count += count
      self.before[before, default: 0] += count
      self.after[after, default: 0] += count
    }

    func likeness(to other: Uses) -> Double {
      min(Self.cosine(before, other.before), Self.cosine(after, other.after))
    }

    private static func cosine(_ a: [String: Int], _ b: [String: Int]) -> Double {
      // Sums of whole numbers, which don't depend on the order of a dictionary.
      let common = a.reduce(0) { $0 + $1.value * (b[$1.key] ?? 0) }
      let squares = [a, b].map { $0.values.reduce(0) { $0 + $1 * $1 } }
      return Double(common) / (Double(squares[0]) * Double(squares[1])).squareRoot()
    }
  }
}
