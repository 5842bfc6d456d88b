// Text drawn into pictures: the outlines of a TrueType font, by FreeType.

import CFreeType
import Foundation

/// A font at one size. Not safe to use from two threads at once.
final class Font {
  /// Where Debian's fonts-dejavu-core puts its sans-serif face.
  static let sansPath = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

  private let library: FT_Library
  private let face: FT_Face

  /// Pixels from the baseline up to the top of a line, and down to its bottom.
  let ascent: Int
  let descent: Int
  var lineHeight: Int { ascent + descent }

  /// - Parameter size: pixels of an em.
  /// - Throws: `ImageError.noInput` if the font is not there or can't be read.
  init(size: Int, path: String = Font.sansPath) throws {
    var library: FT_Library?
    guard FT_Init_FreeType(&library) == 0, let library else {
      throw ImageError.noInput(path, "FreeType did not start")
    }
    var face: FT_Face?
    guard FT_New_Face(library, path, 0, &face) == 0, let face,
      FT_Set_Pixel_Sizes(face, 0, FT_UInt(size)) == 0
    else {
      FT_Done_FreeType(library)
      throw ImageError.noInput(
        path, "no font can be read there, wanted that of the Debian package fonts-dejavu-core")
    }
    self.library = library
    self.face = face
    let metrics = face.pointee.size.pointee.metrics
    self.ascent = (Int(metrics.ascender) + 63) / 64
    self.descent = (63 - Int(metrics.descender)) / 64
  }

  deinit {
    FT_Done_Face(face)
    FT_Done_FreeType(library)
  }

  /// A glyph and where its origin lies, in 64ths of a pixel from the start of the line.
  private struct PlacedGlyph {
    let index: FT_UInt
    let position: Int
  }

  /// The glyphs of a line, kerned, and its length, in 64ths of a pixel.
  private func layOut(_ line: String) -> (glyphs: [PlacedGlyph], length: Int) {
    var glyphs: [PlacedGlyph] = []
    var position = 0
    // The font has letters with their accents as one glyph; accents of their own are not placed.
    for scalar in line.precomposedStringWithCanonicalMapping.unicodeScalars {
      let index = FT_Get_Char_Index(face, FT_ULong(scalar.value))
      if let previous = glyphs.last {
        var kerning = FT_Vector()
        if FT_Get_Kerning(
          face, previous.index, index, FT_UInt(FT_KERNING_UNFITTED.rawValue), &kerning)
          == 0
        {
          position += Int(kerning.x)
        }
      }
      glyphs.append(PlacedGlyph(index: index, position: position))
      if FT_Load_Glyph(face, index, shim_ft_load_unhinted()) == 0 {
        // Unhinted advances are in 65536ths of a pixel.
        position += Int(face.pointee.glyph.pointee.linearHoriAdvance + 512) / 1024
      }
    }
    return (glyphs, position)
  }

  /// The width of a line in pixels, rounded up.
  func width(of line: String) -> Int { (layOut(line).length + 63) / 64 }

  /// The text in lines no wider than `width`, broken at spaces, and within a word that is wider
  /// than a line. At least one line.
  func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(whereSeparator: \.isWhitespace) {
      let longer = line.isEmpty ? String(word) : line + " " + word
      if self.width(of: longer) <= width {
        line = longer
        continue
      }
      if !line.isEmpty { lines.append(line) }
      line = ""
      for character in word {
        if !line.isEmpty && self.width(of: line + String(character)) > width {
          lines.append(line)
          line = ""
        }
        line.append(character)
      }
    }
    return lines + [line]
  }

  /// Draws a line of text, its start at (`x`, `baseline`), antialiased; what lies beyond the
  /// picture is left out.
  func draw(_ line: String, x: Int, baseline: Int, color: SIMD3<UInt8>, into picture: inout Picture)
  {
    for glyph in layOut(line).glyphs {
      guard FT_Load_Glyph(face, glyph.index, shim_ft_load_unhinted()) == 0 else { continue }
      let slot = face.pointee.glyph!
      // Glyphs stand at fractions of a pixel: the whole pixels move the bitmap, the rest the outline.
      FT_Outline_Translate(&slot.pointee.outline, FT_Pos(glyph.position & 63), 0)
      guard FT_Render_Glyph(slot, FT_RENDER_MODE_NORMAL) == 0 else { continue }
      blend(
        slot.pointee.bitmap, x: x + glyph.position >> 6 + Int(slot.pointee.bitmap_left),
        y: baseline - Int(slot.pointee.bitmap_top), color: color, into: &picture)
    }
  }

  private func blend(
    _ bitmap: FT_Bitmap, x: Int, y: Int, color: SIMD3<UInt8>, into picture: inout Picture
  ) {
    guard let coverage = bitmap.buffer else { return }
    for row in 0..<Int(bitmap.rows) where (0..<picture.height).contains(y + row) {
      for column in 0..<Int(bitmap.width) where (0..<picture.width).contains(x + column) {
        let share = Int(coverage[row * Int(bitmap.pitch) + column])
        var pixel = picture[x + column, y + row]
        for channel in 0..<3 {
          let mixed = Int(color[channel]) * share + Int(pixel[channel]) * (255 - share)
          pixel[channel] = UInt8((mixed + 127) / 255)
        }
        picture[x + column, y + row] = pixel
      }
    }
  }
}
