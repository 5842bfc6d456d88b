// Reads the table of scenes from YAML: every key known, every value of its kind.

import Yams

struct SceneTableReader {
  /// The name of the file, for errors.
  let name: String
  /// What the first part of a file's path stands for.
  private var folders: [String: String] = [:]

  init(name: String) { self.name = name }

  func read(_ yaml: String) throws -> SceneTable {
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch {
      throw SceneError(.badData, "\(name): not valid YAML: \(error)")
    }
    guard let node else {
      throw SceneError(.badData, "\(name): found an empty file, wanted a table of scenes")
    }
    let top = try keys(node, ["folders", "colours", "nouns", "places", "photographs"])
    let folders = try pairs(top["folders"], "folders").map { ($0, try text($1)) }
    var reader = self
    reader.folders = Dictionary(uniqueKeysWithValues: folders)
    return try reader.table(top)
  }

  private func table(_ top: [String: Node]) throws -> SceneTable {
    let photographs = try top["photographs"].map { try keys($0, ["train", "held-out"]) } ?? [:]
    return SceneTable(
      colours: try pairs(top["colours"], "colours").map { try colour($0, $1) },
      nouns: try pairs(top["nouns"], "nouns").map { try noun($0, $1) },
      places: try pairs(top["places"], "places").map { try place($0, $1) },
      photographs: [
        .train: try list(photographs["train"]).flatMap(files),
        .heldOut: try list(photographs["held-out"]).flatMap(files),
      ])
  }

  private func colour(_ name: String, _ node: Node) throws -> Colour {
    let parts = try numbers(node, count: 3, in: 0...255)
    return Colour(name: name, value: SIMD3(parts[0], parts[1], parts[2]) / 255)
  }

  private func noun(_ name: String, _ node: Node) throws -> Noun {
    let keys = try keys(
      node, ["plural", "size", "recolour", "stand", "weight", "cut-outs", "held-out", "never"])
    let never = try keys["never"].map { try self.keys($0, ["places", "colours"]) } ?? [:]
    return Noun(
      name: name,
      plural: try keys["plural"].map(text) ?? name + "s",
      size: try keys["size"].map { try number($0, in: 0.05...1) } ?? 0.5,
      isRecolourable: try keys["recolour"].map(truth) ?? false,
      stand: try keys["stand"].map(choice) ?? .ground,
      weight: try keys["weight"].map { try number($0, in: 0...100) } ?? 1,
      cutOuts: [
        .train: try list(keys["cut-outs"]).map(cutOut),
        .heldOut: try list(keys["held-out"]).map(cutOut),
      ],
      heldOutPlaces: Set(try list(never["places"]).map(text)),
      heldOutColours: Set(try list(never["colours"]).map(text)))
  }

  /// A cut-out is its file's path, or keys and values.
  private func cutOut(_ node: Node) throws -> CutOut {
    if case .scalar = node { return CutOut(file: try file(node)) }
    let keys = try keys(node, ["file", "colour", "flip", "paint"])
    return CutOut(
      file: try file(required(keys["file"], "file", node)),
      colour: try keys["colour"].map(text),
      flips: try keys["flip"].map(truth) ?? true,
      paint: try keys["paint"].map(choice) ?? .hue)
  }

  private func place(_ name: String, _ node: Node) throws -> Place {
    let keys = try keys(node, ["phrase", "scene", "lighting", "photographs", "held-out"])
    return Place(
      name: name,
      phrase: try text(required(keys["phrase"], "phrase", node)),
      scene: try text(required(keys["scene"], "scene", node)),
      lightings: try keys["lighting"].map { try list($0).map(choice) } ?? Lighting.allCases,
      photographs: [
        .train: try list(keys["photographs"]).map(photograph),
        .heldOut: try list(keys["held-out"]).map(photograph),
      ])
  }

  private func photograph(_ node: Node) throws -> Photograph {
    let keys = try keys(node, ["file", "ground", "box", "flip"])
    let box = try keys["box"].map { try numbers($0, count: 4, in: 0...1) } ?? [0, 0, 1, 1]
    return Photograph(
      file: try file(required(keys["file"], "file", node)),
      ground: try number(required(keys["ground"], "ground", node), in: 0...1),
      box: Photograph.Box(left: box[0], top: box[1], right: box[2], bottom: box[3]),
      flips: try keys["flip"].map(truth) ?? true)
  }

  /// A path whose first part is one of the folders' names.
  private func file(_ node: Node) throws -> String {
    let path = try text(node)
    let parts = path.split(separator: "/", maxSplits: 1)
    guard parts.count == 2, let folder = folders[String(parts[0])] else {
      throw error(node, "\(path) begins with none of the folders \(folders.keys.sorted())")
    }
    return "\(folder)/\(parts[1])"
  }

  /// The paths of "folder/{one,two}.webp": the list in braces stands for a path each.
  private func files(_ node: Node) throws -> [String] {
    let path = try file(node)
    guard let open = path.firstIndex(of: "{") else { return [path] }
    guard let close = path.firstIndex(of: "}"), open < close else {
      throw error(node, "\(path): a brace that is not closed")
    }
    return path[path.index(after: open)..<close].split(separator: ",").map { name in
      let name = name.trimmingPrefix(" ")
      return "\(path[..<open])\(name)\(path[path.index(after: close)...])"
    }
  }

  // MARK: - Nodes

  private func error(_ node: Node, _ reason: String) -> SceneError {
    SceneError(.badData, "\(name)\(node.mark.map { ":\($0.line)" } ?? ""): \(reason)")
  }

  private func required(_ value: Node?, _ key: String, _ node: Node) throws -> Node {
    guard let value else { throw error(node, "there is no \(key)") }
    return value
  }

  private func keys(_ node: Node, _ known: [String]) throws -> [String: Node] {
    var result: [String: Node] = [:]
    for (key, value) in try pairs(node, "keys") {
      guard known.contains(key) else {
        throw error(value, "found the unknown key \(key), wanted \(known.joined(separator: ", "))")
      }
      result[key] = value
    }
    return result
  }

  /// The keys and values of a mapping, in its order.
  private func pairs(_ node: Node?, _ what: String) throws -> [(String, Node)] {
    guard let node else { throw SceneError(.badData, "\(name): there are no \(what)") }
    guard case .mapping(let mapping) = node else { throw error(node, "wanted keys and values") }
    return try mapping.map { (try text($0.key), $0.value) }
  }

  private func list(_ node: Node?) throws -> [Node] {
    guard let node else { return [] }
    guard case .sequence(let sequence) = node else { throw error(node, "wanted a list") }
    return Array(sequence)
  }

  private func text(_ node: Node) throws -> String {
    guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
      throw error(node, "wanted a text")
    }
    return scalar.string
  }

  private func truth(_ node: Node) throws -> Bool {
    switch try text(node) {
    case "yes", "true": return true
    case "no", "false": return false
    case let other: throw error(node, "found \(other), wanted yes or no")
    }
  }

  private func number(_ node: Node, in range: ClosedRange<Float>) throws -> Float {
    guard let number = Float(try text(node)), range.contains(number) else {
      throw error(node, "wanted a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private func numbers(_ node: Node, count: Int, in range: ClosedRange<Float>) throws -> [Float] {
    let numbers = try list(node).map { try number($0, in: range) }
    guard numbers.count == count else { throw error(node, "wanted \(count) numbers") }
    return numbers
  }

  private func choice<Choice: RawRepresentable<String>>(_ node: Node) throws -> Choice {
    guard let choice = Choice(rawValue: try text(node)) else {
      throw error(node, "found \(try text(node)), which is none of the choices")
    }
    return choice
  }
}
