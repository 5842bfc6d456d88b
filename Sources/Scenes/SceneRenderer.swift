// Renders scenes: a photograph of a place, snow, shadows, things, light.

import Images

/// A scene's pixels, and where its things are.
public struct RenderedScene: Equatable, Sendable {
  public let picture: Picture
  /// How much of each pixel the things cover, `[side, side]`, 0 to 255.
  public let things: [UInt8]
  /// How dark the shadows are, `[side, side]`, 0 to 255.
  public let shadows: [UInt8]
}

/// Makes pictures of scenes from a library of photographs.
public struct SceneRenderer: Sendable {
  private static let usualHorizon: Float = 0.55

  let library: SceneLibrary
  /// Width and height in pixels.
  public let side: Int

  public init(library: SceneLibrary, side: Int) {
    self.library = library
    self.side = side
  }

  /// The picture of a scene, a function of the scene, the photographs and the size alone.
  /// - Throws: `SceneError` or `ImageError` where a photograph can't be read.
  public func render(_ scene: Scene) throws -> RenderedScene {
    let photograph = try library.photograph(scene.photograph.file)
    let area = scene.area(of: photograph)
    let ground = (scene.photograph.ground * Float(photograph.height) - area.y) / area.height
    var canvas = Layer(
      photograph, area, width: side, height: side, mirrored: scene.crop.mirrored)
    if scene.lighting == .night { canvas.evenMoonlight(brightness: canvas.meanLuma) }
    if scene.lighting == .winter { canvas.snow(ground: ground, seed: scene.scatter) }

    var shadow = ShadowMap(side: side)
    var things: [(layer: Layer, frame: Frame)] = []
    if let subject = scene.subject {
      things = try self.things(subject, in: scene)
      if subject.stand == .ground {
        for (layer, frame) in things {
          shadow.add(layer, at: frame, slant: mix(-1, 1, scene.slant))
        }
        canvas.darken(by: shadow, softness: scene.lighting)
      }
    }
    // Things are put into the light by themselves, so that they look the same wherever the scene is.
    let grading = Grading(scene)
    let whole = Frame(x: 0, y: 0, width: side, height: side)
    canvas.grade(grading, at: whole, side: side, horizon: ground)
    var coverage = [Float](repeating: 0, count: side * side)
    // What stands farther back is laid down first.
    let fromBack = things.sorted { $0.frame.y + $0.frame.height < $1.frame.y + $1.frame.height }
    for (layer, frame) in fromBack {
      var lit = layer
      lit.grade(grading, at: frame, side: side, horizon: Self.usualHorizon)
      canvas.lay(lit, at: frame, coverage: &coverage)
    }
    if scene.lighting == .winter { canvas.flakes(seed: scene.scatter) }
    return RenderedScene(
      picture: canvas.picture, things: coverage.map(byte), shadows: shadow.values.map(byte))
  }

  private func things(_ subject: Scene.Subject, in scene: Scene) throws -> [(Layer, Frame)] {
    let cutOuts = try subject.cutOuts.map { try library.cutOut($0) }
    let frames = scene.frames(
      of: cutOuts.map { ($0.picture.width, $0.picture.height) }, side: side)
    return zip(cutOuts.indices, frames).map { index, frame in
      let (picture, guide) = (cutOuts[index].picture, cutOuts[index].guide)
      let layer = Layer(
        picture, .whole(of: picture), width: frame.width, height: frame.height,
        mirrored: subject.mirrored[index])
      return (subject.paint.map { layer.painted($0.value, guide) } ?? layer, frame)
    }
  }
}

private func byte(_ value: Float) -> UInt8 { UInt8(min(max(value, 0), 1) * 255 + 0.5) }

extension Layer {
  /// The pixels as bytes.
  var picture: Picture {
    var bytes = [UInt8](repeating: 0, count: width * height * 3)
    for index in pixels.indices {
      let pixel = pixels[index]
      bytes[index * 3] = byte(pixel.x)
      bytes[index * 3 + 1] = byte(pixel.y)
      bytes[index * 3 + 2] = byte(pixel.z)
    }
    return Picture(width: width, height: height, pixels: bytes)
  }

  /// Shadows are strong in the sun, weak at night and on a dull day.
  mutating func darken(by shadow: ShadowMap, softness lighting: Lighting) {
    let strength: Float =
      switch lighting {
      case .day: 1
      case .sunset: 1.1
      case .night: 0.8
      case .winter: 0.7
      }
    for index in pixels.indices where shadow.values[index] > 0 {
      let light = 1 - min(strength * shadow.values[index], 0.85)
      // Some light of the sky is left in a shadow.
      pixels[index] *= SIMD4(light, light, min(light + 0.02, 1), 1)
    }
  }

  /// Lays another layer over this one.
  mutating func lay(_ layer: Layer, at frame: Frame, coverage: inout [Float]) {
    for row in 0..<frame.height {
      let y = frame.y + row
      guard y >= 0, y < height else { continue }
      for column in 0..<frame.width {
        let x = frame.x + column
        guard x >= 0, x < width else { continue }
        var pixel = layer.pixels[row * frame.width + column]
        // What is all but clear is clear, and what is all but opaque is opaque, so that nothing of the place is in it.
        if pixel.w < 0.005 { continue }
        if pixel.w > 0.995 { pixel = SIMD4(pixel.rgb / pixel.w, 1) }
        let index = y * width + x
        pixels[index] = pixel + pixels[index] * (1 - pixel.w)
        coverage[index] = pixel.w + coverage[index] * (1 - pixel.w)
      }
    }
  }
}
