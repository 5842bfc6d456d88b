import Testing

@testable import Editing

@Suite struct AlphaSuggestionTests {
  private func measures(
    _ alphas: [Double], sentence: [Double], likeness: [Double]? = nil
  ) -> [AlphaSuggestion.Measure] {
    alphas.indices.map {
      AlphaSuggestion.Measure(
        alpha: alphas[$0], sentence: sentence[$0], psnr: 20, likeness: likeness?[$0] ?? 0.7)
    }
  }

  @Test func theEditSetsInWhereTheSentenceDescribesItBetter() throws {
    let suggestion = try #require(
      AlphaSuggestion(
        measures([0, 0.4, 0.6, 0.8, 1], sentence: [-0.4, -0.3, 0.03, 0.05, 0.3])))
    #expect(suggestion.alpha == 1 && !suggestion.isWeak && !suggestion.isWhole)
    #expect(suggestion.warnings.isEmpty)
    // It is ahead, but nowhere by three tenths of what it was behind.
    let little = try #require(
      AlphaSuggestion(
        measures([0, 0.4, 0.6, 0.8, 1], sentence: [-0.4, -0.3, -0.05, 0.03, 0.02])))
    #expect(little.alpha == 0.8 && !little.isWeak)
  }

  @Test func farBeyondTheSentenceNoneIsSuggested() throws {
    let suggestion = try #require(
      AlphaSuggestion(measures([0, 0.8, 1.2, 1.5, 2], sentence: [-0.4, -0.2, 0.02, 0.2, 0.3])))
    #expect(suggestion.alpha == 1.2 && !suggestion.isWeak)
    // But where there is nothing else.
    let far = try #require(
      AlphaSuggestion(measures([0, 1.5, 2], sentence: [-0.4, 0.1, 0.3])))
    #expect(far.alpha == 2)
  }

  @Test func theOrderOfTheAlphasMakesNoDifference() {
    #expect(
      AlphaSuggestion(measures([1, 0, 0.5], sentence: [0.2, -0.4, 0.1]))
        == AlphaSuggestion(measures([0, 0.5, 1], sentence: [-0.4, 0.1, 0.2])))
  }

  @Test func whereTheSentenceNeverFitsTheNearestIsSuggestedAndTold() throws {
    let suggestion = try #require(
      AlphaSuggestion(measures([0, 0.5, 0.9, 1], sentence: [-0.4, -0.3, -0.1, -0.15])))
    #expect(suggestion.alpha == 0.9 && suggestion.isWeak)
    #expect(suggestion.warnings.count == 1)
    #expect(suggestion.warnings[0].hasPrefix("the edit is weak at every alpha up to 1.00"))
  }

  @Test func alphaZeroIsThePhotographWhateverIsMeasured() throws {
    let suggestion = try #require(
      AlphaSuggestion(measures([0, 0.5, 1], sentence: [0.1, 0.1, 0.1])))
    #expect(suggestion.alpha == 0.5)
    #expect(AlphaSuggestion(measures([0, 1], sentence: [0, 1])) == nil)
    #expect(AlphaSuggestion([]) == nil)
  }

  @Test func aPictureThatHasChangedAsAWholeIsTold() throws {
    let alphas = [0, 0.4, 0.8]
    let sentence = [-0.3, -0.2, 0.1]
    let whole = try #require(
      AlphaSuggestion(measures(alphas, sentence: sentence, likeness: [0.7, 0.3, 0.3])))
    #expect(whole.alpha == 0.8 && whole.isWhole && whole.warnings.count == 1)
    #expect(whole.warnings[0].hasPrefix("by alpha 0.80 the picture has changed as a whole"))
    // What is left is measured by what there was.
    let soft = try #require(
      AlphaSuggestion(measures(alphas, sentence: sentence, likeness: [0.4, 0.3, 0.3])))
    #expect(!soft.isWhole)
  }
}
