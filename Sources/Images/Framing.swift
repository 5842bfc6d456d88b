// Where a photograph of any proportions lies in the picture that a model works at, and the way back.

/// A photograph's place in a picture of another size.
public struct Framing: Equatable, Sendable {
  /// A rectangle of whole pixels.
  struct Part: Equatable {
    var x, y, width, height: Int
  }

  public let photograph: (width: Int, height: Int)
  public let picture: (width: Int, height: Int)
  /// The part of the photograph that is seen, its sides anywhere, between pixels too.
  let seen: Picture.Box
  /// The part of the picture that shows it. What is around it repeats its edge.
  let shown: Part

  /// - Precondition: all sides are at least 1.
  public init(
    photograph: (width: Int, height: Int), picture: (width: Int, height: Int), fit: Fit = .crop
  ) {
    precondition(min(photograph.width, photograph.height, picture.width, picture.height) > 0)
    self.photograph = photograph
    self.picture = picture
    let whole = Picture.Box(
      x: 0, y: 0, width: Double(photograph.width), height: Double(photograph.height))
    let all = Part(x: 0, y: 0, width: picture.width, height: picture.height)
    let across = whole.width / Double(picture.width)
    let down = whole.height / Double(picture.height)
    switch fit {
    case .stretch: (seen, shown) = (whole, all)
    case .crop:
      let scale = min(across, down)
      // Where a side is covered whole, it is whole to the last bit.
      let width = across <= down ? whole.width : Double(picture.width) * scale
      let height = down <= across ? whole.height : Double(picture.height) * scale
      seen = Picture.Box(
        x: (whole.width - width) / 2, y: (whole.height - height) / 2, width: width, height: height)
      shown = all
    case .pad:
      let scale = min(1 / across, 1 / down)
      let width = min(picture.width, max(1, Int((whole.width * scale).rounded())))
      let height = min(picture.height, max(1, Int((whole.height * scale).rounded())))
      seen = whole
      shown = Part(
        x: (picture.width - width) / 2, y: (picture.height - height) / 2, width: width,
        height: height)
    }
  }

  /// The pixels of the photograph that are seen, those cut through by the part's sides included.
  var seenPixels: Part {
    let (left, top) = (Int(seen.x), Int(seen.y))
    let right = min(photograph.width, Int((seen.x + seen.width).rounded(.up)))
    let bottom = min(photograph.height, Int((seen.y + seen.height).rounded(.up)))
    return Part(x: left, y: top, width: right - left, height: bottom - top)
  }

  /// Where the pixels of the photograph that are seen lie in the part of the picture that shows them; it may go a little
  /// beyond its sides.
  var seenPixelsShown: Picture.Box {
    let pixels = seenPixels
    let across = Double(shown.width) / seen.width
    let down = Double(shown.height) / seen.height
    return Picture.Box(
      x: (Double(pixels.x) - seen.x) * across, y: (Double(pixels.y) - seen.y) * down,
      width: Double(pixels.width) * across, height: Double(pixels.height) * down)
  }

  public static func == (left: Framing, right: Framing) -> Bool {
    left.photograph == right.photograph && left.picture == right.picture
      && left.seen == right.seen && left.shown == right.shown
  }
}
