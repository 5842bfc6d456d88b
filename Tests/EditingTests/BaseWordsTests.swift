import TestSupport
import Testing

@testable import Editing

@Suite struct BaseWordsTests {
  @Test func namesTheWordsThatTheBaseHasNeverSeen() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write("a\nof\nphoto\nred\nbox\n", to: "words.txt")
    let words = try #require(try BaseWords(base: folder.path))
    #expect(words.warning(about: ["A photo of a red box"]) == nil)
    #expect(
      words.warning(about: ["a photo of a Zebra in a box"])
        == #"the base has never seen the words "in", "zebra"; it can't know what is meant"#)
  }

  @Test func putsWordsInThePlaceOfOthersOfTheirGroup() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write("blue green red\nbox cup\na\nof\nphoto\n", to: "words.txt")
    let words = try #require(try BaseWords(base: folder.path))
    #expect(
      words.warning(about: ["a photo of a red cup, a blue box"]) == """
        the base has never seen the word ","; it can't know what is meant
        """)
    #expect(
      words.replacements(in: "a photo of a Red cup,  a box") == [
        ["a photo of a blue cup, a box", "a photo of a green cup, a box"],
        ["a photo of a Red box, a box"], ["a photo of a Red cup, a cup"],
      ])
    #expect(words.replacements(in: "of a photo").isEmpty)
  }

  @Test func theEmbeddedBaseKnowsWhatCanStandForWhat() throws {
    let words = try #require(try BaseWords(base: Repository.base))
    let found = words.replacements(in: "a photo of a green cup on a road at sunset")
    #expect(found.count == 4)
    #expect(found[0].contains("a photo of a red cup on a road at sunset"))
    #expect(found[1].contains("a photo of a green truck on a road at sunset"))
    #expect(found[2].contains("a photo of a green cup on a beach at sunset"))
    #expect(found[3] == ["a photo of a green cup on a road at night"])
  }

  @Test func aBaseWithoutAListKnowsNothingOfIt() throws {
    #expect(try BaseWords(base: TemporaryFolder().path) == nil)
  }
}
