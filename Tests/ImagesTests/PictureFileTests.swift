import Foundation
import Testing

@testable import Images

@Suite struct PictureFileTests {
  @Test func tellsFormatsByContent() throws {
    #expect(PictureFormat(of: try referenceBytes("scene.png")) == .png)
    #expect(PictureFormat(of: try referenceBytes("baseline.jpg")) == .jpeg)
    #expect(PictureFormat(of: try referenceBytes("lossy.webp")) == .webP)
    #expect(PictureFormat(of: Array("GIF89a".utf8)) == nil)
    #expect(PictureFormat(of: []) == nil)
  }

  @Test func missingFilesAndFoldersAreNoInput() throws {
    let folder = NSTemporaryDirectory()
    for (path, found) in [
      (folder + "/no-such-photograph.png", "No such file or directory"), (folder, "a directory"),
      ("/dev/null", "not a regular file"), ("", "No such file"),
    ] {
      let error = #expect(throws: ImageError.self) { try Picture(contentsOf: path) }
      #expect(error?.kind == .noInput)
      #expect(error?.description.contains(found) == true)
      #expect(error?.description.hasPrefix(path) == true)
    }
  }

  /// Every photograph of the examples opens, and is large enough for the embedded base and small
  /// enough for the repository.
  @Test func examplesOpen() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let folder = root.appending(path: "prompts/photos").standardized
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { !$0.hasSuffix(".md") }
    #expect(!names.isEmpty)
    for name in names {
      let path = folder.appending(path: name).path
      let picture = try Picture(contentsOf: path)
      #expect(min(picture.width, picture.height) >= 256, "\(name)")
      #expect(try Picture.bytes(ofFile: path).count <= 200_000, "\(name)")
    }
  }

  @Test func otherContentIsBadData() throws {
    #expect(decodingError([])?.description.contains("an empty file") == true)
    #expect(
      decodingError(Array("GIF89a and more".utf8))?.description
        == "photo.x: a file that begins with the bytes 47 49 46 38 39 61 20 61, "
        + "wanted a PNG, JPEG or WebP picture")
  }

  @Test(arguments: ["scene.png", "baseline.jpg", "lossy.webp"])
  func limitsHold(name: String) throws {
    let bytes = try referenceBytes(name)  // 45 by 37
    var limits = PictureLimits()
    limits.side = 44
    #expect(decodingError(bytes, limits: limits)?.description.contains("at most 44") == true)
    limits.side = 45
    limits.pixels = 45 * 37 - 1
    #expect(decodingError(bytes, limits: limits)?.description.contains("at most 1664") == true)
    limits.pixels += 1
    #expect(decodingError(bytes, limits: limits) == nil)
    limits.fileBytes = bytes.count - 1
    let error = #expect(throws: ImageError.self) {
      try Picture(contentsOf: referencePath(name), limits: limits)
    }
    #expect(error?.kind == .badData)
  }

  /// Cut off anywhere, a file gives one clear error, never a trap and never half a picture.
  @Test(arguments: [
    "resized-16x16.png", "transparent.png", "baseline.jpg", "progressive.jpg", "cmyk.jpg",
    "lossy.webp", "lossless.webp", "transparent.webp", "turned.webp",
  ])
  func truncatedFilesAreRefused(name: String) throws {
    let bytes = try referenceBytes(name)
    for length in 0..<bytes.count {
      let error = decodingError(Array(bytes[..<length]))
      // A JPEG without its end mark alone is whole, and the decoder adds the mark.
      let lostItsEndMark = name.hasSuffix("jpg") && length >= bytes.count - 2
      #expect(error != nil || lostItsEndMark, "\(length) of \(bytes.count) bytes")
    }
  }

  /// Whatever is wrong with a file, the answer is a picture or an error.
  @Test(arguments: [
    "resized-16x16.png", "transparent.png", "baseline.jpg", "progressive.jpg", "cmyk.jpg",
    "lossy.webp", "lossless.webp", "turned.webp", "turned.jpg",
  ])
  func damagedFilesNeverTrap(name: String) throws {
    let bytes = try referenceBytes(name)
    var limits = PictureLimits()
    // Damage to a header can ask for sizes that are allowed, and slow to decode.
    limits.pixels = 1 << 16
    for index in bytes.indices {
      for bit in [0, 3, 7] {
        var damaged = bytes
        damaged[index] ^= 1 << bit
        let error = decodingError(damaged, limits: limits)
        // Every byte of a PNG is under a checksum, or is structure.
        if name.hasSuffix("png") { #expect(error != nil, "bit \(bit) of byte \(index)") }
      }
    }
  }
}
