// How loud the difference of two pictures is, in decibels.

import Glibc
import Images

/// The peak signal-to-noise ratio, `10 log10(255^2 / mean squared error)`.
public enum PeakSignalToNoise {
  /// What equal pictures have instead of infinity, which JSON can't hold and no mean survives.
  public static let most = 100.0

  /// In decibels, at most ``most``; nil where the region is empty.
  /// - Precondition: all have the same size.
  public static func decibels(_ first: Picture, _ second: Picture, in region: Region) -> Double? {
    first.meanSquaredError(to: second, in: region).map { min(10 * log10(255 * 255 / $0), most) }
  }
}
