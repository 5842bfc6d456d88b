// Parts of pictures at other sizes, by a cubic filter that is computed by the four basic operations alone, so that it
// gives the same pixels on every machine.

import Images

/// A picture of light: red, green, blue and alpha from 0 to 1 in sRGB's curve, colours multiplied by alpha.
struct Layer: Sendable {
  let width: Int
  let height: Int
  /// `[height, width]`, row-major.
  var pixels: [SIMD4<Float>]

  init(width: Int, height: Int, pixels: [SIMD4<Float>]) {
    self.width = width
    self.height = height
    self.pixels = pixels
  }
}

/// A rectangle of a picture with sides anywhere, in pixels.
struct Area: Equatable {
  var x, y, width, height: Float

  static func whole(of picture: TransparentPicture) -> Area {
    Area(x: 0, y: 0, width: Float(picture.width), height: Float(picture.height))
  }
}

extension Layer {
  /// The part `area` of a picture at another size, mirrored across where wanted. The filter is Keys' cubic with
  /// a = -1/2, and widens where the picture shrinks.
  init(_ picture: TransparentPicture, _ area: Area, width: Int, height: Int, mirrored: Bool = false)
  {
    let across = FilterTaps(
      from: picture.width, start: area.x, length: area.width, to: width, mirrored: mirrored)
    let down = FilterTaps(
      from: picture.height, start: area.y, length: area.height, to: height, mirrored: false)
    // Only the rows that are looked at are made narrow.
    let firstRow = down.taps[0].first
    let last = down.taps[height - 1]
    let rows = last.first + last.count - firstRow
    var narrow = [SIMD4<Float>](repeating: .zero, count: rows * width)
    var pixels = [SIMD4<Float>](repeating: .zero, count: width * height)
    picture.pixels.withUnsafeBufferPointer { source in
      narrow.withUnsafeMutableBufferPointer { narrow in
        for row in 0..<rows {
          let line = source.baseAddress! + (firstRow + row) * picture.width
          for x in 0..<width {
            let tap = across.taps[x]
            var sum = SIMD4<Float>.zero
            for index in 0..<tap.count {
              sum += across.weights[tap.offset + index] * SIMD4<Float>(line[tap.first + index])
            }
            narrow[row * width + x] = sum
          }
        }
      }
    }
    narrow.withUnsafeBufferPointer { narrow in
      pixels.withUnsafeMutableBufferPointer { pixels in
        for y in 0..<height {
          let tap = down.taps[y]
          for x in 0..<width {
            var sum = SIMD4<Float>.zero
            for index in 0..<tap.count {
              sum +=
                down.weights[tap.offset + index]
                * narrow[(tap.first - firstRow + index) * width + x]
            }
            // The filter overshoots at edges.
            let alpha = min(max(sum.w / 255, 0), 1)
            var pixel = (sum / 255).clamped(
              lowerBound: .zero, upperBound: SIMD4(repeating: alpha))
            pixel.w = alpha
            pixels[y * width + x] = pixel
          }
        }
      }
    }
    self.init(width: width, height: height, pixels: pixels)
  }
}

/// Which pixels of a line each new pixel takes, and how much of each.
private struct FilterTaps {
  struct Tap {
    let first: Int
    let count: Int
    /// Of its first weight.
    let offset: Int
  }

  private(set) var taps: [Tap] = []
  private(set) var weights: [Float] = []

  init(from count: Int, start: Float, length: Float, to target: Int, mirrored: Bool) {
    let scale = Double(length) / Double(target)
    let stretch = max(scale, 1)
    let support = 2 * stretch
    for index in 0..<target {
      let place = mirrored ? target - 1 - index : index
      let center = Double(start) + (Double(place) + 0.5) * scale
      let first = min(max(0, Int((center - support + 0.5).rounded(.down))), count - 1)
      let end = max(first + 1, min(count, Int((center + support + 0.5).rounded(.down))))
      let values = (first..<end).map { Self.cubic((Double($0) - center + 0.5) / stretch) }
      let sum = values.reduce(0, +)
      taps.append(Tap(first: first, count: end - first, offset: weights.count))
      // Beyond the picture's edge nothing is left of the filter: the edge goes on.
      weights +=
        sum > 0.01
        ? values.map { Float($0 / sum) }
        : values.map { _ in
          1 / Float(end - first)
        }
    }
  }

  /// Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2.
  private static func cubic(_ x: Double) -> Double {
    let x = abs(x)
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    if x < 2 { return ((-0.5 * x + 2.5) * x - 4) * x + 2 }
    return 0
  }
}
