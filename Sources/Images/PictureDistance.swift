// How far apart two pictures are.

import Glibc

extension Picture {
  /// The mean of the squared differences of all samples, 0 to 255 squared.
  /// - Precondition: both have the same size.
  public func meanSquaredError(to other: Picture) -> Double {
    precondition(
      width == other.width && height == other.height,
      "\(width)x\(height) compared to \(other.width)x\(other.height)")
    var sum = 0
    for (a, b) in zip(pixels, other.pixels) {
      let difference = Int(a) - Int(b)
      sum += difference * difference
    }
    return Double(sum) / Double(pixels.count)
  }

  /// The peak signal-to-noise ratio in decibels, `10 log10(255^2 / mean squared error)`; infinite
  /// for equal pictures.
  /// - Precondition: both have the same size.
  public func psnr(to other: Picture) -> Double {
    10 * log10(255 * 255 / meanSquaredError(to: other))
  }
}
