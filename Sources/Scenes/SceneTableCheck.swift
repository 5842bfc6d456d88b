// Refuses tables that would put something held out into training, or name what can't be shown.

struct SceneTableCheck {
  let table: SceneTable
  /// The name of the table's file, for errors.
  let name: String

  func check() throws {
    try checkPhotographs()
    var owners: [String: String] = [:]
    for noun in table.nouns {
      try check(noun)
      for cutOut in noun.cutOuts.values.flatMap(\.self) {
        if let other = owners.updateValue(noun.name, forKey: cutOut.file) {
          throw error("\(cutOut.file) is of \(other) and \(noun.name), wanted each once")
        }
      }
    }
  }

  private func checkPhotographs() throws {
    var owners: [String: String] = [:]
    for place in table.places {
      if (place.photographs[.train] ?? []).isEmpty {
        throw error("place \(place.name) has no photograph for training, wanted at least one")
      }
      for photograph in place.photographs.values.flatMap(\.self) {
        if let other = owners.updateValue(place.name, forKey: photograph.file) {
          throw error("\(photograph.file) is of \(other) and \(place.name), wanted each once")
        }
      }
    }
    let both = Set(table.allPhotographs(.train)).intersection(table.allPhotographs(.heldOut))
    if let file = both.min() { throw error("\(file) is both for training and held out") }
  }

  private func check(_ noun: Noun) throws {
    guard let training = noun.cutOuts[.train], !training.isEmpty else {
      throw error("noun \(noun.name) has no cut-out for training, wanted at least one")
    }
    if let place = noun.heldOutPlaces.subtracting(table.places.map(\.name)).min() {
      throw error("noun \(noun.name): never with the unknown place \(place)")
    }
    guard noun.heldOutPlaces.count < table.places.count else {
      throw error("noun \(noun.name): never with any place")
    }
    let colours = Set(table.colours.map(\.name))
    if let colour = noun.heldOutColours.subtracting(colours).min() {
      throw error("noun \(noun.name): never with the unknown colour \(colour)")
    }
    for cutOut in noun.cutOuts.values.flatMap(\.self) {
      guard let colour = cutOut.colour, !colours.contains(colour) else { continue }
      throw error("\(cutOut.file) has the unknown colour \(colour)")
    }
    for cutOut in training {
      guard let colour = cutOut.colour, noun.heldOutColours.contains(colour) else { continue }
      throw error("\(cutOut.file) is \(colour), which is held out for \(noun.name)")
    }
  }

  private func error(_ reason: String) -> SceneError {
    SceneError(.badData, "\(name): \(reason)")
  }
}
