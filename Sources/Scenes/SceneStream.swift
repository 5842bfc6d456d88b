// Draws scenes from the table: the training stream, and the one that is kept from it.

import Tensors

/// Scenes without end, each a function of the table, the seed, the split and its index alone.
public struct SceneStream: Sendable {
  public let table: SceneTable
  public let seed: UInt64
  public let split: Split

  /// How often things are shown.
  enum Share {
    static let emptyPlace: Float = 0.06
    static let pair: Float = 0.15
    static let left: Float = 0.18
    static let right: Float = 0.18
    static let day: Float = 0.4
    static let repainted: Float = 0.65
    static let placeUntold: Float = 0.12
    static let positionUntold: Float = 0.1
    static let ownColourTold: Float = 0.5
  }

  public init(table: SceneTable, seed: UInt64, split: Split) {
    self.table = table
    self.seed = seed
    self.split = split
  }

  /// The scene of an index.
  public func scene(_ index: Int) -> Scene {
    var draws = Draws(seed: seed, stream: .scenes, step: index)
    return split == .train ? trainingScene(&draws) : heldOutScene(&draws)
  }

  private func trainingScene(_ draws: inout Draws) -> Scene {
    if draws.chance(Share.emptyPlace) {
      let place = draws.one(of: table.places)
      return scene(of: nil, in: place, .train, &draws)
    }
    let noun = draws.one(of: table.nouns, weight: \.weight)
    let place = draws.one(of: table.places.filter { !noun.heldOutPlaces.contains($0.name) })
    let subject = subject(noun, .train, colours: trainingColours(noun), &draws)
    return scene(of: subject, in: place, .train, &draws)
  }

  private func trainingColours(_ noun: Noun) -> [Colour] {
    table.colours.filter { !noun.heldOutColours.contains($0.name) }
  }

  /// A scene with at least one thing in it that training never sees: a cut-out, a photograph, a noun in a place or a
  /// noun in a colour.
  private func heldOutScene(_ draws: inout Draws) -> Scene {
    var ways: [(inout Draws) -> Scene] = []
    let shownNouns = table.nouns.filter { $0.weight > 0 }
    let newNouns = shownNouns.filter { !($0.cutOuts[.heldOut] ?? []).isEmpty }
    if !newNouns.isEmpty {
      ways.append { draws in
        let noun = draws.one(of: newNouns)
        let place = draws.one(of: table.places.filter { !noun.heldOutPlaces.contains($0.name) })
        let subject = subject(noun, .heldOut, colours: trainingColours(noun), &draws)
        return scene(of: subject, in: place, .train, &draws)
      }
    }
    let newPlaces = table.places.filter { !($0.photographs[.heldOut] ?? []).isEmpty }
    if !newPlaces.isEmpty {
      ways.append { draws in
        let place = draws.one(of: newPlaces)
        let nouns = shownNouns.filter { !$0.heldOutPlaces.contains(place.name) }
        let noun = draws.one(of: nouns.isEmpty ? shownNouns : nouns)
        let subject = subject(noun, .train, colours: trainingColours(noun), &draws)
        return scene(of: subject, in: place, .heldOut, &draws)
      }
    }
    let placedNouns = shownNouns.filter { !$0.heldOutPlaces.isEmpty }
    if !placedNouns.isEmpty {
      ways.append { draws in
        let noun = draws.one(of: placedNouns)
        let place = draws.one(of: table.places.filter { noun.heldOutPlaces.contains($0.name) })
        let subject = subject(noun, .train, colours: trainingColours(noun), &draws)
        return scene(of: subject, in: place, .train, &draws)
      }
    }
    let colouredNouns = shownNouns.filter { $0.isRecolourable && !$0.heldOutColours.isEmpty }
    if !colouredNouns.isEmpty {
      ways.append { draws in
        let noun = draws.one(of: colouredNouns)
        let place = draws.one(of: table.places.filter { !noun.heldOutPlaces.contains($0.name) })
        let colours = table.colours.filter { noun.heldOutColours.contains($0.name) }
        let subject = subject(noun, .train, colours: colours, always: true, &draws)
        return scene(of: subject, in: place, .train, &draws)
      }
    }
    precondition(!ways.isEmpty, "a table with nothing held out")
    return draws.one(of: ways)(&draws)
  }

  /// One or two of a noun.
  /// - Parameters:
  ///   - colours: those it may be painted in.
  ///   - always: whether it is painted in any case.
  private func subject(
    _ noun: Noun, _ split: Split, colours: [Colour], always: Bool = false, _ draws: inout Draws
  ) -> Scene.Subject {
    let cutOuts = noun.cutOuts[split] ?? []
    let isPair = draws.chance(Share.pair)
    let first = draws.one(of: cutOuts)
    let second = draws.chance(0.5) ? first : draws.one(of: cutOuts)
    let flips = [draws.chance(0.5), draws.chance(0.5)]
    let isPainted = draws.chance(Share.repainted)
    let colour = draws.below(max(1, colours.count))
    let tellsOwn = draws.chance(Share.ownColourTold)

    let chosen = isPair ? [first, second] : [first]
    var subject = Scene.Subject(
      noun: noun.name, cutOuts: chosen,
      mirrored: zip(chosen, flips).map { $0.flips && $1 }, stand: noun.stand)
    let own = Set(chosen.map(\.colour)).count == 1 ? first.colour : nil
    if noun.isRecolourable, always || isPainted, !colours.isEmpty {
      subject.colour = colours[colour].name
      if colours[colour].name != own { subject.paint = colours[colour] }
    } else if tellsOwn {
      subject.colour = own
    }

    let side = draws.part()
    if side < Share.left {
      subject.position = .left
    } else if side < Share.left + Share.right {
      subject.position = .right
    }
    if isPair { subject.position = .middle }
    subject.across = draws.part()
    subject.down = draws.part()
    subject.size = noun.size * draws.size()
    subject.secondAcross = draws.part()
    subject.secondDown = draws.part()
    subject.secondOnLeft = draws.chance(0.5)
    subject.besideMiddle = isPair && draws.chance(0.4)
    subject.widest =
      subject.besideMiddle
      ? Scene.Width.besideMiddle
      : isPair
        ? Scene.Width.ofTwo
        : subject.position == .middle ? Scene.Width.alone : Scene.Width.atASide
    return subject
  }

  private func scene(
    of subject: Scene.Subject?, in place: Place, _ split: Split, _ draws: inout Draws
  ) -> Scene {
    let photograph = draws.one(of: place.photographs[split] ?? [])
    var scene = Scene(place: place.name, photograph: photograph, subject: subject)
    scene.crop.size = draws.part()
    scene.crop.across = draws.part()
    scene.crop.down = draws.part()
    scene.crop.mirrored = draws.chance(0.5) && photograph.flips
    let others = place.lightings.filter { $0 != .day }
    let isDay = draws.chance(Share.day)
    let other = draws.below(max(1, others.count))
    scene.lighting = isDay || others.isEmpty ? .day : others[other]
    scene.exposure = draws.part()
    scene.warmth = draws.part()
    scene.contrast = draws.part()
    scene.slant = draws.part()
    scene.scatter = UInt64(draws.word()) << 32 | UInt64(draws.word())
    let parts = Scene.CaptionParts(
      place: !draws.chance(Share.placeUntold), position: !draws.chance(Share.positionUntold))
    scene.caption = scene.caption(in: table, parts)
    return scene
  }
}
