// Which way up a camera held the picture: the EXIF tag, and turning the picture upright.

/// The EXIF orientation: where the picture's first row and first column belong (EXIF 2.32, 4.6.4,
/// tag 0x0112).
public enum Orientation: Int, CaseIterable, Sendable {
  case upright = 1
  case mirrored = 2
  case halfTurned = 3
  case flipped = 4
  case transposed = 5
  /// To be turned a quarter clockwise.
  case clockwise = 6
  case transverse = 7
  /// To be turned a quarter counterclockwise.
  case counterclockwise = 8

  /// Whether the upright picture is as wide as the stored one is high.
  var swapsSides: Bool { rawValue >= 5 }

  /// The orientation that the bytes `range` of a file, a TIFF structure as EXIF has it, tell.
  /// Upright where they tell none or are damaged: a broken note must not cost the picture.
  init(exif bytes: [UInt8], in range: Range<Int>) {
    let tiff = Array(bytes[range])
    let order: ByteOrder
    if tiff.holds("II*\0", at: 0) {
      order = .littleEndian
    } else if tiff.holds("MM\0*", at: 0) {
      order = .bigEndian
    } else {
      self = .upright
      return
    }
    let shortType = 3
    guard let directory = tiff.number(at: 4, size: 4, order),
      let entries = tiff.number(at: directory, size: 2, order)
    else {
      self = .upright
      return
    }
    for entry in 0..<entries {
      let offset = directory + 2 + entry * 12
      guard let tag = tiff.number(at: offset, size: 2, order) else { break }
      guard tag == 0x0112 else { continue }
      guard tiff.number(at: offset + 2, size: 2, order) == shortType,
        let value = tiff.number(at: offset + 8, size: 2, order)
      else { break }
      self = Orientation(rawValue: value) ?? .upright
      return
    }
    self = .upright
  }
}

extension Picture {
  /// The picture turned and mirrored so that its top is up.
  public func upright(_ orientation: Orientation) -> Picture {
    guard orientation != .upright else { return self }
    let (targetWidth, targetHeight) = orientation.swapsSides ? (height, width) : (width, height)
    var turned = [UInt8]()
    turned.reserveCapacity(pixels.count)
    for y in 0..<targetHeight {
      for x in 0..<targetWidth {
        let source: (x: Int, y: Int)
        switch orientation {
        case .upright: source = (x, y)
        case .mirrored: source = (width - 1 - x, y)
        case .halfTurned: source = (width - 1 - x, height - 1 - y)
        case .flipped: source = (x, height - 1 - y)
        case .transposed: source = (y, x)
        case .clockwise: source = (y, height - 1 - x)
        case .transverse: source = (width - 1 - y, height - 1 - x)
        case .counterclockwise: source = (width - 1 - y, x)
        }
        let offset = (source.y * width + source.x) * 3
        turned.append(pixels[offset])
        turned.append(pixels[offset + 1])
        turned.append(pixels[offset + 2])
      }
    }
    return Picture(width: targetWidth, height: targetHeight, pixels: turned)
  }
}
