// A picture whose pixels may be transparent, such as a cut-out to be laid on another picture.

import CPNG

/// An RGBA picture in sRGB, rows from the top, pixels from the left. Colours are already multiplied by alpha.
public struct TransparentPicture: Equatable, Sendable {
  public let width: Int
  public let height: Int
  /// `[height, width]`, row-major: red, green, blue and alpha.
  public let pixels: [SIMD4<UInt8>]

  /// - Precondition: width and height are at least 1, and there are `height * width` pixels.
  public init(width: Int, height: Int, pixels: [SIMD4<UInt8>]) {
    precondition(width > 0 && height > 0, "a picture of \(width)x\(height)")
    precondition(pixels.count == width * height, "\(pixels.count) pixels for \(width)x\(height)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// An opaque picture.
  public init(_ picture: Picture) {
    let pixels = (0..<picture.width * picture.height).map { index in
      SIMD4(
        picture.pixels[index * 3], picture.pixels[index * 3 + 1], picture.pixels[index * 3 + 2], 255
      )
    }
    self.init(width: picture.width, height: picture.height, pixels: pixels)
  }

  /// Reads a PNG, JPEG or WebP file. Only a PNG's transparency is kept; that of WebP is put on white.
  ///
  /// - Throws: `ImageError`, as `Picture.init(contentsOf:limits:)`.
  public init(contentsOf path: String, limits: PictureLimits = PictureLimits()) throws {
    let bytes = try Picture.bytes(ofFile: path, limits: limits)
    if PictureFormat(of: bytes) == .png {
      self = try PNG.decodeTransparent(bytes, name: path, limits: limits)
    } else {
      self.init(try Picture(decoding: bytes, name: path, limits: limits))
    }
  }

  /// The part with any opacity at all, or the whole where there is none.
  public var trimmed: TransparentPicture {
    var (left, top, right, bottom) = (width, height, -1, -1)
    for y in 0..<height {
      for x in 0..<width where pixels[y * width + x].w > 8 {
        (left, right) = (min(left, x), max(right, x))
        (top, bottom) = (min(top, y), max(bottom, y))
      }
    }
    guard right >= left else { return self }
    let part = (top...bottom).flatMap { y in
      pixels[y * width + left...y * width + right]
    }
    return TransparentPicture(width: right - left + 1, height: bottom - top + 1, pixels: part)
  }
}

extension PNG {
  /// Decodes a PNG file with its transparency.
  ///
  /// - Throws: `ImageError.badData`.
  static func decodeTransparent(
    _ bytes: [UInt8], name: String, limits: PictureLimits
  ) throws -> TransparentPicture {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    func failure() -> ImageError { .badData(name, "a damaged PNG") }
    return try bytes.withUnsafeBytes { file in
      guard png_image_begin_read_from_memory(&image, file.baseAddress, file.count) != 0 else {
        throw failure()
      }
      let (width, height) = (Int(image.width), Int(image.height))
      try limits.check(width: width, height: height, name: name)
      image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
      image.format = png_uint_32(PNG_FORMAT_RGB | PNG_FORMAT_FLAG_ALPHA)
      var straight = [SIMD4<UInt8>](repeating: .zero, count: width * height)
      guard png_image_finish_read(&image, nil, &straight, 0, nil) != 0 else { throw failure() }
      return TransparentPicture(
        width: width, height: height, pixels: straight.map(multipliedByAlpha))
    }
  }

  private static func multipliedByAlpha(_ pixel: SIMD4<UInt8>) -> SIMD4<UInt8> {
    let alpha = UInt32(pixel.w)
    let wide = SIMD4<UInt32>(truncatingIfNeeded: pixel) &* alpha &+ 127
    var result = SIMD4<UInt8>(truncatingIfNeeded: wide / 255)
    result.w = pixel.w
    return result
  }
}
