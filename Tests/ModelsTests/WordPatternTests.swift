import Testing

@testable import Models

@Suite struct WordPatternTests {
  private func normalized(_ text: String) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: WordPattern.normalized(text))
    return String(view)
  }

  private func words(_ text: String) -> [String] {
    WordPattern.words(Array(text.unicodeScalars)).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func normalizesFormSpaceAndCase() {
    #expect(WordPattern.normalized("E\u{301}") == ["\u{E9}"])
    #expect(WordPattern.normalized("\u{AC00}\u{11A8}") == ["\u{AC01}"])
    #expect(normalized(" a\t\n\u{3000}B ") == " a b ")
    #expect(normalized("ΟΔΟΣ") == "οδοσ", "a sigma is lowered without regard to its place")
    #expect(WordPattern.normalized("\u{130}") == ["i", "\u{307}"])
  }

  @Test func cutsAsThePatternSays() {
    #expect(words("a photo, of 42 cats!!") == ["a", "photo", ",", "of", "4", "2", "cats", "!!"])
    #expect(words("don't we'll '''s") == ["don", "'t", "we", "'ll", "'''", "s"])
    #expect(words("x²½") == ["x", "²", "½"])
    #expect(words("") == [])
    #expect(words(" \u{A0} ") == [])
  }

  @Test func cutsTheNamesOfSpecialTokensTwice() {
    #expect(words("<|endoftext|>!!") == ["<|", "endoftext", "|>", "!!"])
    #expect(words("!<|endoftext|>") == ["!<|", "endoftext", "|>"])
  }
}
