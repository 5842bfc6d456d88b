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

  @Test func aBaseWithoutAListKnowsNothingOfIt() throws {
    #expect(try BaseWords(base: TemporaryFolder().path) == nil)
  }
}
