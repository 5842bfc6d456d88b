import Testing
import Weights

@testable import Models

@Suite struct BytePairEncodingTests {
  private func encoding(_ merges: [(String, String)]) throws -> BytePairEncoding {
    var tokens = ["?", "a", "b", "c", "a</w>", "b</w>", "c</w>"]
    for (left, right) in merges where !tokens.contains(left + right) { tokens.append(left + right) }
    let vocabulary = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
    return try BytePairEncoding(
      vocabulary: vocabulary, merges: merges, unknown: 0, file: "merges.txt")
  }

  private func encode(_ word: String, _ merges: [(String, String)]) throws -> [String] {
    let encoding = try encoding(merges)
    let names = Dictionary(uniqueKeysWithValues: encoding.vocabulary.map { ($1, $0) })
    return encoding.encode(Array(word.utf8)).compactMap { names[$0] }
  }

  @Test func mergesTheEarliestLearntPairFirst() throws {
    #expect(try encode("abc", [("b", "c</w>"), ("a", "b")]) == ["a", "bc</w>"])
    #expect(try encode("abc", [("a", "b"), ("b", "c</w>")]) == ["ab", "c</w>"])
    #expect(try encode("abc", [("a", "b"), ("ab", "c</w>")]) == ["abc</w>"])
  }

  @Test func mergesTheLeftmostOfEquals() throws {
    #expect(try encode("aaab", [("a", "a")]) == ["aa", "a", "b</w>"])
    #expect(try encode("aaaab", [("a", "a"), ("aa", "aa")]) == ["aaaa", "b</w>"])
  }

  @Test func aWordOfOneByteEndsAtOnce() throws {
    #expect(try encode("a", []) == ["a</w>"])
    #expect(try encode("", []) == [])
  }

  @Test func bytesBeyondTheVocabularyAreUnknown() throws {
    #expect(try encode("aéz", []) == ["a", "?", "?", "?"])
  }

  @Test func theAlphabetIsThatOfTheFiles() {
    #expect(Set(BytePairEncoding.alphabet).count == 256)
    #expect(BytePairEncoding.alphabet[0x41] == "A")
    // As in OpenAI's merges: a space is "Ġ", a line feed "Ċ", the soft hyphen "Ń".
    #expect(BytePairEncoding.alphabet[0x20] == "Ġ")
    #expect(BytePairEncoding.alphabet[0x0A] == "Ċ")
    #expect(BytePairEncoding.alphabet[0xAD] == "Ń")
  }

  @Test func namesAMergeThatDoesNotFit() {
    #expect {
      _ = try BytePairEncoding(
        vocabulary: ["a": 0, "b": 1], merges: [("a", "b")], unknown: 0, file: "merges.txt")
    } throws: {
      "\($0)"
        == #"merges.txt: merge 1, "a b", needs "ab", which the vocabulary does not have"#
    }
  }
}
