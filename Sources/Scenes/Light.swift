// The light and the season of a scene, as a photographer would grade it.

import Tensors

extension Layer {
  /// Lays snow on a scene's place, before things are put there: on the ground, and on what is light.
  /// - Parameter ground: how far down the ground begins, 0 to 1.
  mutating func snow(ground: Float, seed: UInt64) {
    let fine = ValueNoise(seed: seed, layer: 0, cells: 24)
    let coarse = ValueNoise(seed: seed, layer: 1, cells: 6)
    for y in 0..<height {
      let down = (Float(y) + 0.5) / Float(height)
      let onGround = smoothstep(ground - 0.06, ground + 0.1, down)
      for x in 0..<width {
        let across = (Float(x) + 0.5) / Float(width)
        let index = y * width + x
        let colour = pixels[index].rgb
        let light = luma(colour)
        let patches = 0.6 * coarse.value(across, down) + 0.4 * fine.value(across, down)
        // Snow lies thick on the ground, thin on branches and roofs; the sky is a grey of its own.
        let cover =
          mix(0.3, 0.93 - 0.35 * patches, onGround) * mix(0.75, 1, smoothstep(0.1, 0.5, light))
        let snow = SIMD3<Float>(0.9, 0.93, 0.98) * mix(0.74, 1.03, smoothstep(0.05, 0.75, light))
        let grey = mix(colour, SIMD3(repeating: light), 0.65)
        let rgb = mix(grey, snow, cover)
        pixels[index] = SIMD4(rgb, 1).clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 1))
      }
    }
  }

  /// Lets flakes fall.
  mutating func flakes(seed: UInt64) {
    var draws = Draws(seed: seed, stream: .scatter, step: 2)
    guard draws.chance(0.6) else { return }
    let count = 20 + draws.below(70)
    for _ in 0..<count {
      let (x, y) = (draws.part() * Float(width), draws.part() * Float(height))
      let radius = Float(width) * mix(0.004, 0.011, draws.part())
      let strength = mix(0.45, 0.9, draws.part())
      let reach = radius + 1
      for row in max(0, Int(y - reach))..<min(height, Int(y + reach) + 1) {
        for column in max(0, Int(x - reach))..<min(width, Int(x + reach) + 1) {
          let (right, down) = (Float(column) + 0.5 - x, Float(row) + 0.5 - y)
          let distance = (right * right + down * down).squareRoot()
          let cover = strength * (1 - smoothstep(radius * 0.5, radius + 0.7, distance))
          let index = row * width + column
          pixels[index] = mix(pixels[index], SIMD4(repeating: 1), cover)
        }
      }
    }
  }

  /// The mean luma of a picture, 0 to 1.
  var meanLuma: Float {
    pixels.reduce(0) { $0 + luma($1.rgb) } / Float(pixels.count)
  }

  /// By moonlight, makes a dark place lighter and a light one darker, so that none is pitch-dark and none is day.
  mutating func evenMoonlight(brightness: Float) {
    let moonlight = min(max(0.45 / max(brightness, 0.01), 0.75), 1.7)
    for index in pixels.indices { pixels[index] *= SIMD4(moonlight, moonlight, moonlight, 1) }
  }

  /// Puts the picture, or a part of one at a frame in a picture of `side`, into a scene's light.
  /// - Parameter horizon: how far down the sky ends, 0 to 1.
  mutating func grade(_ grading: Grading, at frame: Frame, side: Int, horizon: Float) {
    for row in 0..<height {
      let down = (Float(frame.y + row) + 0.5) / Float(side)
      for column in 0..<width {
        let across = (Float(frame.x + column) + 0.5) / Float(side)
        let pixel = pixels[row * width + column]
        guard pixel.w > 0 else { continue }
        let colour = grading.graded(pixel.rgb / pixel.w, across, down, horizon)
        pixels[row * width + column] = SIMD4(colour * pixel.w, pixel.w)
      }
    }
  }
}

/// What a scene's light makes of colours.
struct Grading {
  let scene: Scene
  private let contrast: Float
  private let balance: SIMD3<Float>

  init(_ scene: Scene) {
    self.scene = scene
    contrast = mix(0.92, 1.08, scene.contrast)
    let warmth = mix(-0.035, 0.035, scene.warmth)
    balance = SIMD3<Float>(1 + warmth, 1, 1 - warmth) * mix(0.9, 1.1, scene.exposure)
  }

  /// The colour of a surface at a place of the picture, each coordinate from 0 to 1.
  func graded(
    _ colour: SIMD3<Float>, _ across: Float, _ down: Float, _ horizon: Float
  ) -> SIMD3<Float> {
    let lit =
      switch scene.lighting {
      case .day: colour
      case .night: night(colour, across, down)
      case .sunset: sunset(colour, down, max(horizon, 0.2))
      case .winter: winter(colour)
      }
    let contrasting = (lit - 0.5) * contrast + 0.5
    return (contrasting * balance).clamped(lowerBound: .zero, upperBound: SIMD3(repeating: 1))
  }

  /// Moonlight: little colour, blue, the sky darkest, and light where the eye goes.
  private func night(_ colour: SIMD3<Float>, _ across: Float, _ down: Float) -> SIMD3<Float> {
    let light = luma(colour)
    let dull = mix(colour, SIMD3(repeating: light), 0.35)
    let tint = SIMD3<Float>(0.55, 0.62, 0.88) * mix(0.85, 1.1, scene.exposure)
    let (right, low) = (across - 0.5, down - 0.6)
    let glow = 1 - 0.8 * (right * right + low * low)
    // A bright sky would look like day: what is bright and high up is dimmed most.
    let sky = smoothstep(0.45, 0.05, down) * smoothstep(0.35, 0.8, light)
    let lit = dull * tint * glow * mix(1, 0.4, sky)
    // A little more contrast keeps shapes readable in the dark.
    return lit * (0.78 + 0.45 * light)
  }

  /// The sun low behind: the sky from rose to orange, the ground darker and warm.
  private func sunset(_ colour: SIMD3<Float>, _ down: Float, _ horizon: Float) -> SIMD3<Float> {
    let high = SIMD3<Float>(0.74, 0.5, 0.66)
    let low = SIMD3<Float>(1.16, 0.7, 0.36)
    let near = SIMD3<Float>(0.8, 0.54, 0.4)
    let tint =
      down < horizon
      ? mix(high, low, smoothstep(0, horizon, down)) : mix(low, near, smoothstep(horizon, 1, down))
    let light = luma(colour)
    let dull = mix(colour, SIMD3(repeating: light), 0.25)
    let glow = smoothstep(0.5, 0.95, light) * smoothstep(horizon + 0.25, horizon - 0.1, down)
    return dull * tint + SIMD3<Float>(0.16, 0.07, 0) * (glow * mix(0.6, 1.2, scene.warmth))
  }

  /// A dull, cold day.
  private func winter(_ colour: SIMD3<Float>) -> SIMD3<Float> {
    let light = luma(colour)
    return mix(colour, SIMD3(repeating: light), 0.22) * SIMD3<Float>(0.94, 0.99, 1.06)
  }
}
