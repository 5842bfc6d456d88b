// Two scenes that differ in one thing, with a caption for each: what an edit starts from, and what it should come to.

import Tensors

/// What of a scene is changed.
public enum EditKind: String, CaseIterable, Sendable {
  case colour, background, lighting, object, number, position
}

/// A scene, and the same scene with one thing changed.
public struct Edit: Equatable, Sendable {
  public var kind: EditKind
  public var source: Scene
  public var target: Scene
  /// Of a case: the target once more, with all that neither the source nor the sentence tells drawn anew, as training draws
  /// it. Nil where they leave nothing open.
  public var again: Scene?
}

/// Draws changes of scenes.
struct EditDraw {
  let table: SceneTable
  /// Whether what comes in is settled by the sentence, as far as that can be: a place that training shows by one photograph,
  /// a thing that it shows by one cut-out and one colour, all in the middle of what it draws from. Where a sentence leaves
  /// open which of five castles it means, a truth would only measure luck.
  let isSettled: Bool

  /// The scene with one thing changed, both with captions that leave nothing out; nil where the scene has nothing of the
  /// kind to change. The source may be drawn a little differently, to leave room for the change.
  func edit(_ kind: EditKind, of scene: Scene, _ draws: inout Draws) -> Edit? {
    var edit = Edit(kind: kind, source: scene, target: scene)
    let isDrawn =
      switch kind {
      case .colour: changeColour(&edit, &draws)
      case .background: changeBackground(&edit, &draws)
      case .lighting: changeLighting(&edit, &draws)
      case .object: changeObject(&edit, &draws)
      case .number: changeNumber(&edit, &draws)
      case .position: changePosition(&edit, &draws)
      }
    guard isDrawn else { return nil }
    edit.source.caption = edit.source.caption(in: table)
    edit.target.caption = edit.target.caption(in: table)
    return edit.source.caption == edit.target.caption ? nil : edit
  }

  /// The target once more, with what is left open drawn anew.
  func again(_ edit: Edit, _ draws: inout Draws) -> Scene? {
    var scene = edit.target
    guard var subject = scene.subject else { return nil }
    switch edit.kind {
    case .colour: return nil
    case .lighting:
      // Flakes and patches of snow.
      guard scene.lighting == .winter else { return nil }
      scene.scatter = UInt64(draws.word()) << 32 | UInt64(draws.word())
    case .background:
      guard let shown = table.place(scene.place)?.photographs[.train], !shown.isEmpty else {
        return nil
      }
      scene.photograph = draws.one(of: shown)
      scene.crop = Scene.Crop(size: draws.part(), across: draws.part(), down: draws.part())
      scene.crop.mirrored = draws.chance(0.5) && scene.photograph.flips
      scene.scatter = UInt64(draws.word()) << 32 | UInt64(draws.word())
    case .object:
      guard let noun = table.noun(subject.noun), let shown = noun.cutOuts[.train], !shown.isEmpty
      else { return nil }
      subject.cutOuts = subject.cutOuts.map { _ in draws.one(of: shown) }
      subject.mirrored = subject.cutOuts.map { draws.chance(0.5) && $0.flips }
      subject.size = noun.size * draws.size()
    case .number:
      guard subject.isPair else { return nil }
      (subject.secondAcross, subject.secondDown) = (draws.part(), draws.part())
      subject.mirrored[1] = draws.chance(0.5) && subject.cutOuts[1].flips
    case .position: subject.across = draws.part()
    }
    scene.subject = subject
    return scene
  }

  private func changeColour(_ edit: inout Edit, _ draws: inout Draws) -> Bool {
    guard let subject = edit.source.subject, let noun = table.noun(subject.noun),
      noun.isRecolourable
    else { return false }
    let own = Set(subject.cutOuts.map(\.colour))
    // A caption that names the colour where there is a name for it.
    if subject.paint == nil, own.count == 1 {
      edit.source.subject?.colour = subject.cutOuts[0].colour
    }
    let others = table.colours.filter { $0.name != subject.colour && !own.contains($0.name) }
    guard !others.isEmpty else { return false }
    let colour = draws.one(of: others)
    edit.target.subject?.paint = colour
    edit.target.subject?.colour = colour.name
    return true
  }

  private func changeBackground(_ edit: inout Edit, _ draws: inout Draws) -> Bool {
    guard edit.source.subject != nil else { return false }
    let places = table.places.filter {
      $0.name != edit.source.place && $0.lightings.contains(edit.source.lighting)
    }
    let shown = fewest(places) { $0.photographs[.train]?.count ?? 0 }
    guard !shown.isEmpty else { return false }
    let place = draws.one(of: shown)
    edit.target.place = place.name
    edit.target.photograph = draws.one(of: place.photographs[.train] ?? [])
    if isSettled { edit.target.crop = Scene.Crop(size: 0.5) }
    edit.target.crop.mirrored = edit.source.crop.mirrored && edit.target.photograph.flips
    return true
  }

