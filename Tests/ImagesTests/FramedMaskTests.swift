import Testing

@testable import Images

@Suite struct FramedMaskTests {
  /// Black with a white rectangle.
  private func rectangle(_ size: (Int, Int), _ x: Range<Int>, _ y: Range<Int>) -> Picture {
    var picture = Picture(width: size.0, height: size.1, color: SIMD3(repeating: 0))
    for row in y { for column in x { picture[column, row] = SIMD3(repeating: 255) } }
    return picture
  }

  private func framed(
    _ picture: Picture, _ framing: Framing, orientation: Orientation = .upright
  ) throws -> FramedMask {
    try FramedMask(
      Picture.decode(picture.png(), name: "mask.png"), name: "mask.png", in: framing,
      orientation: orientation)
  }

  /// The mask goes through the photograph's crop, pad or stretch: a white rectangle lands where the same rectangle of a
  /// photograph does.
  @Test(arguments: Fit.allCases) func theFramingIsThePhotographs(fit: Fit) throws {
    let drawing = rectangle((200, 120), 70..<140, 30..<90)
    let framing = Framing(photograph: (200, 120), picture: (32, 32), fit: fit)
    let mask = try framed(drawing, framing)
    let shown = drawing.fitted(framing)
    for y in 0..<32 {
      for x in 0..<32 {
        // The photograph's filter is sharper and rings a little.
        #expect(abs(mask.picture.values[y * 32 + x] - Float(shown[x, y].x) / 255) < 0.3)
      }
    }
    #expect(mask.photograph == (try Mask(drawing, name: "mask")))
  }

  /// Any size of the photograph's proportions will do.
  @Test func sizesOfTheSameProportionsAreAlike() throws {
    let framing = Framing(photograph: (4000, 3000), picture: (64, 64))
    let small = try framed(rectangle((400, 300), 120..<280, 60..<240), framing)
    let large = try framed(rectangle((800, 600), 240..<560, 120..<480), framing)
    for (a, b) in zip(small.picture.values, large.picture.values) { #expect(abs(a - b) < 1e-4) }
    let photograph = small.photograph
    #expect((photograph.width, photograph.height) == (4000, 3000))
    #expect(photograph.values[1500 * 4000 + 1250] == 1)
    #expect(photograph.values[1500 * 4000 + 1150] == 0)
  }

  /// A mask of the edit's own size is taken as it is, and comes back to the part of the photograph that the edit shows.
  @Test(arguments: Fit.allCases) func aMaskOfTheEditIsTakenAsItIs(fit: Fit) throws {
    let framing = Framing(photograph: (300, 201), picture: (64, 64), fit: fit)
    let drawing = rectangle((64, 64), 20..<44, 24..<40)
    let mask = try framed(drawing, framing)
    #expect(mask.picture == (try Mask(drawing, name: "mask")))
    let whole = mask.photograph
    #expect((whole.width, whole.height) == (300, 201))
    // The middle and the corners of the photograph.
    #expect(whole.values[100 * 300 + 150] == 1)
    #expect(whole.values[0] == 0 && whole.values[300 * 201 - 1] == 0)
    // Twice the size is the same framing.
    let twice = try framed(rectangle((128, 128), 40..<88, 48..<80), framing)
    #expect(twice.picture == mask.picture)
  }

  /// A camera's photograph that is turned upright by its file, and a mask drawn over it as it is stored.
  @Test func aMaskThatLiesAsTheFileDoesIsTurnedWithIt() throws {
    let stored = rectangle((90, 60), 10..<40, 5..<20)
    let framing = Framing(photograph: (60, 90), picture: (32, 48))
    let turned = try framed(stored, framing, orientation: .clockwise)
    #expect(turned.photograph == (try Mask(stored.upright(.clockwise), name: "mask")))
    // One that is upright already stays.
    let upright = try framed(stored.upright(.clockwise), framing, orientation: .clockwise)
    #expect(upright.picture == turned.picture && upright.photograph == turned.photograph)
    #expect(throws: ImageError.self) { try framed(stored, framing) }
  }

  @Test func wrongSizesAndBlackMasksAreNamed() throws {
    let framing = Framing(photograph: (400, 300), picture: (64, 64))
    func message(_ picture: Picture) -> String? {
      let error = #expect(throws: ImageError.self) { try framed(picture, framing) }
      #expect(error?.kind == .badData)
      return error?.description
    }
    #expect(
      message(rectangle((100, 50), 0..<9, 0..<9))
        == "mask.png: a mask of 100x50 pixels, wanted the proportions of the photograph, 400x300, "
        + "or of the edit, 64x64")
    #expect(message(rectangle((400, 300), 0..<0, 0..<0))?.contains("nothing to change") == true)
    #expect(
      message(rectangle((400, 300), 0..<40, 0..<300))?
        .contains("black wherever the edit shows the photograph") == true)
    #expect(message(pattern(400, 300))?.contains("in colour") == true)
  }

  @Test func aWhiteMaskIsWhite() throws {
    let framing = Framing(photograph: (400, 300), picture: (64, 64))
    let mask = try framed(rectangle((400, 300), 0..<400, 0..<300), framing)
    #expect(mask.picture.isWhite && mask.photograph.isWhite)
  }
}
