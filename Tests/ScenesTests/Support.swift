// A small world to make scenes of, drawn on the spot.

import Images
import TestSupport

@testable import Scenes

enum SmallWorld {
  static let yaml = """
    folders: { here: photographs }
    colours:
      red: [200, 30, 30]
      blue: [30, 60, 200]
    nouns:
      box:
        plural: boxes
        size: 0.4
        recolour: yes
        cut-outs: [{ file: here/box.png, colour: red }, { file: here/tall.png, flip: no }]
        held-out: [here/new-box.png]
        never: { places: [hill], colours: [blue] }
      kite:
        stand: air
        cut-outs: [here/kite.png]
    places:
      plain:
        phrase: on a plain
        scene: a plain
        photographs: [{ file: here/plain.png, ground: 0.5 }]
        held-out: [{ file: here/new-plain.png, ground: 0.6, box: [0.1, 0.1, 0.9, 1] }]
      hill:
        phrase: on a hill
        scene: a hill
        lighting: [day, night]
        photographs: [{ file: here/hill.png, ground: 0.55, flip: no }]
    photographs:
      train: ["here/{one,two}.webp"]
      held-out: [here/three.jpg]
    """

  static func table() throws -> SceneTable { try SceneTable(yaml: yaml, name: "small.yaml") }

  /// The table that the program comes with.
  static func fullTable() throws -> SceneTable {
    try SceneTable(contentsOf: "\(Repository.path)/scenes/scenes.yaml")
  }

  static func library(side: Int) -> SceneLibrary {
    let pictures = [
      "box.png": disc(30, 20, red: 200), "tall.png": disc(12, 40, red: 60),
      "new-box.png": disc(25, 25, red: 150), "kite.png": disc(20, 20, red: 90),
      "plain.png": slope(96, 72, 40), "new-plain.png": slope(90, 90, 80),
      "hill.png": slope(120, 72, 10), "one.webp": slope(64, 48, 200),
      "two.webp": slope(50, 50, 120), "three.jpg": slope(40, 80, 160),
    ]
    let files = Dictionary(uniqueKeysWithValues: pictures.map { ("photographs/\($0)", $1) })
    return SceneLibrary(folder: "/nonexistent", side: side, pictures: files)
  }

  /// An ellipse that is lighter above than below, on nothing.
  static func disc(_ width: Int, _ height: Int, red: Int) -> TransparentPicture {
    let pixels = (0..<width * height).map { index -> SIMD4<UInt8> in
      let (x, y) = (2 * (index % width) + 1 - width, 2 * (index / width) + 1 - height)
      let isInside =
        x * x * height * height + y * y * width * width <= width * width * height * height
      let shade = 255 - 160 * (index / width) / height
      return isInside
        ? SIMD4(UInt8(red * shade / 255), UInt8(20 * shade / 255), UInt8(24 * shade / 255), 255)
        : .zero
    }
    return TransparentPicture(width: width, height: height, pixels: pixels)
  }

  /// Light above, darker below.
  static func slope(_ width: Int, _ height: Int, _ blue: Int) -> TransparentPicture {
    let pixels = (0..<width * height).map { index in
      SIMD4<UInt8>(
        UInt8(200 - 150 * (index / width) / height), UInt8(60 + 150 * (index % width) / width),
        UInt8(blue), 255)
    }
    return TransparentPicture(width: width, height: height, pixels: pixels)
  }

  /// FNV-1a of 64 bits (Fowler, Noll, Vo), for short digests of pixels.
  static func digest(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
