// PNG files, decoded and encoded by libpng's simplified interface.

import CPNG
import Glibc

enum PNG {
  /// Decodes a PNG file of any kind to sRGB; what is transparent is put on white.
  ///
  /// - Throws: `ImageError.badData`.
  static func decode(
    _ bytes: [UInt8], name: String, limits: PictureLimits
  ) throws -> (picture: Picture, orientation: Orientation) {
    let chunks = try PNGChunk.list(bytes, name: name)
    var orientation = Orientation.upright
    if let exif = chunks.first(where: { $0.type == "eXIf" }) {
      orientation = Orientation(exif: bytes, in: exif.data)
    }

    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    let picture: Picture = try bytes.withUnsafeBytes { file in
      guard png_image_begin_read_from_memory(&image, file.baseAddress, file.count) != 0 else {
        throw ImageError.badData(name, "a damaged PNG: \(message(of: image))")
      }
      let (width, height) = (Int(image.width), Int(image.height))
      try limits.check(width: width, height: height, name: name)
      try checkPlausible(chunks, bytes, height: height, name: name)
      // Samples of 16 bits without a gamma are sRGB, as every viewer takes them; libpng's own
      // assumption is linear light.
      image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
      let hasAlpha = image.format & png_uint_32(PNG_FORMAT_FLAG_ALPHA) != 0
      image.format = png_uint_32(PNG_FORMAT_RGB | (hasAlpha ? PNG_FORMAT_FLAG_ALPHA : 0))
      let count = width * height * (hasAlpha ? 4 : 3)
      let header = chunks[0].data.lowerBound
      if bytes[header + 8] == 16 && bytes[header + 12] == 1 {
        // libpng (1.6.39 does; its issue 853) mixes up the rows of interlaced pictures
        // when it makes 8 bits of 16; as 16 bits of linear light they come right.
        image.format |= png_uint_32(PNG_FORMAT_FLAG_LINEAR)
        let linear: [UInt16] = try finish(&image, count, name: name)
        return Picture(
          width: width, height: height, pixels: encoded(linear: linear, hasAlpha: hasAlpha))
      }
      let pixels: [UInt8] = try finish(&image, count, name: name)
      return Picture(
        width: width, height: height, pixels: hasAlpha ? Alpha.onWhite(rgba: pixels) : pixels)
    }
    return (picture, orientation)
  }

  private static func finish<Sample: FixedWidthInteger>(
    _ image: inout png_image, _ count: Int, name: String
  ) throws -> [Sample] {
    try [Sample](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard png_image_finish_read(&image, nil, buffer.baseAddress, 0, nil) != 0 else {
        throw ImageError.badData(name, "a damaged PNG: \(message(of: image))")
      }
      initialized = count
    }
  }

  /// Eight bits of 16 bits of linear light, over white. libpng takes sRGB's curve for a power of
  /// 2.2, and so does this, which turns libpng's work back.
  private static func encoded(linear: [UInt16], hasAlpha: Bool) -> [UInt8] {
    let channels = hasAlpha ? 4 : 3
    var pixels: [UInt8] = []
    pixels.reserveCapacity(linear.count / channels * 3)
    for pixel in stride(from: 0, to: linear.count, by: channels) {
      // Colours are already multiplied by alpha.
      let white = hasAlpha ? 65_535 - Float(linear[pixel + 3]) : 0
      for channel in 0..<3 {
        let light = min((Float(linear[pixel + channel]) + white) / 65_535, 1)
        pixels.append(UInt8((255 * powf(light, 1 / 2.2)).rounded()))
      }
    }
    return pixels
  }

  /// Refuses a file too short to hold its picture: deflate shrinks at most 1032 times, and a row
  /// takes at least two bytes. So a few bytes can't ask for hundreds of megabytes.
  private static func checkPlausible(
    _ chunks: [PNGChunk], _ bytes: [UInt8], height: Int, name: String
  ) throws {
    let header = chunks[0].data.lowerBound
    let samples = [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][Int(bytes[header + 9])] ?? 1
    let width = bytes.number(at: header, size: 4, .bigEndian) ?? 0
    let rowBytes = (width * samples * Int(bytes[header + 8]) + 7) / 8
    let compressed = chunks.filter { $0.type == "IDAT" }.reduce(0) { $0 + $1.data.count }
    guard rowBytes * height / 1032 <= compressed else {
      throw ImageError.badData(
        name, "a damaged PNG: \(compressed) bytes of data for a picture of \(width)x\(height)")
    }
  }

  private static func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { raw in
      String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// The bytes of an 8-bit RGB PNG file, marked sRGB. The same picture gives the same bytes.
  static func encode(_ picture: Picture) throws -> [UInt8] {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    image.width = png_uint_32(picture.width)
    image.height = png_uint_32(picture.height)
    image.format = png_uint_32(PNG_FORMAT_RGB)
    defer { png_image_free(&image) }
    let most = shim_png_size_max(image)
    return try [UInt8](unsafeUninitializedCapacity: most) { buffer, initialized in
      var size = png_alloc_size_t(most)
      guard
        png_image_write_to_memory(&image, buffer.baseAddress, &size, 0, picture.pixels, 0, nil) != 0
      else {
        throw ImageError.badData("a picture to be written as PNG", message(of: image))
      }
      initialized = Int(size)
    }
  }
}
