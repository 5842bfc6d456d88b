import Foundation
import Images
import TestSupport
import Testing

@testable import Editing

@Suite struct BaseCaptionsTests {
  private static let text = """
    # what there is
    a photo of
    a / two
    > ? | red | old
    box / boxes | orange / oranges | red hat / red hats
    - | on a plain | under water
    """

  private let captions: BaseCaptions

  init() throws { captions = try BaseCaptions(text: Self.text, source: "captions.txt") }

  private func sentences(_ changes: [BaseCaptions.Change]) -> [String] {
    changes.map { captions.sentence(of: $0.caption) }
  }

  @Test(arguments: [
    "a photo of a box", "a photo of an orange", "a photo of an old box on a plain",
    "a photo of two oranges under water", "a photo of a red hat", "a photo of two red red hats",
  ])
  func captionsComeBack(sentence: String) throws {
    let caption = try #require(captions.caption(of: sentence))
    #expect(captions.sentence(of: caption) == sentence)
  }

  @Test func spellingIsForgiven() throws {
    let caption = try #require(captions.caption(of: " A photo of a  old box, on a plain."))
    #expect(captions.sentence(of: caption) == "a photo of an old box on a plain")
  }

  @Test(arguments: [
    "", "a photo of a cat", "a photo of two box", "a photo of a box on a plain at night",
    "a box on a plain",
  ])
  func otherSentencesAreNone(sentence: String) { #expect(captions.caption(of: sentence) == nil) }

  @Test func eachPartChangesByItself() throws {
    let caption = try #require(captions.caption(of: "a photo of an old box"))
    let changes = captions.changes(of: caption)
    #expect(
      sentences(changes) == [
        "a photo of two old boxes", "a photo of a box", "a photo of a red box",
        "a photo of an orange", "a photo of a red hat", "a photo of an old box on a plain",
        "a photo of an old box under water",
      ])
    // What takes the place of a thing is not described as that was.
    #expect(changes.map(\.isUnsaid) == [false, true, false, false, false, false, false])
    let placed = try #require(captions.caption(of: "a photo of a box under water"))
    #expect(captions.changes(of: placed).map(\.isAbsence).filter { $0 }.count == 1)
    #expect(changes.map(\.isDescribed) == [false, false, false, true, true, false, false])
    #expect(
      sentences(captions.descriptions(of: 3, in: changes[4].caption)) == [
        "a photo of a red red hat", "a photo of an old red hat",
      ])
    #expect(captions.descriptions(of: 4, in: caption).isEmpty)
  }

  @Test(arguments: [
    ("", "captions.txt: found no parts of captions"),
    ("# nothing\n", "captions.txt: found no parts"),
    (
      "a photo\nbox | | hat\n", "captions.txt:2: found a choice without words, wanted words, - or ?"
    ),
    ("box /\n", "captions.txt:1: found a choice without words"),
  ])
  func badFilesAreNamed(text: String, wanted: String) throws {
    let error = try #require(throws: EditingError.self) {
      try BaseCaptions(text: text, source: "captions.txt")
    }
    #expect(error.status == .badData && error.description.contains(wanted))
  }

  @Test func theEmbeddedBaseKnowsTheSentencesOfTheExamples() throws {
    let captions = try #require(try BaseCaptions(base: Repository.base))
    let folder = "\(Repository.path)/prompts"
    let requests = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
      $0.hasSuffix(".yaml")
    }
    #expect(requests.count >= 10)
    for name in requests {
      let prompt = try #require(try EditRequest(requestAt: "\(folder)/\(name)").prompt)
      let caption = try #require(captions.caption(of: prompt), "\(prompt)")
      #expect(captions.sentence(of: caption) == prompt)
    }
  }
}

@Suite(.serialized) struct CaptionFinderTests {
  private func found(_ request: String, near sentence: String? = nil) throws -> String? {
    let request = try EditRequest(requestAt: "\(Repository.path)/prompts/\(request).yaml")
    let base = try Base(path: Repository.base)
    let (picture, _) = try Picture.fitted(
      contentsOf: try #require(request.image), to: base.defaultSize, by: .crop)
    let finder = CaptionFinder(
      captions: try #require(try base.captions()), unet: try base.folder.unet(),
      schedule: base.schedule, latent: try base.latent(of: picture), seed: 0,
      embeddings: { try base.embeddings(of: $0).tensor })
    var asked = 0
    let found = try finder.caption(near: sentence ?? (try #require(request.prompt))) { asked += 1 }
    #expect(found == nil || asked > 90)
    return found
  }

  /// Of photographs that no training has seen.
  @Test(arguments: [
    ("cow-sunset", "a photo of a cow on grass"), ("sheep-night", "a photo of a sheep on grass"),
    ("flower-purple", "a photo of an orange flower"),
    // Its grass is dry, and left unsaid; that the sun doesn't set there counts besides.
    ("dog-sunset", "a photo of a dog"),
  ])
  func aPhotographSaysWhatTheSentenceContradicts(request: String, caption: String) throws {
    #expect(try found(request) == caption)
  }

  @Test func aSentenceOfOtherWordsHasNone() throws {
    #expect(try found("cow-sunset", near: "my cow") == nil)
  }
}