  /// Those of which training shows something; where the edit is to be settled, those of which it shows the least.
  private func fewest<T>(_ choices: [T], _ count: (T) -> Int) -> [T] {
    let shown = choices.filter { count($0) > 0 }
    guard isSettled, let least = shown.map(count).min() else { return shown }
    return shown.filter { count($0) == least }
  }

  private func changeLighting(_ edit: inout Edit, _ draws: inout Draws) -> Bool {
    let others = table.place(edit.source.place)?.lightings.filter { $0 != edit.source.lighting }
    guard let others, !others.isEmpty else { return false }
    edit.target.lighting = draws.one(of: others)
    return true
  }

  private func changeObject(_ edit: inout Edit, _ draws: inout Draws) -> Bool {
    guard var subject = edit.source.subject else { return false }
    let nouns = table.nouns.filter {
      $0.name != subject.noun && $0.stand == subject.stand && $0.weight > 0
    }
    let ofOneColour = isSettled ? nouns.filter { !$0.isRecolourable } : nouns
    let shown = fewest(ofOneColour.isEmpty ? nouns : ofOneColour) { $0.cutOuts[.train]?.count ?? 0 }
    guard !shown.isEmpty else { return false }
    let noun = draws.one(of: shown)
    let cutOuts = noun.cutOuts[.train] ?? []
    subject.noun = noun.name
    subject.cutOuts = subject.cutOuts.map { _ in draws.one(of: cutOuts) }
    subject.mirrored = zip(subject.mirrored, subject.cutOuts).map { $0 && $1.flips }
    subject.size = noun.size
    subject.paint = nil
    subject.colour = nil
    edit.target.subject = subject
    return true
  }

  /// Two of one, of which the first stays where it is; or the other way.
  private func changeNumber(_ edit: inout Edit, _ draws: inout Draws) -> Bool {
    guard var subject = edit.source.subject else { return false }
    subject.position = .middle
    subject.besideMiddle = true
    subject.widest = Scene.Width.besideMiddle
    subject.cutOuts = [subject.cutOuts[0]]
    subject.mirrored = [subject.mirrored[0]]
    if isSettled { (subject.secondAcross, subject.secondDown) = (0.5, 0.5) }
    var pair = subject
    pair.cutOuts += subject.cutOuts
    let turns = draws.chance(0.5) && subject.cutOuts[0].flips
    pair.mirrored.append(isSettled ? subject.mirrored[0] : turns)
    let grows = draws.chance(0.5)
    edit.source.subject = grows ? subject : pair
    edit.target.subject = grows ? pair : subject
    return true
  }

  private func changePosition(_ edit: inout Edit, _ draws: inout Draws) -> Bool {
    guard let subject = edit.source.subject, !subject.isPair else { return false }
    // Narrow enough that it moves by about its width.
    edit.source.subject?.widest = Scene.Width.ofTwo
    edit.target.subject?.widest = Scene.Width.ofTwo
    let others = Scene.Position.allCases.filter { $0 != subject.position }
    edit.target.subject?.position = draws.one(of: others)
    if isSettled { edit.target.subject?.across = 0.5 }
    return true
  }
}

/// Edits without end, each a function of the table, the seed, the split and its index alone.
public struct EditStream: Sendable {
  /// How often another scene is tried where one has nothing to change.
  private static let attempts = 256

  public let scenes: SceneStream

  public init(_ scenes: SceneStream) { self.scenes = scenes }

  /// The edit of a scene of the stream; of any kind that it has something of.
  public func edit(of scene: Scene, _ index: Int) -> Edit? {
    var draws = Draws(seed: scenes.seed, stream: .edits, step: index)
    for _ in 0..<Self.attempts {
      if let edit = attempt(draws.one(of: EditKind.allCases), scene, &draws) { return edit }
    }
    return nil
  }

  /// An edit of a kind, of the first scene that has something of it.
  public func edit(_ kind: EditKind, _ index: Int) -> Edit? {
    let place = (EditKind.allCases.firstIndex(of: kind) ?? 0) << 24 + index
    var draws = Draws(seed: scenes.seed, stream: .edits, step: place)
    for _ in 0..<Self.attempts {
      let scene = scenes.scene(Int(draws.word() >> 1))
      if let edit = attempt(kind, scene, &draws) { return edit }
    }
    return nil
  }

  /// In training, neither scene has anything held out; else both have, so that neither was ever trained on, but what comes
  /// in is what training shows.
  private func attempt(_ kind: EditKind, _ scene: Scene, _ draws: inout Draws) -> Edit? {
    let isTraining = scenes.split == .train
    let draw = EditDraw(table: scenes.table, isSettled: !isTraining)
    guard var edit = draw.edit(kind, of: scene, &draws) else { return nil }
    let isFit = [edit.source, edit.target].allSatisfy {
      scenes.table.heldOutParts(of: $0).isEmpty == isTraining
    }
    guard isFit else { return nil }
    if !isTraining { edit.again = draw.again(edit, &draws) }
    return edit
  }
}
