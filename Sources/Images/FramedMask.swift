// A mask that goes with a photograph: the same crop, fit and way up.

/// A mask in the framing of a photograph.
public struct FramedMask: Sendable {
  public let framing: Framing
  /// The mask of the framing's picture.
  public let picture: Mask
  /// The mask of the whole photograph where it was given so, at its own size; nil where it was given for the picture.
  private let whole: Mask?

  /// A mask of the framing's picture.
  /// - Precondition: the mask has the picture's size.
  public init(_ mask: Mask, in framing: Framing) {
    precondition((mask.width, mask.height) == framing.picture, "\(mask.width)x\(mask.height)")
    self.framing = framing
    picture = mask
    whole = nil
  }

  /// Takes a mask from a file's picture of the proportions of the photograph or of the framing's picture. One that lies as
  /// the photograph's own file does before it is turned upright, and does not say which way up it is, is turned with it.
  /// - Parameters:
  ///   - decoded: as `Picture.decode(_:name:limits:)` gives it.
  ///   - name: stands for the file in errors.
  ///   - orientation: what the photograph's file says of its way up.
  /// - Throws: `ImageError.badData` where it is in colour, of other proportions, or black wherever the framing shows the
  ///   photograph.
  public init(
    _ decoded: (picture: Picture, orientation: Orientation), name: String, in framing: Framing,
    orientation: Orientation = .upright
  ) throws {
    var mask = try Mask(decoded.picture.upright(decoded.orientation), name: name)
    let (photograph, target) = (framing.photograph, framing.picture)
    self.framing = framing
    if (mask.width, mask.height) == target {
      (picture, whole) = (mask, nil)
    } else if mask.isProportioned(photograph.width, photograph.height) {
      (picture, whole) = (mask.fitted(framing), mask)
    } else if mask.isProportioned(photograph.height, photograph.width), orientation.swapsSides,
      decoded.orientation == .upright
    {
      mask = try Mask(decoded.picture.upright(orientation), name: name)
      (picture, whole) = (mask.fitted(framing), mask)
    } else if mask.isProportioned(target.width, target.height) {
      (picture, whole) = (mask.resized(width: target.width, height: target.height), nil)
    } else {
      throw ImageError.badData(
        name,
        "a mask of \(mask.width)x\(mask.height) pixels, wanted the proportions of the photograph, "
          + "\(photograph.width)x\(photograph.height), or of the edit, \(target.width)x\(target.height)"
      )
    }
    guard !picture.isBlack else {
      throw ImageError.badData(
        name,
        mask.isBlack
          ? "a mask that is black all over: there is nothing to change, wanted white somewhere"
          : "a mask that is black wherever the edit shows the photograph: there is nothing to change"
      )
    }
  }

  /// The mask at the photograph's own size. What the framing does not show is as it was given, else 0.
  public var photograph: Mask {
    let size = framing.photograph
    if let whole { return whole.resized(width: size.width, height: size.height) }
    let pixels = framing.seenPixels
    let part = picture.cropped(framing.shown)
      .resized(framing.seenPixelsShown, width: pixels.width, height: pixels.height)
    var values = [Float](repeating: 0, count: size.width * size.height)
    for row in 0..<pixels.height {
      let start = (pixels.y + row) * size.width + pixels.x
      values.replaceSubrange(
        start..<start + pixels.width,
        with: part.values[row * pixels.width..<(row + 1) * pixels.width])
    }
    return Mask(width: size.width, height: size.height, values: values)
  }
}
