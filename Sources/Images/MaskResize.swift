// Masks at other sizes, and in the framing of a photograph.

extension Mask {
  /// The mask at another size. Where it shrinks, a pixel is the mean of what falls into it, so that one which nothing of
  /// the mask touches stays 0; where it grows, values lie on the lines between those of neighbours.
  /// - Precondition: width and height are at least 1.
  public func resized(width: Int, height: Int) -> Mask {
    let whole = Picture.Box(x: 0, y: 0, width: Double(self.width), height: Double(self.height))
    return resized(whole, width: width, height: height)
  }

  /// The part `box` of the mask at another size. What lies beyond the mask repeats its edge.
  func resized(_ box: Picture.Box, width: Int, height: Int) -> Mask {
    precondition(width > 0 && height > 0, "a mask resized to \(width)x\(height)")
    let columns = MaskTap.row(from: self.width, start: box.x, length: box.width, to: width)
    let rows = MaskTap.row(from: self.height, start: box.y, length: box.height, to: height)
    var across = [Float](repeating: 0, count: self.height * width)
    for y in 0..<self.height {
      for (x, tap) in columns.enumerated() {
        across[y * width + x] = tap.mean { values[y * self.width + $0] }
      }
    }
    var result = [Float](repeating: 0, count: height * width)
    for (y, tap) in rows.enumerated() {
      for x in 0..<width { result[y * width + x] = tap.mean { across[$0 * width + x] } }
    }
    return Mask(width: width, height: height, values: result)
  }

  /// The mask at `width` by `height`, framed as `Picture.fitted(width:height:by:)` frames a picture of its proportions.
  /// - Precondition: width and height are at least 1.
  public func fitted(width: Int, height: Int, by fit: Fit = .crop) -> Mask {
    fitted(Framing(photograph: (self.width, self.height), picture: (width, height), fit: fit))
  }

  /// Whether the mask has the proportions of `width` to `height`, to the rounding of its own sides.
  public func isProportioned(_ width: Int, _ height: Int) -> Bool {
    // Sides that are off by half a pixel each.
    let difference = abs(Double(self.width) * Double(height) - Double(self.height) * Double(width))
    return difference <= Double(width + height) / 2
  }

  /// A mask of a photograph as `framing` shows it.
  /// - Precondition: the mask has the photograph's proportions.
  func fitted(_ framing: Framing) -> Mask {
    let scaleX = Double(width) / Double(framing.photograph.width)
    let scaleY = Double(height) / Double(framing.photograph.height)
    let box = Picture.Box(
      x: framing.seen.x * scaleX, y: framing.seen.y * scaleY, width: framing.seen.width * scaleX,
      height: framing.seen.height * scaleY)
    let inner = resized(box, width: framing.shown.width, height: framing.shown.height)
    let (shown, target) = (framing.shown, framing.picture)
    var values: [Float] = []
    values.reserveCapacity(target.width * target.height)
    for y in 0..<target.height {
      let row = min(max(y - shown.y, 0), shown.height - 1) * shown.width
      for x in 0..<target.width {
        values.append(inner.values[row + min(max(x - shown.x, 0), shown.width - 1)])
      }
    }
    return Mask(width: target.width, height: target.height, values: values)
  }

  /// The part `part` of the mask.
  func cropped(_ part: Framing.Part) -> Mask {
    var result: [Float] = []
    for y in part.y..<part.y + part.height {
      result += values[y * width + part.x..<y * width + part.x + part.width]
    }
    return Mask(width: part.width, height: part.height, values: result)
  }
}

/// The pixels of a row that a pixel of the resized row is the weighted mean of.
private struct MaskTap {
  let first: Int
  /// They sum to 1.
  let weights: [Float]

  func mean(_ value: (Int) -> Float) -> Float {
    // Equal values stay what they are, whatever the weights round to.
    let start = value(first)
    var sum: Float = 0
    for (index, weight) in weights.enumerated() { sum += weight * (value(first + index) - start) }
    return start + sum
  }

  static func row(from count: Int, start: Double, length: Double, to target: Int) -> [MaskTap] {
    let scale = length / Double(target)
    return (0..<target).map { index in
      let middle = start + (Double(index) + 0.5) * scale
      return scale >= 1
        ? area(middle - scale / 2, middle + scale / 2, count) : line(middle - 0.5, count)
    }
  }

  /// Each pixel by its share of the stretch from `low` to `high`.
  private static func area(_ low: Double, _ high: Double, _ count: Int) -> MaskTap {
    // A sliver that only rounding makes is none.
    let sliver = 1e-9
    let first = min(max(Int((low + sliver).rounded(.down)), 0), count - 1)
    let last = min(max(Int((high - sliver).rounded(.up)) - 1, first), count - 1)
    let shares = (first...last).map { pixel in
      max(min(high, Double(pixel + 1)) - max(low, Double(pixel)), 0)
    }
    let sum = shares.reduce(0, +)
    return MaskTap(first: first, weights: sum > 0 ? shares.map { Float($0 / sum) } : [1])
  }

  /// The two pixels whose middles are on either side of `place`, which is counted from the first one's.
  private static func line(_ place: Double, _ count: Int) -> MaskTap {
    let inside = min(max(place, 0), Double(count - 1))
    let first = Int(inside)
    let share = Float(inside - Double(first))
    return MaskTap(first: first, weights: share > 0 ? [1 - share, share] : [1])
  }
}
