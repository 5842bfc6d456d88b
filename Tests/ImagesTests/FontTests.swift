import Testing

@testable import Images

@Suite struct FontTests {
  private let black = SIMD3<UInt8>(0, 0, 0)

  private func drawn(_ line: String, size: Int = 32) throws -> Picture {
    let font = try Font(size: size)
    var picture = Picture(
      width: font.width(of: line) + 8, height: font.lineHeight, color: SIMD3(255, 255, 255))
    font.draw(line, x: 4, baseline: font.ascent, color: black, into: &picture)
    return picture
  }

  /// The first and last columns with ink.
  private func ink(_ picture: Picture) -> (first: Int, last: Int)? {
    let columns = (0..<picture.width).filter { x in
      (0..<picture.height).contains { picture[x, $0] != SIMD3(255, 255, 255) }
    }
    return columns.first.flatMap { first in columns.last.map { (first, $0) } }
  }

  @Test func aMissingFontNamesThePackage() {
    let error = #expect(throws: ImageError.self) { try Font(size: 16, path: "/no/font.ttf") }
    #expect(error?.kind == .noInput)
    #expect(error?.description.hasPrefix("/no/font.ttf: ") == true)
    #expect(error?.description.contains("fonts-dejavu-core") == true)
  }

  /// DejaVu Sans at 2048 units an em: a digit is 1303 units wide, an A 1401.
  @Test func advancesAreTheFonts() throws {
    let font = try Font(size: 64)
    #expect(font.width(of: "0000000000") == Int((Double(10 * 1303 * 64) / 2048).rounded(.up)))
    #expect(font.width(of: "A") == Int((Double(1401 * 64) / 2048).rounded(.up)))
    #expect(font.width(of: "") == 0)
  }

  /// "AV" stands closer than an A and a V apart.
  @Test func pairsAreKerned() throws {
    let font = try Font(size: 64)
    #expect(font.width(of: "AV") < font.width(of: "A") + font.width(of: "V") - 2)
  }

  @Test func inkLiesWithinTheAdvance() throws {
    for line in ["photograph", "α 0.40", "Übergröße", "ёж"] {
      let picture = try drawn(line)
      let (first, last) = try #require(ink(picture))
      #expect(first >= 2 && last < picture.width - 2, "\(line)")
    }
    #expect(try ink(drawn("   ")) == nil)
  }

  @Test func edgesAreSmooth() throws {
    let shades = Set(try drawn("ooo").pixels)
    #expect(shades.count > 20)
    #expect(shades.contains(0) && shades.contains(255))
  }

  /// An accent of its own joins its letter, as the font has it.
  @Test func accentsAreComposed() throws {
    #expect(try drawn("e\u{301}") == drawn("\u{E9}"))
  }

  @Test func whatDoesNotFitIsLeftOut() throws {
    var small = Picture(width: 10, height: 5, color: SIMD3(255, 255, 255))
    try Font(size: 40).draw("Wide", x: -7, baseline: 12, color: black, into: &small)
    #expect(small.pixels.contains(0))
  }

  @Test func wraps() throws {
    let font = try Font(size: 20)
    let text = "a photo of a cow on grass at sunset, and more words to come"
    let lines = font.wrapped(text, width: 200)
    #expect(lines.count > 2)
    #expect(lines.joined(separator: " ") == text)
    #expect(lines.allSatisfy { font.width(of: $0) <= 200 })
    #expect(font.wrapped("  one\n two ", width: 200) == ["one two"])
    #expect(font.wrapped("", width: 200) == [""])
    let long = String(repeating: "w", count: 60)
    let broken = font.wrapped("a " + long, width: 100)
    #expect(broken.allSatisfy { font.width(of: $0) <= 100 })
    #expect(broken.joined() == "a" + long)
  }
}
