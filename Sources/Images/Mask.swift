// Where a picture may change: a number from 0, keep, to 1, change, for each pixel.

import Tensors

/// A mask in memory.
public struct Mask: Equatable, Sendable {
  public let width: Int
  public let height: Int
  /// `[height, width]`, row-major, 0 to 1.
  public private(set) var values: [Float]

  /// - Precondition: width and height are at least 1, and there are `height * width` values.
  public init(width: Int, height: Int, values: [Float]) {
    precondition(width > 0 && height > 0, "a mask of \(width)x\(height)")
    precondition(values.count == width * height, "\(values.count) values for \(width)x\(height)")
    self.width = width
    self.height = height
    self.values = values
  }

  /// The mask that a picture shows: black keeps, white changes, and grey between. Almost black is black and almost white
  /// is white, as files that lose a little in compression have them.
  ///
  /// - Throws: `ImageError.badData`, naming `name`, for a picture with colours.
  public init(_ picture: Picture, name: String) throws {
    let pixels = picture.pixels
    let colours = stride(from: 0, to: pixels.count, by: 3).count { index in
      let (red, green, blue) = (pixels[index], pixels[index + 1], pixels[index + 2])
      return max(red, green, blue) - min(red, green, blue) > Self.mostColour
    }
    let count = picture.width * picture.height
    guard colours * 100 <= count else {
      throw ImageError.badData(
        name,
        "a picture in colour, wanted a mask: white where the photograph may change, black "
          + "where it stays, grey between")
    }
    let values = (0..<count).map { index in
      let sum = (0..<3).reduce(0) { $0 + Int(pixels[index * 3 + $1]) }
      let level = (Float(sum) / 3 - Self.black) / (Self.white - Self.black)
      return min(max(level, 0), 1)
    }
    self.init(width: picture.width, height: picture.height, values: values)
  }

  /// By how much the channels of a grey pixel may differ, and which levels are black and white already.
  private static let mostColour: UInt8 = 32
  private static let black: Float = 16
  private static let white: Float = 239

  /// The mask as a picture that `init(_:name:)` reads again.
  public var picture: Picture {
    let bytes = values.flatMap { value in
      let level =
        value == 0 ? 0 : value == 1 ? 255 : Self.black + value * (Self.white - Self.black)
      return repeatElement(UInt8(level.rounded()), count: 3)
    }
    return Picture(width: width, height: height, pixels: bytes)
  }

  /// The mean of all values.
  public var share: Double { values.reduce(0) { $0 + Double($1) } / Double(values.count) }

  public var isBlack: Bool { values.allSatisfy { $0 == 0 } }
  public var isWhite: Bool { values.allSatisfy { $0 == 1 } }

  /// The mask for pictures that are `factor` times smaller across and down, such as latents: the mean of each block,
  /// `[1, height / factor, width / factor, 1]`.
  /// - Precondition: `factor` divides width and height.
  public func latent(factor: Int) -> Tensor {
    precondition(width % factor == 0 && height % factor == 0, "\(width)x\(height) by \(factor)")
    let small = resized(width: width / factor, height: height / factor)
    return Tensor(small.values, [1, small.height, small.width, 1])
  }

  /// The mask with every pixel white that lies at most `distance` pixels from a white one, measured straight.
  public func grown(by distance: Int) -> Mask {
    guard distance > 0 else { return self }
    let reach = Float(distance * distance)
    // What is left of a mask's value at a distance d is value - d^2 here, and white stands above all others.
    var heights = values.map { $0 == 1 ? reach : -Float.infinity }
    spread(&heights, falling: 1)
    return Mask(
      width: width, height: height, values: zip(values, heights).map { $1 >= 0 ? 1 : $0 })
  }

  /// The mask with a soft rim of `distance` pixels around it, which falls as `value - (d / (distance + 1))^2` with the
  /// distance d; where that is below 0, the mask is 0. Nothing within the mask is lowered.
  public func feathered(by distance: Int) -> Mask {
    guard distance > 0 else { return self }
    var heights = values.map { $0 > 0 ? $0 : -Float.infinity }
    spread(&heights, falling: 1 / Float((distance + 1) * (distance + 1)))
    return Mask(
      width: width, height: height, values: zip(values, heights).map { max($0, $1, 0) })
  }

  /// Raises each height to the largest of `height(q) - falling * |p - q|^2` over all pixels q: a dilation by a paraboloid,
  /// across and then down.
  private func spread(_ heights: inout [Float], falling: Float) {
    var envelope = ParabolaEnvelope(length: max(width, height), falling: falling)
    for y in 0..<height { envelope.raise(&heights, from: y * width, stride: 1, count: width) }
    for x in 0..<width { envelope.raise(&heights, from: x, stride: width, count: height) }
  }
}

/// The upper envelope of parabolas that stand on a row of points, in time linear in their number (Felzenszwalb and
/// Huttenlocher, "Distance Transforms of Sampled Functions", 2012, section 2).
private struct ParabolaEnvelope {
  private let falling: Float
  /// The points whose parabolas are in the envelope, and where each begins to be the highest.
  private var points: [Int]
  private var begins: [Float]
  private var row: [Float]

  init(length: Int, falling: Float) {
    self.falling = falling
    points = Array(repeating: 0, count: length)
    begins = Array(repeating: 0, count: length)
    row = Array(repeating: 0, count: length)
  }

  mutating func raise(_ heights: inout [Float], from start: Int, stride: Int, count: Int) {
    var last = -1
    for point in 0..<count {
      row[point] = heights[start + point * stride]
      guard row[point] > -.infinity else { continue }
      var begin = -Float.infinity
      while last >= 0 {
        begin = crossing(points[last], point)
        guard begin <= begins[last] else { break }
        last -= 1
        begin = -.infinity
      }
      last += 1
      points[last] = point
      begins[last] = begin
    }
    guard last >= 0 else { return }
    var current = 0
    for point in 0..<count {
      while current < last, begins[current + 1] < Float(point) { current += 1 }
      let distance = Float(point - points[current])
      heights[start + point * stride] = row[points[current]] - falling * distance * distance
    }
  }

  /// Where the parabola of the later of two points rises above that of the earlier.
  private func crossing(_ earlier: Int, _ later: Int) -> Float {
    let (a, b) = (Float(earlier), Float(later))
    return (a + b) / 2 + (row[earlier] - row[later]) / (2 * falling * (b - a))
  }
}
