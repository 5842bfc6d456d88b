import Foundation
import Testing

@testable import Models

@Suite struct BytePairTrainingTests {
  /// By hand: "aab" twice and "ab" once. Pairs: a+b</w> three times, a+a twice; then "a ab</w>" merges.
  @Test func mergesTheCommonestFirst() {
    let training = BytePairTraining(texts: ["aab ab", "aab"], size: 1000)
    #expect(training.merges.map { "\($0.0) \($0.1)" } == ["a b</w>", "a ab</w>"])
    #expect(training.words.groups.joined().sorted() == ["aab", "ab"])
    #expect(training.vocabulary.count == 512 + 2 + 2)
    #expect(training.vocabulary["ab</w>"] == 512)
    #expect(training.vocabulary["<|endoftext|>"] == 515)
  }

  @Test func stopsWhenTheVocabularyIsFull() {
    let training = BytePairTraining(texts: ["aab ab", "aab"], size: 515)
    #expect(training.merges.count == 1)
    #expect(training.vocabulary.count == 515)
  }

  @Test func equallyCommonPairsMergeInTheOrderOfTheirCharacters() {
    let training = BytePairTraining(texts: ["xy", "ab"], size: 515)
    #expect(training.merges.map { "\($0.0) \($0.1)" } == ["a b</w>"])
  }

  @Test func wordsAreThoseOfTheTokenizer() {
    #expect(
      BytePairTraining.words(of: ["A Fox, twice: FOX!"]) == ["!", ",", ":", "a", "fox", "twice"])
  }
}
