// Resizing by an antialiased Lanczos filter, as Pillow's LANCZOS.

import Glibc

extension Picture {
  /// A rectangle of a picture with sides anywhere, between pixels too.
  struct Box: Equatable {
    var x, y, width, height: Double
  }

  /// The picture at another size, by a Lanczos filter of three lobes that widens where the picture
  /// shrinks. Computed as Pillow's `resize(..., LANCZOS)`: across, rounded to eight bits, then down,
  /// each with weights in fixed point.
  /// - Precondition: width and height are at least 1.
  public func resized(width: Int, height: Int) -> Picture {
    let whole = Box(x: 0, y: 0, width: Double(self.width), height: Double(self.height))
    return resized(whole, width: width, height: height)
  }

  /// The part `box` of the picture at another size.
  func resized(_ box: Box, width: Int, height: Int) -> Picture {
    precondition(width > 0 && height > 0, "a picture resized to \(width)x\(height)")
    var result = self
    if width != result.width || box.x != 0 || box.width != Double(result.width) {
      result = result.resampledAcross(
        ResamplingWeights(from: result.width, start: box.x, length: box.width, to: width))
    }
    if height != result.height || box.y != 0 || box.height != Double(result.height) {
      result = result.resampledDown(
        ResamplingWeights(from: result.height, start: box.y, length: box.height, to: height))
    }
    return result
  }

  private func resampledAcross(_ weights: ResamplingWeights) -> Picture {
    let target = weights.taps.count
    let result = [UInt8](unsafeUninitializedCapacity: target * height * 3) { buffer, initialized in
      for y in 0..<height {
        for (x, tap) in weights.taps.enumerated() {
          var sum = SIMD3<Int32>(repeating: ResamplingWeights.half)
          var source = (y * width + tap.first) * 3
          for weight in weights.values[tap.weights] {
            let pixel = SIMD3<Int32>(
              Int32(pixels[source]), Int32(pixels[source + 1]), Int32(pixels[source + 2]))
            sum &+= weight &* pixel
            source += 3
          }
          let target = (y * target + x) * 3
          for channel in 0..<3 { buffer[target + channel] = ResamplingWeights.byte(sum[channel]) }
        }
      }
      initialized = target * height * 3
    }
    return Picture(width: target, height: height, pixels: result)
  }

  private func resampledDown(_ weights: ResamplingWeights) -> Picture {
    let target = weights.taps.count
    let rowBytes = width * 3
    let result = [UInt8](unsafeUninitializedCapacity: rowBytes * target) { buffer, initialized in
      for (y, tap) in weights.taps.enumerated() {
        for column in 0..<rowBytes {
          var sum = ResamplingWeights.half
          var source = tap.first * rowBytes + column
          for weight in weights.values[tap.weights] {
            sum &+= weight &* Int32(pixels[source])
            source += rowBytes
          }
          buffer[y * rowBytes + column] = ResamplingWeights.byte(sum)
        }
      }
      initialized = rowBytes * target
    }
    return Picture(width: width, height: target, pixels: result)
  }
}

/// Which source pixels each target pixel of a row takes, and how much of each.
private struct ResamplingWeights {
  struct Tap {
    /// The first source pixel.
    let first: Int
    /// Its weights, one for each source pixel from the first on.
    let weights: Range<Int>
  }

  /// Weights are multiples of 2^-22: eight bits of a pixel and two for overshoot fit beside them.
  private static let precision: Int32 = 22
  /// One half of a result's unit, which rounds to the nearest.
  static let half: Int32 = 1 << (precision - 1)

  private(set) var taps: [Tap] = []
  private(set) var values: [Int32] = []

  init(from count: Int, start: Double, length: Double, to target: Int) {
    let scale = length / Double(target)
    // A filter that shrinks covers all the pixels that fall into one.
    let stretch = max(scale, 1)
    let support = 3 * stretch
    for index in 0..<target {
      let center = start + (Double(index) + 0.5) * scale
      let first = max(0, Int(center - support + 0.5))
      let end = min(count, Int(center + support + 0.5))
      let weights = (first..<end).map { Self.lanczos((Double($0) - center + 0.5) / stretch) }
      let sum = weights.reduce(0, +)
      let begin = values.count
      for weight in weights {
        let fixed = weight / sum * Double(1 << Self.precision)
        values.append(Int32(fixed < 0 ? fixed - 0.5 : fixed + 0.5))
      }
      taps.append(Tap(first: first, weights: begin..<values.count))
    }
  }

  static func byte(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: min(max(sum >> precision, 0), 255))
  }

  /// `sinc(x) sinc(x / 3)` within three of 0, else 0.
  private static func lanczos(_ x: Double) -> Double {
    func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(.pi * x) / (.pi * x) }
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
  }
}
