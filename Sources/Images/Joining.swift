// Puts an edit into the photograph where a mask lets it, at the size that the model works at or at the photograph's own.

extension Picture {
  /// This picture with as much of `edit` as the mask says. Where the mask is 0 it is this picture to the bit.
  /// - Precondition: all three have the same size.
  public func joined(with edit: Picture, by mask: Mask) -> Picture {
    precondition(
      (edit.width, edit.height) == (width, height) && (mask.width, mask.height) == (width, height),
      "\(width)x\(height), \(edit.width)x\(edit.height), \(mask.width)x\(mask.height)")
    return joined(with: edit, by: mask, x: 0, y: 0)
  }

  /// This photograph with the edit of its framed picture put back where it came from, scaled to it. Where the mask is 0, or
  /// beyond what the framing shows, it is this photograph to the bit.
  /// - Parameters:
  ///   - edit: of the size of the framing's picture.
  ///   - mask: of the size of the framing's photograph, as is this picture.
  public func joined(with edit: Picture, by mask: Mask, in framing: Framing) -> Picture {
    precondition((width, height) == framing.photograph, "\(width)x\(height) in another framing")
    precondition((edit.width, edit.height) == framing.picture, "an edit of another framing")
    let (shown, pixels) = (framing.shown, framing.seenPixels)
    let part = edit.cropped(x: shown.x, y: shown.y, width: shown.width, height: shown.height)
      .resized(framing.seenPixelsShown, width: pixels.width, height: pixels.height)
    return joined(with: part, by: mask, x: pixels.x, y: pixels.y)
  }

  /// `part` lies with its top left corner at (`x`, `y`); the mask has the size of this picture.
  private func joined(with part: Picture, by mask: Mask, x: Int, y: Int) -> Picture {
    var result = self
    for row in 0..<part.height {
      for column in 0..<part.width {
        let position = (y + row) * width + x + column
        let share = mask.values[position]
        guard share > 0 else { continue }
        let source = (row * part.width + column) * 3
        for channel in 0..<3 {
          let (old, new) = (
            Float(pixels[position * 3 + channel]), Float(part.pixels[source + channel])
          )
          result.pixels[position * 3 + channel] = UInt8(
            (old + share * (new - old)).rounded(.toNearestOrEven))
        }
      }
    }
    return result
  }
}
