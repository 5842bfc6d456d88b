// How visible the border of a region is.

import Images

/// The seam around a region that was painted anew.
public enum Seam {
  /// How far apart neighbouring pixels are, one of which lies in the region and the other outside: the mean absolute
  /// difference over all such pairs, across and down, and the channels, 0 to 255. Nil where there is no such pair.
  /// - Precondition: the region has the picture's size.
  public static func jump(_ picture: Picture, around region: Region) -> Double? {
    precondition((picture.width, picture.height) == (region.width, region.height))
    var (sum, pairs) = (0, 0)
    for y in 0..<picture.height {
      for x in 0..<picture.width {
        let isIn = region.contains[y * picture.width + x]
        for (right, below) in [(x + 1, y), (x, y + 1)]
        where right < picture.width && below < picture.height
          && region.contains[below * picture.width + right] != isIn
        {
          let (one, other) = (picture[x, y], picture[right, below])
          for channel in 0..<3 { sum += abs(Int(one[channel]) - Int(other[channel])) }
          pairs += 1
        }
      }
    }
    return pairs == 0 ? nil : Double(sum) / Double(3 * pairs)
  }
}
