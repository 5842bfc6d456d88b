// How much of one picture's structure another has, whatever their colours and light.

extension Picture {
  /// How many windows lie side by side in a picture's shorter side.
  private static let windows = 8
  /// The variance of brightness that hardly shows; windows with less count little.
  private static let leastVariance = 6.25

  /// The mean correlation of brightness (ITU-R BT.601) over windows of an eighth of the shorter side, each overlapping the
  /// next by half: near 1 for the same structure, also in other light, and near 0 for structures that have nothing to do
  /// with each other. Flat windows have no structure, so a picture's likeness to itself is below 1.
  /// - Precondition: both have the same size, at least 8 pixels a side.
  public func likeness(to other: Picture) -> Double {
    precondition((width, height) == (other.width, other.height) && min(width, height) >= 8)
    let (first, second) = (brightness, other.brightness)
    let side = min(width, height) / Self.windows
    let step = max(1, side / 2)
    var (sum, count) = (0.0, 0)
    for y in stride(from: 0, through: height - side, by: step) {
      for x in stride(from: 0, through: width - side, by: step) {
        var (a, b, aa, bb, ab) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for row in y..<y + side {
          for index in row * width + x..<row * width + x + side {
            let (p, q) = (first[index], second[index])
            a += p
            b += q
            aa += p * p
            bb += q * q
            ab += p * q
          }
        }
        let pixels = Double(side * side)
        let (meanA, meanB) = (a / pixels, b / pixels)
        let varianceA = max(0, aa / pixels - meanA * meanA) + Self.leastVariance
        let varianceB = max(0, bb / pixels - meanB * meanB) + Self.leastVariance
        sum += (ab / pixels - meanA * meanB) / (varianceA * varianceB).squareRoot()
        count += 1
      }
    }
    return sum / Double(count)
  }

  /// `[height, width]`, 0 to 255.
  private var brightness: [Double] {
    let weights = SIMD3(0.299, 0.587, 0.114)
    return stride(from: 0, to: pixels.count, by: 3).map { index in
      let pixel = SIMD3(pixels[index], pixels[index + 1], pixels[index + 2])
      return (weights * SIMD3<Double>(pixel)).sum()
    }
  }
}
