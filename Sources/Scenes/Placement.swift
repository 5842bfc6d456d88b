// Where in the picture things and photographs come to lie, in pixels.

import Images

extension Scene {
  /// How far down a thing stands whose `down` is 0 and 1, and how far up its photograph's ground must reach beyond.
  private static let nearest: Float = 0.95
  private static let farthest: Float = 0.76
  /// How much larger than its size a thing is drawn there, where it stands on the ground.
  fileprivate static let nearestScale: Float = 1.08
  private static let farthestScale: Float = 0.88
  private static let groundMargin: Float = 0.05
  fileprivate static let edge: Float = 0.02

  /// The part of the photograph that is shown: a square in its box, whose ground reaches up to where the things stand.
  func area(of picture: TransparentPicture) -> Area {
    let (width, height) = (Float(picture.width), Float(picture.height))
    let box = photograph.box
    let (left, top) = (box.left * width, box.top * height)
    let (right, bottom) = (box.right * width, box.bottom * height)
    let most = min(right - left, bottom - top)
    let reach = mix(Self.farthest, Self.nearest, subject?.down ?? 0.5) - Self.groundMargin
    let ground = photograph.ground * height
    // Where little ground is in the photograph, less of it is shown.
    let enough = (bottom - ground) / (1 - reach)
    let side = min(most * mix(0.8, 1, crop.size), max(enough, most * 0.4))
    let lowest = bottom - side
    let highest = min(max(top, ground - reach * side), lowest)
    return Area(
      x: mix(left, right - side, crop.across), y: mix(highest, lowest, crop.down * crop.down),
      width: side, height: side)
  }

  /// Where the things lie in a picture of `side` pixels, each a rectangle of whole pixels.
  /// - Parameter sizes: width and height of the trimmed cut-outs.
  func frames(of sizes: [(width: Int, height: Int)], side: Int) -> [Frame] {
    guard let subject else { return [] }
    let count = Float(side)
    let tallest: Float = 0.82
    let extents = sizes.map { size -> (width: Float, height: Float) in
      let longer = Float(max(size.width, size.height))
      let width = subject.size * Float(size.width) / longer
      let height = subject.size * Float(size.height) / longer
      let shrink = min(1, subject.widest / width, tallest / height)
      return (width * shrink, height * shrink)
    }
    let centers = subject.centers(widest: extents.map(\.width).max() ?? 0)
    let downs = [subject.down, min(max(subject.down + 0.3 * (subject.secondDown - 0.5), 0), 1)]
    return zip(extents.indices, centers).map { index, center in
      let down = downs[index]
      // What stands nearer is larger.
      let nearness = subject.stand == .ground ? mix(Self.farthestScale, Self.nearestScale, down) : 1
      let (width, height) = (extents[index].width * nearness, extents[index].height * nearness)
      let bottom: Float =
        subject.stand == .ground
        ? mix(Self.farthest, Self.nearest, down) : mix(0.06, 0.3, 1 - down) + height
      let (columns, rows) = (max(2, Int(width * count + 0.5)), max(2, Int(height * count + 0.5)))
      return Frame(
        x: Int((center * count - Float(columns) / 2).rounded()),
        y: Int((bottom * count).rounded()) - rows, width: columns, height: rows)
    }
  }
}

extension Scene.Subject {
  /// Where the middles of the things are, across, so that none stands out of the picture and two stand apart.
  /// - Parameter widest: the width of the wider one.
  fileprivate func centers(widest: Float) -> [Float] {
    let middle = mix(0.43, 0.57, across)
    let half = widest / 2 * (isPair ? Scene.nearestScale : 1)
    let least = half + Scene.edge
    /// Where the second is, for a first that is nearer to the left edge.
    func second(after first: Float) -> Float {
      mix(min(first + 2 * half + Scene.edge, 1 - least), 1 - least, secondAcross)
    }
    if isPair && besideMiddle {
      // Where there is more room.
      return middle > 0.5
        ? [middle, 1 - second(after: 1 - middle)] : [middle, second(after: middle)]
    }
    if isPair {
      let first = mix(least, max(least, 1 - 3 * half - 2 * Scene.edge), across * 0.7)
      let both = [first, second(after: first)]
      return secondOnLeft ? both.map { 1 - $0 } : both
    }
    switch position {
    case .middle:
      // What is nearly as wide as the picture has little room to stand aside.
      let room = max(0, 0.5 - widest / 2 * Scene.nearestScale)
      return [0.5 + min(max(middle - 0.5, -room), room)]
    case .left: return [mix(least, max(least, 0.3), across)]
    case .right: return [1 - mix(least, max(least, 0.3), across)]
    }
  }
}

/// A rectangle of whole pixels, which may stand out of the picture.
struct Frame: Equatable {
  var x, y, width, height: Int
}
