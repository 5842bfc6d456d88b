// PNG files written quickly, for folders of many thousand pictures.

import CPNG

extension PNG {
  /// The bytes of an 8-bit PNG file: colour of three bytes a pixel, grey of one. Compressed little, and quickly; the
  /// same pixels give the same bytes.
  static func encodeFast(_ pixels: [UInt8], width: Int, height: Int) throws -> [UInt8] {
    let isColour = pixels.count == width * height * 3
    precondition(isColour || pixels.count == width * height)
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    image.width = png_uint_32(width)
    image.height = png_uint_32(height)
    image.format = isColour ? png_uint_32(PNG_FORMAT_RGB) : png_uint_32(PNG_FORMAT_GRAY)
    image.flags |= png_uint_32(PNG_IMAGE_FLAG_FAST)
    defer { png_image_free(&image) }
    let most = shim_png_size_max(image)
    return try [UInt8](unsafeUninitializedCapacity: most) { buffer, initialized in
      var size = png_alloc_size_t(most)
      guard png_image_write_to_memory(&image, buffer.baseAddress, &size, 0, pixels, 0, nil) != 0
      else { throw ImageError.badData("a picture to be written as PNG", "it could not be encoded") }
      initialized = Int(size)
    }
  }
}

extension Picture {
  /// The picture as a PNG file that is written quickly and is larger for it.
  /// - Throws: `ImageError.badData` where libpng fails.
  public func fastPNG() throws -> [UInt8] {
    try PNG.encodeFast(pixels, width: width, height: height)
  }
}

/// A grey PNG file of a mask: `[height, width]`, 0 for black to 255 for white.
/// - Throws: `ImageError.badData` where libpng fails.
public func maskPNG(_ values: [UInt8], width: Int, height: Int) throws -> [UInt8] {
  try PNG.encodeFast(values, width: width, height: height)
}
