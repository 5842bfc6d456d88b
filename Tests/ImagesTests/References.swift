// The small pictures that tools/make_image_references.py made with Pillow 11.3.0, and helpers that
// several tests share.

import Foundation
import Testing

@testable import Images

func referencePath(_ name: String) throws -> String {
  try #require(Bundle.module.path(forResource: "References/" + name, ofType: nil))
}

func referenceBytes(_ name: String) throws -> [UInt8] {
  try Picture.bytes(ofFile: referencePath(name))
}

func reference(_ name: String) throws -> Picture {
  try Picture(contentsOf: referencePath(name))
}

/// The largest difference of any sample of two pictures of one size.
func largestDifference(_ a: Picture, _ b: Picture) -> Int {
  guard a.width == b.width, a.height == b.height else { return 256 }
  return zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
}

/// A picture whose pixels all differ from their neighbours.
func pattern(_ width: Int, _ height: Int) -> Picture {
  Picture(
    width: width, height: height,
    pixels: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 / 11) })
}

/// The error that decoding `bytes` throws; nil if they decode. Fails if it is more than a line.
func decodingError(_ bytes: [UInt8], limits: PictureLimits = PictureLimits()) -> ImageError? {
  do {
    _ = try Picture(decoding: bytes, name: "photo.x", limits: limits)
    return nil
  } catch let error as ImageError {
    #expect(error.description.hasPrefix("photo.x: "))
    #expect(error.description.split(whereSeparator: \.isNewline).count == 1)
    #expect(error.kind == .badData)
    return error
  } catch {
    Issue.record("an error of another kind: \(error)")
    return nil
  }
}
