// How alike two pictures are in structure.

import Glibc
import Images

/// The structural similarity index (Wang et al., "Image Quality Assessment: From Error Visibility to Structural
/// Similarity", IEEE Transactions on Image Processing 2004, equation 13): windows of 11 by 11 pixels weighted by a
/// Gaussian of standard deviation 1.5, K1 0.01 and K2 0.03, the mean of the three channels.
///
/// It is -1 to 1, 1 for equal pictures. Only windows that lie wholly within the picture count, as in scikit-image's
/// `structural_similarity` with `gaussian_weights=True, use_sample_covariance=False`.
public enum StructuralSimilarity {
  private static let radius = 5
  /// K1 and K2 times 255, squared.
  private static let stabilizers = (mean: 6.5025, variance: 58.5225)

  /// The mean over the windows whose middle is in the region; nil where there is none.
  /// - Precondition: all have the same size.
  public static func mean(_ first: Picture, _ second: Picture, in region: Region) -> Double? {
    precondition((first.width, first.height) == (second.width, second.height))
    precondition((first.width, first.height) == (region.width, region.height))
    guard first.width > 2 * radius, first.height > 2 * radius else { return nil }
    let maps = (0..<3).map { map(plane(first, $0), plane(second, $0), width: first.width) }
    let (width, height) = (first.width - 2 * radius, first.height - 2 * radius)
    var (sum, count) = (0.0, 0)
    for y in 0..<height {
      for x in 0..<width where region.contains[(y + radius) * first.width + x + radius] {
        for map in maps { sum += map[y * width + x] }
        count += 3
      }
    }
    return count == 0 ? nil : sum / Double(count)
  }

  private static func plane(_ picture: Picture, _ channel: Int) -> [Double] {
    stride(from: channel, to: picture.pixels.count, by: 3).map { Double(picture.pixels[$0]) }
  }

  /// The index of each window, `[height - 10, width - 10]`, of one channel, `[height, width]`.
  private static func map(_ x: [Double], _ y: [Double], width: Int) -> [Double] {
    func smooth(_ values: [Double]) -> [Double] { filtered(values, width: width) }
    let (meanX, meanY) = (smooth(x), smooth(y))
    let (squareX, squareY) = (smooth(x.map { $0 * $0 }), smooth(y.map { $0 * $0 }))
    let product = smooth(zip(x, y).map { $0 * $1 })
    return meanX.indices.map { index in
      let (mx, my) = (meanX[index], meanY[index])
      let variances = squareX[index] - mx * mx + squareY[index] - my * my
      let covariance = product[index] - mx * my
      return (2 * mx * my + stabilizers.mean) * (2 * covariance + stabilizers.variance)
        / ((mx * mx + my * my + stabilizers.mean) * (variances + stabilizers.variance))
    }
  }

  private static let weights: [Double] = {
    let all = (-radius...radius).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
    let sum = all.reduce(0, +)
    return all.map { $0 / sum }
  }()

  /// Filtered across and then down, without the margins: `[height - 10, width - 10]`.
  private static func filtered(_ values: [Double], width: Int) -> [Double] {
    let height = values.count / width
    let (innerWidth, innerHeight) = (width - 2 * radius, height - 2 * radius)
    var across = [Double](repeating: 0, count: height * innerWidth)
    for y in 0..<height {
      for x in 0..<innerWidth {
        var sum = 0.0
        for (tap, weight) in weights.enumerated() { sum += weight * values[y * width + x + tap] }
        across[y * innerWidth + x] = sum
      }
    }
    var result = [Double](repeating: 0, count: innerHeight * innerWidth)
    for (tap, weight) in weights.enumerated() {
      for index in result.indices { result[index] += weight * across[index + tap * innerWidth] }
    }
    return result
  }
}
