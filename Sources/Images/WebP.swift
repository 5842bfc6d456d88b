// WebP files, decoded by libwebp.

import CWebP

enum WebP {
  /// Decodes a still WebP picture; what is transparent is put on white.
  ///
  /// - Throws: `ImageError.badData`.
  static func decode(
    _ bytes: [UInt8], name: String, limits: PictureLimits
  ) throws -> (picture: Picture, orientation: Orientation) {
    guard let length = bytes.number(at: 4, size: 4, .littleEndian), length <= bytes.count - 8 else {
      throw ImageError.badData(name, "a truncated WebP: it ends at byte \(bytes.count)")
    }
    var features = WebPBitstreamFeatures()
    let status = WebPGetFeatures(bytes, bytes.count, &features)
    guard status == VP8_STATUS_OK else {
      throw ImageError.badData(name, "a damaged WebP: its header can't be read")
    }
    guard features.has_animation == 0 else {
      throw ImageError.badData(name, "an animated WebP, wanted a still picture")
    }
    let (width, height) = (Int(features.width), Int(features.height))
    try limits.check(width: width, height: height, name: name)

    let channels = features.has_alpha != 0 ? 4 : 3
    let count = width * height * channels
    let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let decode = channels == 4 ? WebPDecodeRGBAInto : WebPDecodeRGBInto
      let stride = Int32(width * channels)
      guard decode(bytes, bytes.count, buffer.baseAddress, count, stride) != nil else {
        throw ImageError.badData(name, "a truncated or damaged WebP: its picture can't be decoded")
      }
      initialized = count
    }
    let picture = Picture(
      width: width, height: height, pixels: channels == 4 ? Alpha.onWhite(rgba: pixels) : pixels)
    return (picture, orientation(bytes))
  }

  /// What the EXIF chunk tells, if there is one: chunks of a name, a length and data of an even
  /// number of bytes.
  private static func orientation(_ bytes: [UInt8]) -> Orientation {
    var offset = 12
    while let length = bytes.number(at: offset + 4, size: 4, .littleEndian),
      length <= bytes.count - offset - 8
    {
      var data = offset + 8..<offset + 8 + length
      if bytes.holds("EXIF", at: offset) {
        // Some writers keep the prefix that JPEG has.
        if length >= 6 && bytes.holds("Exif\0\0", at: data.lowerBound) { data = data.dropFirst(6) }
        return Orientation(exif: bytes, in: data)
      }
      offset = data.upperBound + length % 2
    }
    return .upright
  }
}
