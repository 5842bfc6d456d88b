import Testing

@testable import Models

@Suite struct WordGroupsTests {
  private static let things = ["cup", "ball", "dog", "horse"]
  private static let colours = ["red", "green", "blue"]
  private static let captions =
    things.flatMap { thing in
      colours.flatMap { colour in
        ["on a road", "by a lake"].flatMap { place in
          ["a photo of a \(colour) \(thing) \(place)", "a photo of a \(thing) \(place) at night"]
        }
      }
    } + ["a photo of two Dogs on a road", "a photo of two horses by a lake"]

  @Test func wordsOfOneKindAreAGroup() {
    let groups = WordGroups(texts: Self.captions).groups
    #expect(groups.contains(Self.things.sorted()))
    #expect(groups.contains(Self.colours.sorted()))
    #expect(groups.contains { $0.contains("dogs") && !$0.contains("dog") })
    #expect(groups.contains(["road"]) && groups.contains(["photo"]))
    #expect(groups.map(\.count) == groups.map(\.count).sorted(by: >))
    #expect(
      groups.joined().sorted() == [
        "a", "at", "ball", "blue", "by", "cup", "dog", "dogs", "green", "horse", "horses", "lake",
        "night", "of", "on", "photo", "red", "road", "two",
      ])
  }

  @Test func theOrderOfTheTextsDoesNotMatter() {
    let groups = WordGroups(texts: Self.captions).groups
    #expect(WordGroups(texts: Self.captions.reversed()).groups == groups)
    #expect(WordGroups(texts: []).groups.isEmpty)
  }
}
