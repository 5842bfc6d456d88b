// Where in the picture things and photographs come to lie, in pixels.

import Images

extension Scene {
  /// How far down a thing stands whose `down` is 0 and 1, and how far up its photograph's ground must reach beyond.
  private static let nearest: Float = 0.95
  private static let farthest: Float = 0.76
  private static let groundMargin: Float = 0.05
  private static let edge: Float = 0.02

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
    let side = min(most * mix(0.62, 1, crop.size), max(enough, most * 0.4))
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
    // Beside another, and at a side, there is less room.
    let widest: Float =
      subject.isPair || subject.besideMiddle ? 0.42 : subject.position == .middle ? 0.9 : 0.56
    let tallest: Float = 0.82
    let extents = sizes.map { size -> (width: Float, height: Float) in
      let longer = Float(max(size.width, size.height))
      let width = subject.size * Float(size.width) / longer
      let height = subject.size * Float(size.height) / longer
      let most: Float = subject.besideMiddle ? 0.3 : widest
      let shrink = min(1, most / width, tallest / height)
      return (width * shrink, height * shrink)
    }
    let half = (extents.map(\.width).max() ?? 0) / 2
    let least = half + Self.edge
    var centers: [Float] = []
    if subject.isPair {
      if subject.besideMiddle {
        let first = middle
        let second = mix(
          min(first + 2 * half + Self.edge, 1 - least), 1 - least, subject.secondAcross)
        centers = [first, subject.secondOnLeft ? 2 * first - second : second]
        centers[1] = min(max(centers[1], least), 1 - least)
      } else {
        let first = mix(least, max(least, 1 - 3 * half - 2 * Self.edge), subject.across * 0.7)
        let second = mix(
          min(first + 2 * half + Self.edge, 1 - least), 1 - least, subject.secondAcross)
        centers = subject.secondOnLeft ? [1 - first, 1 - second] : [first, second]
      }
    } else {
      switch subject.position {
      case .middle: centers = [middle]
      case .left: centers = [mix(least, max(least, 0.3), subject.across)]
      case .right: centers = [1 - mix(least, max(least, 0.3), subject.across)]
      }
    }
    let downs = [subject.down, min(max(subject.down + 0.3 * (subject.secondDown - 0.5), 0), 1)]
    return zip(extents.indices, centers).map { index, center in
      let down = downs[index]
      // What stands nearer is larger.
      let nearness = subject.stand == .ground ? mix(0.88, 1.08, down) : 1
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

  private var middle: Float { mix(0.43, 0.57, subject?.across ?? 0.5) }
}

/// A rectangle of whole pixels, which may stand out of the picture.
struct Frame: Equatable {
  var x, y, width, height: Int
}
