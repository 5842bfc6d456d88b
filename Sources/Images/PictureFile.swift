// Reads a picture from a file of any format that the program knows, told by its content.

import Glibc

/// What a file or a picture may measure at most. Checked before anything is decoded.
public struct PictureLimits: Sendable {
  /// Largest width or height in pixels.
  public var side = 16_384
  /// Most pixels: three bytes of memory each, four while one with transparency is decoded.
  public var pixels = 128 << 20
  /// Largest file in bytes.
  public var fileBytes = 512 << 20

  public init() {}

  /// - Throws: `ImageError` where the picture is empty or too large.
  func check(width: Int, height: Int, name: String) throws {
    guard width > 0, height > 0 else {
      throw ImageError.badData(name, "a picture of \(width)x\(height) pixels, wanted at least 1x1")
    }
    guard width <= side, height <= side else {
      throw ImageError.badData(
        name, "a picture of \(width)x\(height) pixels, wanted at most \(side) in width and height")
    }
    guard width * height <= pixels else {
      throw ImageError.badData(
        name, "a picture of \(width)x\(height) pixels, wanted at most \(pixels) pixels in all")
    }
  }
}

/// The formats of files that are read.
public enum PictureFormat: String, Sendable {
  case png = "PNG"
  case jpeg = "JPEG"
  case webP = "WebP"

  /// The format that the first bytes tell; nil if none of those known.
  public init?(of bytes: [UInt8]) {
    if bytes.starts(with: PNGChunk.signature) {
      self = .png
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if bytes.starts(with: Array("RIFF".utf8)),
      bytes.dropFirst(8).starts(with: Array("WEBP".utf8))
    {
      self = .webP
    } else {
      return nil
    }
  }
}

extension Picture {
  /// Reads a PNG, JPEG or WebP file.
  ///
  /// Any PNG: palette, grey or colour, 1 to 16 bits, interlaced or not. JPEG: colour, grey, and
  /// CMYK as printers write it. WebP: still pictures. What is transparent is put on white, in
  /// linear light. Where the file says which way up the picture is (EXIF orientation), it is
  /// turned so. A PNG's gamma is converted to sRGB; embedded colour profiles are not applied.
  ///
  /// - Throws: `ImageError`: `noInput` if there is no such file or it can't be read, `badData` if
  ///   it is no picture, larger than `limits`, truncated or damaged.
  public init(contentsOf path: String, limits: PictureLimits = PictureLimits()) throws {
    let bytes = try Self.bytes(ofFile: path, limits: limits)
    try self.init(decoding: bytes, name: path, limits: limits)
  }

  /// Decodes the content of a PNG, JPEG or WebP file. `name` stands for it in errors.
  ///
  /// - Throws: `ImageError`, as `init(contentsOf:limits:)`.
  public init(
    decoding bytes: [UInt8], name: String, limits: PictureLimits = PictureLimits()
  ) throws {
    let (picture, orientation) = try Self.decode(bytes, name: name, limits: limits)
    self = picture.upright(orientation)
  }

  /// Decodes the content of a file without turning it upright.
  /// - Returns: the picture as it is stored, and what the file says of its way up.
  /// - Throws: `ImageError`, as `init(contentsOf:limits:)`.
  public static func decode(
    _ bytes: [UInt8], name: String, limits: PictureLimits = PictureLimits()
  ) throws -> (picture: Picture, orientation: Orientation) {
    guard !bytes.isEmpty else {
      throw ImageError.badData(name, "an empty file, wanted a PNG, JPEG or WebP picture")
    }
    switch PictureFormat(of: bytes) {
    case .png: return try PNG.decode(bytes, name: name, limits: limits)
    case .jpeg: return try JPEG.decode(bytes, name: name, limits: limits)
    case .webP: return try WebP.decode(bytes, name: name, limits: limits)
    case nil:
      let start = bytes.prefix(8).map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
      throw ImageError.badData(
        name,
        "a file that begins with the bytes \(start.joined(separator: " ")), "
          + "wanted a PNG, JPEG or WebP picture")
    }
  }

  /// The content of a regular file, as it is (for its digest, and then for
  /// `init(decoding:name:limits:)`).
  ///
  /// - Throws: `ImageError`: `noInput` if there is no such file or it can't be read, `badData` if
  ///   it is larger than `limits.fileBytes`.
  public static func bytes(
    ofFile path: String, limits: PictureLimits = PictureLimits()
  ) throws -> [UInt8] {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ImageError.noInput(path, systemMessage(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw ImageError.noInput(path, systemMessage(errno))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let found = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "not a regular file"
      throw ImageError.noInput(path, "\(found), wanted a picture file")
    }
    var bytes = [UInt8]()
    bytes.reserveCapacity(max(0, min(Int(status.st_size), limits.fileBytes)))
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw ImageError.noInput(path, systemMessage(errno)) }
      if count == 0 { return bytes }
      guard bytes.count + count <= limits.fileBytes else {
        throw ImageError.badData(path, "larger than \(limits.fileBytes) bytes, the most allowed")
      }
      bytes += buffer[..<count]
    }
  }

  private static func systemMessage(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }
}
