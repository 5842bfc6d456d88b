// Paints a cut-out in another colour and keeps its light and shade.

import Images

/// What is known of a cut-out's own colour.
struct PaintGuide: Equatable, Sendable {
  /// The hue that most of it has, in sixths of a turn from red (0 to 6); nil where it is grey, or all is painted.
  var hue: Float?
  /// How bright a surface of it is that lies in neither light nor shade: the median of the painted pixels' values.
  var middle: Float

  /// Looks at all pixels that are not see-through.
  init(_ picture: TransparentPicture, paint: CutOut.Paint) {
    var shares = [Float](repeating: 0, count: 36)
    let colours = picture.pixels.compactMap { pixel -> SIMD3<Float>? in
      guard pixel.w > 200 else { return nil }
      return SIMD4<Float>(pixel).rgb / Float(pixel.w)
    }
    for colour in colours {
      let (hue, saturation, value) = hueSaturationValue(colour)
      shares[min(Int(hue * 6), 35)] += saturation * value
    }
    // The middle of the best five neighbours, so that a hue that straddles two shares is not lost.
    func around(_ index: Int) -> Float {
      (-2...2).reduce(0) { $0 + shares[(index + $1 + 36) % 36] }
    }
    let best = (0..<36).max { around($0) < around($1) } ?? 0
    let isColoured = paint == .hue && around(best) > 0
    hue = isColoured ? (Float(best) + 0.5) / 6 : nil
    middle = 0.5
    var values = colours.compactMap { colour -> Float? in
      weight(colour) > 0.5 ? shade(colour) : nil
    }
    values.sort()
    if !values.isEmpty { middle = max(values[values.count / 2], 0.05) }
  }

  /// How much of a pixel is painted, 0 to 1.
  func weight(_ colour: SIMD3<Float>) -> Float {
    guard let hue else { return 1 }
    let (own, saturation, value) = hueSaturationValue(colour)
    let apart = abs(own - hue)
    let near = 1 - smoothstep(0.6, 1.1, min(apart, 6 - apart))
    // In the dark, a hue is mostly noise.
    return near * smoothstep(0.12, 0.32, saturation) * smoothstep(0.04, 0.16, value)
  }

  /// How light a pixel is. Its largest channel is what a coloured surface reflects of white light.
  func shade(_ colour: SIMD3<Float>) -> Float {
    0.5 * (colour.max() + luma(colour))
  }
}

/// Hue in sixths of a turn from red (0 to 6), saturation and value (0 to 1), as in HSV.
func hueSaturationValue(_ colour: SIMD3<Float>) -> (hue: Float, saturation: Float, value: Float) {
  let value = colour.max()
  let chroma = value - colour.min()
  guard chroma > 0 else { return (0, 0, value) }
  let sixth: Float
  if value == colour.x {
    sixth = (colour.y - colour.z) / chroma
  } else if value == colour.y {
    sixth = 2 + (colour.z - colour.x) / chroma
  } else {
    sixth = 4 + (colour.x - colour.y) / chroma
  }
  return (sixth < 0 ? sixth + 6 : sixth, chroma / value, value)
}

extension Layer {
  /// The layer in another colour.
  func painted(_ paint: SIMD3<Float>, _ guide: PaintGuide) -> Layer {
    var result = self
    for index in pixels.indices where pixels[index].w > 0 {
      let pixel = pixels[index]
      let colour = pixel.rgb / pixel.w
      let weight = guide.weight(colour)
      guard weight > 0 else { continue }
      let target = Self.shaded(paint, guide.shade(colour) / guide.middle)
      result.pixels[index] = SIMD4(mix(colour, target, weight) * pixel.w, pixel.w)
    }
    return result
  }

  /// A surface of a colour under other light: darker below 1, and above it brighter with a gloss towards white.
  private static func shaded(_ paint: SIMD3<Float>, _ light: Float) -> SIMD3<Float> {
    if light <= 1 { return paint * light }
    let over = light - 1
    let bright = paint * (1 + 0.5 * min(over, 1))
    let gloss = min(0.55 * over, 0.8)
    return mix(bright, SIMD3(repeating: 1), gloss)
      .clamped(lowerBound: .zero, upperBound: SIMD3(repeating: 1))
  }
}
