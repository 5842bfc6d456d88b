import Images
import Testing

@testable import Scenes

@Suite struct EditTests {
  private static func stream(_ split: Split) throws -> EditStream {
    EditStream(SceneStream(table: try SmallWorld.fullTable(), seed: 4, split: split))
  }

  /// The things of a scene that an edit may change, without the captions.
  private static func parts(_ scene: Scene) -> [String] {
    let subject = scene.subject
    return [
      "\(subject?.paint?.name ?? "") \(subject?.colour ?? "")",
      "\(scene.place) \(scene.photograph.file)", scene.lighting.rawValue,
      subject?.noun ?? "", "\(subject?.cutOuts.count ?? 0)",
      subject?.position.rawValue ?? "",
    ]
  }

  /// Of colour, background, lighting, object, number and position, an edit changes its own alone; of an object, the
  /// colour goes with it.
  @Test(arguments: EditKind.allCases, Split.allCases)
  func oneThingChanges(kind: EditKind, split: Split) throws {
    let stream = try Self.stream(split)
    for index in 0..<100 {
      let edit = try #require(stream.edit(kind, index))
      #expect(edit.kind == kind && edit.source.caption != edit.target.caption)
      let changed = zip(Self.parts(edit.source), Self.parts(edit.target)).map { $0 != $1 }
      let own = try #require(EditKind.allCases.firstIndex(of: kind))
      for (place, isChanged) in changed.enumerated() {
        let goesAlong = kind == .object && place == 0
        #expect(isChanged == (place == own) || goesAlong, "\(edit.source.caption) \(place)")
      }
      let isElsewhere = kind == .background && split == .heldOut
      #expect(edit.source.crop.size == edit.target.crop.size || isElsewhere)
      #expect(edit.source.scatter == edit.target.scatter)
    }
  }

  /// Twins in training are as free of what is held out as the scenes, and neither scene of a case was ever trained on.
  @Test func splitsHold() throws {
    for split in Split.allCases {
      let stream = try Self.stream(split)
      for kind in EditKind.allCases {
        for index in 0..<100 {
          let edit = try #require(stream.edit(kind, index))
          for scene in [edit.source, edit.target] {
            let found = SceneStreamTests.heldOut(scene, stream.scenes.table)
            #expect(found.isEmpty == (split == .train), "\(scene.caption): \(found)")
          }
        }
      }
    }
  }

  /// What comes into a case is what training shows, and the sentence leaves as little of it open as the table lets it.
  @Test func casesAreSettledByTheirSentences() throws {
    let stream = try Self.stream(.heldOut)
    let table = stream.scenes.table
    for index in 0..<100 {
      let background = try #require(stream.edit(.background, index))
      let moved = background.target
      let place = try #require(table.place(moved.place))
      #expect(place.photographs[.train] == [moved.photograph])
      #expect(moved.crop.size == 0.5 && moved.crop.across == 0.5)

      let object = try #require(stream.edit(.object, index))
      let other = try #require(object.target.subject)
      let noun = try #require(table.noun(other.noun))
      #expect(noun.cutOuts[.train]?.count == 1)
      let own = object.source.subject?.noun
      let ofOneColour = table.nouns.filter {
        $0.stand == noun.stand && $0.weight > 0 && $0.name != own && !$0.isRecolourable
      }
      #expect(ofOneColour.isEmpty || !noun.isRecolourable)
      #expect(Set(other.cutOuts.map(\.file)) == Set((noun.cutOuts[.train] ?? []).map(\.file)))

      let number = try #require(stream.edit(.number, index))
      let subjects = [number.source, number.target].compactMap(\.subject)
      let pair = try #require(subjects.first { $0.isPair })
      #expect(pair.mirrored[0] == pair.mirrored[1] && pair.secondAcross == 0.5)

      let position = try #require(stream.edit(.position, index))
      let aside = try #require(position.target.subject)
      #expect(aside.across == 0.5)
    }
  }

  /// What a case leaves open is drawn anew, from what training draws it from; all else stays.
  @Test(arguments: EditKind.allCases)
  func aCaseOnceMoreDiffersInWhatIsOpenAlone(kind: EditKind) throws {
    let stream = try Self.stream(.heldOut)
    var count = 0
    for index in 0..<100 {
      let edit = try #require(stream.edit(kind, index))
      guard let again = edit.again else { continue }
      count += 1
      #expect(again != edit.target && again.caption == edit.target.caption)
      #expect(again.place == edit.target.place && again.lighting == edit.target.lighting)
      #expect(again.subject?.noun == edit.target.subject?.noun)
      #expect(again.subject?.paint == edit.target.subject?.paint)
      #expect(again.subject?.position == edit.target.subject?.position)
      #expect((again.photograph == edit.target.photograph) || kind == .background)
      #expect((again.subject == edit.target.subject) == (kind == .background || kind == .lighting))
    }
    #expect(
      kind == .colour ? count == 0 : kind == .lighting || kind == .number ? count > 5 : count > 90)
  }

  @Test func everySceneHasATwin() throws {
    let stream = try Self.stream(.train)
    var kinds: Set<EditKind> = []
    for index in 0..<500 {
      let scene = stream.scenes.scene(index)
      let edit = try #require(stream.edit(of: scene, index))
      #expect(edit.source.photograph == scene.photograph)
      kinds.insert(edit.kind)
    }
    #expect(kinds.count == EditKind.allCases.count)
  }

  /// Outside the mask the two pictures are the same to the bit; inside they do differ.
  @Test(arguments: EditKind.allCases, [false, true])
  func picturesDifferWithinTheMaskAlone(kind: EditKind, isSettled: Bool) throws {
    let side = 48
    let renderer = SceneRenderer(library: SmallWorld.library(side: side), side: side)
    let scenes = SceneStream(table: try SmallWorld.table(), seed: 2, split: .train)
    let draw = EditDraw(table: scenes.table, isSettled: isSettled)
    var (count, outside) = (0, 0)
    for index in 0..<400 where count < 12 {
      var draws = Draws(seed: 5, stream: .edits, step: index)
      guard let edit = draw.edit(kind, of: scenes.scene(index), &draws) else { continue }
      let rendered = try renderer.render(edit)
      var differing = 0
      for pixel in 0..<side * side {
        let place = pixel * 3..<pixel * 3 + 3
        let isSame =
          rendered.source.picture.pixels[place] == rendered.target.picture.pixels[place]
        #expect(isSame || rendered.mask[pixel] == 255, "\(edit.target.caption) at \(pixel)")
        differing += isSame ? 0 : 1
        outside += rendered.mask[pixel] == 0 ? 1 : 0
      }
      #expect(differing > 30, "\(edit.source.caption) to \(edit.target.caption)")
      count += 1
    }
    // The small world has one noun on the ground and one in the air, so that none can take another's place.
    #expect(count == (kind == .object ? 0 : 12))
    #expect(outside > 0 || kind == .lighting || kind == .object)
  }
}
