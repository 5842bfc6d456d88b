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
    fitted(
      Framing(photograph: (self.width, self.height), picture: (width, height), fit: fit))
  }

  /// The picture as `framing` shows it.
  /// - Precondition: the picture has the size of the framing's photograph.
  func fitted(_ framing: Framing) -> Picture {
    precondition((width, height) == framing.photograph, "\(width)x\(height) in another framing")
    let (shown, target) = (framing.shown, framing.picture)
    let inner = resized(framing.seen, width: shown.width, height: shown.height)
    guard (shown.width, shown.height) != target else { return inner }
    var result = Picture(width: target.width, height: target.height, color: SIMD3(repeating: 0))
    for y in 0..<target.height {
      for x in 0..<target.width {
        result[x, y] =
          inner[
            min(max(x - shown.x, 0), shown.width - 1), min(max(y - shown.y, 0), shown.height - 1)]
      }
    }
    return result
  }
}
