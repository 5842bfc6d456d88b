import Testing

@testable import Images

@Suite struct JoiningTests {
  /// Photographs of even and odd sides, smaller than the edit too, and each fit.
  static let sizes = [(400, 300), (301, 403), (97, 64), (63, 99), (31, 17), (64, 64)]

  /// A picture that changes slowly from side to side.
  private func gradient(_ width: Int, _ height: Int) -> Picture {
    var picture = Picture(width: width, height: height, color: SIMD3(repeating: 0))
    for y in 0..<height {
      for x in 0..<width {
        let across = (Double(x) + 0.5) / Double(width)
        let down = (Double(y) + 0.5) / Double(height)
        picture[x, y] = SIMD3(UInt8(60 + 120 * across), UInt8(200 - 120 * down), 90)
      }
    }
    return picture
  }

  @Test func whereTheMaskIsBlackThePictureStays() {
    let (picture, edit) = (pattern(40, 30), Picture(width: 40, height: 30, color: SIMD3(9, 99, 0)))
    let mask = randomMask(40, 30, seed: 3, white: 0.3)
    let joined = picture.joined(with: edit, by: mask)
    for y in 0..<30 {
      for x in 0..<40 {
        let share = mask.values[y * 40 + x]
        if share == 0 { #expect(joined[x, y] == picture[x, y]) }
        if share == 1 { #expect(joined[x, y] == edit[x, y]) }
        for channel in 0..<3 {
          let (old, new) = (Float(picture[x, y][channel]), Float(edit[x, y][channel]))
          #expect(abs(Float(joined[x, y][channel]) - (old + share * (new - old))) <= 0.501)
        }
      }
    }
  }

  /// At the photograph's own size, with every fit and odd sides: to the bit outside the mask, and the edit inside it.
  @Test(arguments: sizes, Fit.allCases) func atFullSizeTheRestIsThePhotograph(
    size: (Int, Int), fit: Fit
  ) {
    let photograph = pattern(size.0, size.1)
    let framing = Framing(photograph: size, picture: (64, 64), fit: fit)
    let edit = Picture(width: 64, height: 64, color: SIMD3(250, 5, 120))
    var values = [Float](repeating: 0, count: size.0 * size.1)
    for y in size.1 / 3..<size.1 / 2 {
      for x in size.0 / 3..<size.0 / 2 { values[y * size.0 + x] = 1 }
    }
    let mask = Mask(width: size.0, height: size.1, values: values).feathered(by: 3)
    let joined = photograph.joined(with: edit, by: mask, in: framing)
    #expect((joined.width, joined.height) == size)
    var (kept, changed) = (0, 0)
    for y in 0..<size.1 {
      for x in 0..<size.0 {
        switch mask.values[y * size.0 + x] {
        case 0:
          kept += joined[x, y] == photograph[x, y] ? 0 : 1
        case 1:
          changed += joined[x, y] == SIMD3(250, 5, 120) ? 0 : 1
        default: break
        }
      }
    }
    #expect(kept == 0 && changed == 0)
  }

  /// Back in its place: an edit that is the photograph itself hardly shows, wherever the framing puts it.
  @Test(arguments: sizes, Fit.allCases) func anEditThatChangesNothingDoesNotShow(
    size: (Int, Int), fit: Fit
  ) {
    let photograph = gradient(size.0, size.1)
    let framing = Framing(photograph: size, picture: (64, 64), fit: fit)
    let white = Mask(
      width: size.0, height: size.1, values: Array(repeating: 1, count: size.0 * size.1))
    let joined = photograph.joined(with: photograph.fitted(framing), by: white, in: framing)
    // An offset of a pixel of the small picture would be 2 to 4 levels within; at the border its filter is cut off.
    let inner = { (picture: Picture) in
      picture.cropped(
        x: size.0 / 10, y: size.1 / 10, width: size.0 * 8 / 10, height: size.1 * 8 / 10)
    }
    #expect(largestDifference(inner(joined), inner(photograph)) <= 2)
  }

  /// What a crop does not show stays, whatever the mask says of it.
  @Test func beyondTheCropNothingChanges() {
    let photograph = pattern(100, 40)
    let framing = Framing(photograph: (100, 40), picture: (64, 64))
    let white = Mask(width: 100, height: 40, values: Array(repeating: 1, count: 4000))
    let edit = Picture(width: 64, height: 64, color: SIMD3(1, 2, 3))
    let joined = photograph.joined(with: edit, by: white, in: framing)
    #expect(
      joined.cropped(x: 0, y: 0, width: 30, height: 40)
        == photograph.cropped(x: 0, y: 0, width: 30, height: 40))
    #expect(
      joined.cropped(x: 70, y: 0, width: 30, height: 40)
        == photograph.cropped(x: 70, y: 0, width: 30, height: 40))
    #expect(joined[30, 0] == SIMD3(1, 2, 3) && joined[69, 39] == SIMD3(1, 2, 3))
  }
}
