// Fits a picture of any proportions into the size that a model works at.

/// What happens to a picture whose proportions are not those wanted.
public enum Fit: String, CaseIterable, Sendable {
  /// Scaled to cover, and what stands out at two sides is cut off, the same at both.
  case crop
  /// Scaled to lie within, in the middle; the margins repeat the picture's edge.
  case pad
  /// Scaled across and down by different factors.
  case stretch
}

extension Picture {
  /// The picture at `width` by `height`, resized by `resized(width:height:)`'s filter.
  /// - Precondition: width and height are at least 1.
  public func fitted(width: Int, height: Int, by fit: Fit = .crop) -> Picture {
    switch fit {
    case .stretch: return resized(width: width, height: height)
    case .crop: return resized(coveringBox(width, height), width: width, height: height)
    case .pad: return padded(width, height)
    }
  }

  /// The largest part in the middle that has the proportions of `width` to `height`.
  private func coveringBox(_ width: Int, _ height: Int) -> Box {
    let across = Double(self.width) / Double(width)
    let down = Double(self.height) / Double(height)
    let scale = min(across, down)
    // Where a side is covered whole, it is whole to the last bit.
    let boxWidth = across <= down ? Double(self.width) : Double(width) * scale
    let boxHeight = down <= across ? Double(self.height) : Double(height) * scale
    return Box(
      x: (Double(self.width) - boxWidth) / 2, y: (Double(self.height) - boxHeight) / 2,
      width: boxWidth, height: boxHeight)
  }

  private func padded(_ width: Int, _ height: Int) -> Picture {
    let scale = min(Double(width) / Double(self.width), Double(height) / Double(self.height))
    let innerWidth = min(width, max(1, Int((Double(self.width) * scale).rounded())))
    let innerHeight = min(height, max(1, Int((Double(self.height) * scale).rounded())))
    let inner = resized(width: innerWidth, height: innerHeight)
    let (left, top) = ((width - innerWidth) / 2, (height - innerHeight) / 2)
    var result =
      inner.width == width && inner.height == height
      ? inner : Picture(width: width, height: height, color: SIMD3(repeating: 0))
    for y in 0..<height {
      for x in 0..<width {
        result[x, y] =
          inner[
            min(max(x - left, 0), innerWidth - 1), min(max(y - top, 0), innerHeight - 1)]
      }
    }
    return result
  }
}
