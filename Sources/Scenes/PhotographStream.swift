// Draws square parts of real photographs, to train and measure an autoencoder by.

import Images
import Tensors

/// Parts of photographs without end, each a function of the table, the seed, the split and its index alone.
public struct PhotographStream: Sendable {
  /// What a picture shows.
  enum Source: Equatable, Sendable {
    /// A part of a photograph: which, and its size and place from 0 to 1.
    case part(file: String, size: Float, across: Float, down: Float)
    /// A cut-out on a plain ground that goes from one colour to another, as in a studio.
    case studio(CutOut, size: Float, across: Float, down: Float, ground: [SIMD3<Float>])
  }

  struct Crop: Equatable, Sendable {
    var source: Source
    var mirrored: Bool
  }

  /// How often a cut-out is shown.
  private static let studioShare: Float = 0.12

  public let table: SceneTable
  public let seed: UInt64
  public let split: Split

  public init(table: SceneTable, seed: UInt64, split: Split) {
    self.table = table
    self.seed = seed
    self.split = split
  }

  func crop(_ index: Int) -> Crop {
    var draws = Draws(seed: seed, stream: .crops, step: index)
    let isStudio = draws.chance(Self.studioShare)
    let mirrored = draws.chance(0.5)
    let (size, across, down) = (draws.part(), draws.part(), draws.part())
    let cutOuts = table.nouns.flatMap { $0.cutOuts[split] ?? [] }
    let photographs = table.allPhotographs(split)
    guard isStudio || photographs.isEmpty, !cutOuts.isEmpty else {
      let file = draws.one(of: photographs)
      return Crop(
        source: .part(file: file, size: size, across: across, down: down), mirrored: mirrored)
    }
    let cutOut = draws.one(of: cutOuts)
    let grey = draws.part()
    let ground = (0..<4).map { _ in
      mix(SIMD3(repeating: grey), SIMD3(draws.part(), draws.part(), draws.part()), 0.35)
    }
    return Crop(
      source: .studio(cutOut, size: size, across: across, down: down, ground: ground),
      mirrored: mirrored && cutOut.flips)
  }
}

extension SceneRenderer {
  /// The picture of a part of a photograph.
  /// - Throws: `SceneError` or `ImageError` where a photograph can't be read.
  func render(_ crop: PhotographStream.Crop) throws -> Picture {
    switch crop.source {
    case .part(let file, let size, let across, let down):
      let photograph = try library.photograph(file)
      let (width, height) = (Float(photograph.width), Float(photograph.height))
      let most = min(width, height)
      // Not much enlarged, and more often detail than all of it.
      let length = mix(min(most, 1.2 * Float(side)), most, size)
      let area = Area(
        x: (width - length) * across, y: (height - length) * down, width: length, height: length)
      return Layer(photograph, area, width: side, height: side, mirrored: crop.mirrored).picture
    case .studio(let cutOut, let size, let across, let down, let ground):
      return try studio(cutOut, size, across, down, ground, mirrored: crop.mirrored)
    }
  }

  private func studio(
    _ cutOut: CutOut, _ size: Float, _ across: Float, _ down: Float, _ ground: [SIMD3<Float>],
    mirrored: Bool
  ) throws -> Picture {
    let pixels = (0..<side * side).map { index in
      let x = (Float(index % side) + 0.5) / Float(side)
      let y = (Float(index / side) + 0.5) / Float(side)
      return SIMD4(mix(mix(ground[0], ground[1], x), mix(ground[2], ground[3], x), y), 1)
    }
    var canvas = Layer(width: side, height: side, pixels: pixels)
    let picture = try library.cutOut(cutOut).picture
    let longer = Float(max(picture.width, picture.height))
    let scale = mix(0.5, 0.9, size) * Float(side) / longer
    let frame = Frame(
      x: 0, y: 0, width: max(2, Int(Float(picture.width) * scale)),
      height: max(2, Int(Float(picture.height) * scale)))
    let placed = Frame(
      x: Int(Float(side - frame.width) * across), y: Int(Float(side - frame.height) * down),
      width: frame.width, height: frame.height)
    let layer = Layer(
      picture, .whole(of: picture), width: frame.width, height: frame.height, mirrored: mirrored)
    var shadow = ShadowMap(side: side)
    shadow.add(layer, at: placed, slant: 0)
    canvas.darken(by: shadow, softness: .winter)
    var coverage = [Float](repeating: 0, count: side * side)
    canvas.lay(layer, at: placed, coverage: &coverage)
    return canvas.picture
  }
}
