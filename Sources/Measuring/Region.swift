// Which pixels of a picture count.

import Images

/// A part of a picture's pixels, in any form.
public struct Region: Equatable, Sendable {
  public let width: Int
  public let height: Int
  /// `[height, width]`, row-major.
  public let contains: [Bool]

  /// - Precondition: one truth value for each pixel.
  public init(width: Int, height: Int, contains: [Bool]) {
    precondition(contains.count == width * height, "\(contains.count) for \(width)x\(height)")
    self.width = width
    self.height = height
    self.contains = contains
  }

  /// All of a picture.
  public init(allOf picture: Picture) {
    self.init(
      width: picture.width, height: picture.height,
      contains: Array(repeating: true, count: picture.width * picture.height))
  }

  /// What a mask shows white.
  ///
  /// All that is lighter than 5% counts: a mask's edge that was resized is grey, and what it covers in part may differ.
  public init(white mask: Picture) {
    self.init(width: mask.width, height: mask.height) { pixel in
      (0..<3).contains { mask.pixels[pixel * 3 + $0] > 12 }
    }
  }

  /// Where two pictures differ in any channel by more than `tolerance` of 255.
  /// - Precondition: both have the same size.
  public init(differing first: Picture, from second: Picture, beyond tolerance: Int) {
    precondition((first.width, first.height) == (second.width, second.height))
    self.init(width: first.width, height: first.height) { pixel in
      (0..<3).contains { channel in
        let index = pixel * 3 + channel
        return abs(Int(first.pixels[index]) - Int(second.pixels[index])) > tolerance
      }
    }
  }

  private init(width: Int, height: Int, where isIn: (Int) -> Bool) {
    self.init(width: width, height: height, contains: (0..<width * height).map(isIn))
  }

  /// The pixels that are not in it.
  public var complement: Region {
    Region(width: width, height: height, contains: contains.map { !$0 })
  }

  /// Intersection over union with another region, 0 to 1; nil where both are empty.
  /// - Precondition: both have the same size.
  public func overlap(with other: Region) -> Double? {
    precondition((width, height) == (other.width, other.height))
    var (both, either) = (0, 0)
    for (isIn, isInOther) in zip(contains, other.contains) {
      both += isIn && isInOther ? 1 : 0
      either += isIn || isInOther ? 1 : 0
    }
    return either == 0 ? nil : Double(both) / Double(either)
  }

  /// How many pixels are in it.
  public var count: Int { contains.reduce(0) { $0 + ($1 ? 1 : 0) } }

  /// The share of the picture that is in it, 0 to 1.
  public var share: Double { Double(count) / Double(contains.count) }
}

extension Picture {
  /// This picture with the pixels of a region taken from another.
  /// - Precondition: all have the same size.
  public func replacing(_ region: Region, from other: Picture) -> Picture {
    precondition((width, height) == (other.width, other.height))
    precondition((width, height) == (region.width, region.height))
    var bytes = pixels
    for (pixel, isIn) in region.contains.enumerated() where isIn {
      for index in pixel * 3..<pixel * 3 + 3 { bytes[index] = other.pixels[index] }
    }
    return Picture(width: width, height: height, pixels: bytes)
  }

  /// The mean of the squared differences of a region's samples, 0 to 255 squared; nil where the region is empty.
  /// - Precondition: all have the same size.
  public func meanSquaredError(to other: Picture, in region: Region) -> Double? {
    precondition((width, height) == (other.width, other.height))
    precondition((width, height) == (region.width, region.height))
    var (sum, count) = (0, 0)
    for (pixel, isIn) in region.contains.enumerated() where isIn {
      for index in pixel * 3..<pixel * 3 + 3 {
        let difference = Int(pixels[index]) - Int(other.pixels[index])
        sum += difference * difference
      }
      count += 3
    }
    return count == 0 ? nil : Double(sum) / Double(count)
  }
}
