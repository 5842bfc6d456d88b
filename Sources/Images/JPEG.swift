// JPEG files, decoded by libjpeg-turbo.

import CJPEG

enum JPEG {
  /// Decodes a JPEG file: colour, grey, or CMYK. A file about which the decoder has anything to
  /// warn (truncated, damaged) is refused.
  ///
  /// - Throws: `ImageError.badData`.
  static func decode(
    _ bytes: [UInt8], name: String, limits: PictureLimits
  ) throws -> (picture: Picture, orientation: Orientation) {
    guard let decoder = tjInitDecompress() else {
      throw ImageError.badData(name, "the JPEG decoder did not start")
    }
    defer { tjDestroy(decoder) }
    func failure() -> ImageError {
      let reason = tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "unknown reason"
      return .badData(name, "a truncated or damaged JPEG: \(reason)")
    }

    var (width, height, subsampling, colors): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    let size = CUnsignedLong(bytes.count)
    guard
      tjDecompressHeader3(decoder, bytes, size, &width, &height, &subsampling, &colors) == 0
    else { throw failure() }
    try limits.check(width: Int(width), height: Int(height), name: name)

    let isCMYK = colors == Int32(TJCS_CMYK.rawValue) || colors == Int32(TJCS_YCCK.rawValue)
    let format = Int32(isCMYK ? TJPF_CMYK.rawValue : TJPF_RGB.rawValue)
    let count = Int(width) * Int(height) * (isCMYK ? 4 : 3)
    let flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT
    var pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard
        tjDecompress2(
          decoder, bytes, size, buffer.baseAddress, width, 0, height, format, Int32(flags)) == 0
      else { throw failure() }
      initialized = count
    }
    let notes = Notes(bytes)
    if isCMYK { pixels = rgb(cmyk: pixels, inverted: notes.isAdobe) }
    return (
      Picture(width: Int(width), height: Int(height), pixels: pixels), notes.orientation
    )
  }

  /// Red, green and blue of cyan, magenta, yellow and black, without a colour profile. Files that
  /// Adobe's marker is in hold 255 for no ink.
  private static func rgb(cmyk: [UInt8], inverted: Bool) -> [UInt8] {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(cmyk.count / 4 * 3)
    for pixel in stride(from: 0, to: cmyk.count, by: 4) {
      for channel in 0..<3 {
        let (ink, black) = (Int(cmyk[pixel + channel]), Int(cmyk[pixel + 3]))
        let product = inverted ? ink * black : (255 - ink) * (255 - black)
        pixels.append(UInt8((product + 127) / 255))
      }
    }
    return pixels
  }

  /// What the segments before the picture tell.
  private struct Notes {
    var orientation = Orientation.upright
    var isAdobe = false

    init(_ bytes: [UInt8]) {
      var offset = 2
      while let mark = bytes.number(at: offset, size: 2, .bigEndian), mark >> 8 == 0xFF {
        let marker = mark & 0xFF
        // A fill byte before a marker, or a marker without content.
        if marker == 0xFF || marker == 0x01 || (0xD0...0xD7).contains(marker) {
          offset += marker == 0xFF ? 1 : 2
          continue
        }
        let (startOfScan, endOfImage) = (0xDA, 0xD9)
        guard marker != startOfScan, marker != endOfImage,
          let length = bytes.number(at: offset + 2, size: 2, .bigEndian), length >= 2,
          length <= bytes.count - offset - 2
        else { return }
        let content = offset + 4..<offset + 2 + length
        if marker == 0xE1 && content.count >= 6 && bytes.holds("Exif\0\0", at: content.lowerBound) {
          orientation = Orientation(exif: bytes, in: content.dropFirst(6))
        }
        if marker == 0xEE && bytes.holds("Adobe", at: content.lowerBound) { isAdobe = true }
        offset = content.upperBound
      }
    }
  }
}
