// The table of what scenes are made of: scenes/scenes.yaml.

import Foundation
import Yams

/// Whether something is for training, or kept from it to measure by.
public enum Split: String, CaseIterable, Sendable {
  case train
  case heldOut = "held-out"
}

/// The light and the season of a scene.
public enum Lighting: String, Codable, CaseIterable, Sendable {
  case day, night, sunset, winter

  /// What a caption says of it; nothing of day.
  var phrase: String? {
    switch self {
    case .day: nil
    case .night: "at night"
    case .sunset: "at sunset"
    case .winter: "in winter"
    }
  }
}

/// A photograph of one thing, cut out.
public struct CutOut: Equatable, Sendable {
  /// Which of its pixels another colour goes on.
  public enum Paint: String, Codable, Sendable {
    /// Those of the colour that most of it has: of a car the body, not the tyres.
    case hue
    /// All, as of a white cup.
    case all
  }

  /// Its path below the data's folder.
  public var file: String
  /// The name of the colour that it has by itself, if it has one.
  public var colour: String?
  /// Whether it may be mirrored: not where letters are on it.
  public var flips = true
  public var paint = Paint.hue
}

/// What a cut-out shows.
public struct Noun: Equatable, Sendable {
  /// Where a thing is in a scene.
  public enum Stand: String, Codable, Sendable { case ground, air }

  public var name: String
  public var plural: String
  /// The longer side as a part of the picture's, for a thing in front.
  public var size: Float
  public var isRecolourable = false
  public var stand = Stand.ground
  /// How often it is shown, beside the others' 1.
  public var weight: Float = 1
  public var cutOuts: [Split: [CutOut]]
  /// Places and colours that it is never trained with.
  public var heldOutPlaces: Set<String> = []
  public var heldOutColours: Set<String> = []
}

/// A photograph of a place, to put things on.
public struct Photograph: Equatable, Sendable {
  /// A part of a photograph, in parts of its width and height.
  public struct Box: Equatable, Sendable {
    public var left: Float = 0
    public var top: Float = 0
    public var right: Float = 1
    public var bottom: Float = 1
  }

  /// Its path below the data's folder; within a Qt resource file, that file's path and the path in it.
  public var file: String
  /// How far down the ground begins that things stand on, as a part of the photograph's height.
  public var ground: Float
  /// The part to use.
  public var box = Box()
  public var flips = true
}

/// Where a scene is.
public struct Place: Equatable, Sendable {
  public var name: String
  /// "on a beach"
  public var phrase: String
  /// "a beach", for scenes without a thing.
  public var scene: String
  public var lightings: [Lighting] = Lighting.allCases
  public var photographs: [Split: [Photograph]]
}

/// A colour that things are painted in.
public struct Colour: Equatable, Sendable {
  public var name: String
  /// Of a surface in the light: red, green and blue in sRGB, 0 to 1.
  public var value: SIMD3<Float>
}

/// Everything that scenes are made of, in the table's order.
public struct SceneTable: Equatable, Sendable {
  public var colours: [Colour]
  public var nouns: [Noun]
  public var places: [Place]
  /// Photographs of anything, to train and measure an autoencoder by: their paths below the data's folder.
  public var photographs: [Split: [String]]

  /// - Throws: `SceneError`: `noInput` if there is no such file, `badData` if it is no such table.
  public init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw SceneError(.noInput, "\(path): there is no such file, wanted a table of scenes")
    }
    try self.init(yaml: String(decoding: data, as: UTF8.self), name: path)
  }

  /// The table of a YAML text. `name` stands for it in errors.
  public init(yaml: String, name: String) throws {
    self = try SceneTableReader(name: name).read(yaml)
    try SceneTableCheck(table: self, name: name).check()
  }

  public init(
    colours: [Colour], nouns: [Noun], places: [Place], photographs: [Split: [String]] = [:]
  ) {
    self.colours = colours
    self.nouns = nouns
    self.places = places
    self.photographs = photographs
  }

  /// Every photograph of a split that is no cut-out: those of the places, and those of anything.
  public func allPhotographs(_ split: Split) -> [String] {
    places.flatMap { ($0.photographs[split] ?? []).map(\.file) } + (photographs[split] ?? [])
  }

  public func noun(_ name: String) -> Noun? { nouns.first { $0.name == name } }

  public func place(_ name: String) -> Place? { places.first { $0.name == name } }

  /// What of a scene training never sees: files, "noun place" and "colour noun".
  public func heldOutParts(of scene: Scene) -> [String] {
    var parts: [String] = []
    if let place = place(scene.place), place.has(scene.photograph, in: .heldOut) {
      parts.append(scene.photograph.file)
    }
    guard let subject = scene.subject, let noun = noun(subject.noun) else { return parts }
    parts += subject.cutOuts.filter { noun.has($0, in: .heldOut) }.map(\.file)
    if noun.heldOutPlaces.contains(scene.place) { parts.append("\(noun.name) \(scene.place)") }
    if let colour = subject.paint?.name ?? subject.colour, noun.heldOutColours.contains(colour) {
      parts.append("\(colour) \(noun.name)")
    }
    return parts
  }
}

extension Noun {
  func has(_ cutOut: CutOut, in split: Split) -> Bool { cutOuts[split]?.contains(cutOut) ?? false }
}

extension Place {
  func has(_ photograph: Photograph, in split: Split) -> Bool {
    photographs[split]?.contains(photograph) ?? false
  }
}
