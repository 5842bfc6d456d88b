// Puts transparent pixels on white.

import Glibc

enum Alpha {
  /// RGB of RGBA pixels over white, mixed in linear light, as light mixes.
  static func onWhite(rgba: [UInt8]) -> [UInt8] {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(rgba.count / 4 * 3)
    for pixel in stride(from: 0, to: rgba.count, by: 4) {
      let alpha = rgba[pixel + 3]
      for channel in 0..<3 {
        let value = rgba[pixel + channel]
        pixels.append(alpha == 255 ? value : mixed(value, alpha))
      }
    }
    return pixels
  }

  private static func mixed(_ value: UInt8, _ alpha: UInt8) -> UInt8 {
    let share = Float(alpha) / 255
    let linear = share * linearLight[Int(value)] + (1 - share)
    let encoded = linear <= 0.003_130_8 ? 12.92 * linear : 1.055 * powf(linear, 1 / 2.4) - 0.055
    return UInt8(min(max((encoded * 255).rounded(), 0), 255))
  }

  /// The linear light of each 8-bit sRGB value (IEC 61966-2-1).
  private static let linearLight: [Float] = (0..<256).map { index in
    let value = Float(index) / 255
    return value <= 0.040_45 ? value / 12.92 : powf((value + 0.055) / 1.055, 2.4)
  }
}
