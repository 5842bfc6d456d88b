// Antialiased lines and markers drawn into pictures.

/// A rectangle of whole pixels, its right and bottom sides not in it.
struct PixelBox: Equatable {
  var left, top, right, bottom: Int

  func intersects(_ other: PixelBox) -> Bool {
    left < other.right && other.left < right && top < other.bottom && other.top < bottom
  }

  func contains(_ x: Double, _ y: Double) -> Bool {
    Double(left) <= x && x < Double(right) && Double(top) <= y && y < Double(bottom)
  }

  func intersection(_ other: PixelBox) -> PixelBox {
    PixelBox(
      left: max(left, other.left), top: max(top, other.top), right: min(right, other.right),
      bottom: min(bottom, other.bottom))
  }
}

/// The shapes that tell curves apart without their colours.
enum Marker: CaseIterable {
  case disc, square, triangle, diamond

  /// How far a place is outside of the marker about the origin, negative inside, for a marker of `radius`.
  func distance(_ x: Double, _ y: Double, radius: Double) -> Double {
    switch self {
    case .disc: (x * x + y * y).squareRoot() - radius
    case .square: max(abs(x), abs(y)) - 0.85 * radius
    case .diamond: (abs(x) + abs(y)) * 0.5.squareRoot() - 0.85 * radius
    // Its three sides, the point up; down is positive.
    case .triangle: max(y - 0.75 * radius, abs(x) * 0.87 - y * 0.5 - 0.65 * radius)
    }
  }
}

extension Picture {
  /// A line through points in pixels, with round ends and joints; only what lies in `clip` is drawn.
  mutating func stroke(
    _ points: [SIMD2<Double>], width: Double, color: SIMD3<UInt8>, clip: PixelBox
  ) {
    guard let first = points.first else { return }
    let reach = width / 2 + 1
    let (least, most) = points.reduce((first, first)) {
      (pointwiseMin($0.0, $1), pointwiseMax($0.1, $1))
    }
    paint(
      around: PixelBox(least - reach, most + reach).intersection(clip), color: color
    ) { place in
      var nearest = (place - first).squaredLength
      for (start, end) in zip(points, points.dropFirst()) {
        let along = end - start
        let length = along.squaredLength
        let share =
          length == 0 ? 0 : min(max(((place - start) * along).sum() / length, 0), 1)
        nearest = min(nearest, (place - start - along * share).squaredLength)
      }
      return nearest.squareRoot() - width / 2
    }
  }

  /// A marker in the middle of a place in pixels.
  mutating func draw(
    _ marker: Marker, at center: SIMD2<Double>, radius: Double, color: SIMD3<UInt8>, clip: PixelBox
  ) {
    let box = PixelBox(center - radius - 1, center + radius + 1).intersection(clip)
    paint(around: box, color: color) { place in
      marker.distance(place.x - center.x, place.y - center.y, radius: radius)
    }
  }

  /// Blends a colour over what `distance` tells to be inside, by how far a pixel's middle is from the edge.
  private mutating func paint(
    around box: PixelBox, color: SIMD3<UInt8>, distance: (SIMD2<Double>) -> Double
  ) {
    let box = box.intersection(PixelBox(left: 0, top: 0, right: width, bottom: height))
    guard box.left < box.right, box.top < box.bottom else { return }
    for y in box.top..<box.bottom {
      for x in box.left..<box.right {
        let share = min(max(0.5 - distance([Double(x) + 0.5, Double(y) + 0.5]), 0), 1)
        guard share > 0 else { continue }
        let (old, new) = (SIMD3<Double>(self[x, y]), SIMD3<Double>(color))
        self[x, y] = SIMD3<UInt8>((old + (new - old) * share).rounded(.toNearestOrEven))
      }
    }
  }
}

extension PixelBox {
  fileprivate init(_ least: SIMD2<Double>, _ most: SIMD2<Double>) {
    // Far outside of any picture it makes no difference how far.
    func whole(_ value: Double) -> Int { Int(min(max(value.rounded(.down), -1e6), 1e6)) }
    self.init(
      left: whole(least.x), top: whole(least.y), right: whole(most.x) + 1,
      bottom: whole(most.y) + 1)
  }
}

extension SIMD2<Double> {
  fileprivate var squaredLength: Double { (self * self).sum() }
}
