// A picture in memory: eight bits for each of red, green and blue.

/// An RGB picture in sRGB, rows from the top, pixels from the left, three bytes a pixel.
public struct Picture: Equatable, Sendable {
  public let width: Int
  public let height: Int
  /// `[height, width, 3]`, row-major.
  public internal(set) var pixels: [UInt8]

  /// - Precondition: width and height are at least 1, and there are `height * width * 3` bytes.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0, "a picture of \(width)x\(height)")
    precondition(pixels.count == width * height * 3, "\(pixels.count) bytes for \(width)x\(height)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// A picture of one colour (red, green, blue).
  public init(width: Int, height: Int, color: SIMD3<UInt8>) {
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    for index in 0..<width * height {
      for channel in 0..<3 { pixels[index * 3 + channel] = color[channel] }
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// The colour at column `x` and row `y`.
  public subscript(x: Int, y: Int) -> SIMD3<UInt8> {
    get {
      let offset = offset(x, y)
      return SIMD3(pixels[offset], pixels[offset + 1], pixels[offset + 2])
    }
    set {
      let offset = offset(x, y)
      for channel in 0..<3 { pixels[offset + channel] = newValue[channel] }
    }
  }

  private func offset(_ x: Int, _ y: Int) -> Int {
    precondition(
      x >= 0 && x < width && y >= 0 && y < height, "(\(x), \(y)) of \(width)x\(height)")
    return (y * width + x) * 3
  }

  /// The part of `width` by `height` whose top left corner is at (`x`, `y`).
  /// - Precondition: the part lies within the picture.
  public func cropped(x: Int, y: Int, width: Int, height: Int) -> Picture {
    precondition(x >= 0 && y >= 0 && x + width <= self.width && y + height <= self.height)
    var part = [UInt8]()
    part.reserveCapacity(width * height * 3)
    for row in y..<y + height {
      let start = (row * self.width + x) * 3
      part += pixels[start..<start + width * 3]
    }
    return Picture(width: width, height: height, pixels: part)
  }

  /// Copies `other` into this picture, its top left corner at (`x`, `y`).
  /// - Precondition: `other` fits.
  public mutating func paste(_ other: Picture, x: Int, y: Int) {
    precondition(x >= 0 && y >= 0 && x + other.width <= width && y + other.height <= height)
    for row in 0..<other.height {
      let source = row * other.width * 3
      let target = ((y + row) * width + x) * 3
      pixels.replaceSubrange(
        target..<target + other.width * 3, with: other.pixels[source..<source + other.width * 3])
    }
  }
}
