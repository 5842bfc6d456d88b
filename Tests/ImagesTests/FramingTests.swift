import Testing

@testable import Images

@Suite struct FramingTests {
  @Test func whatIsSeenAndWhereItIsShown() {
    let crop = Framing(photograph: (4000, 3000), picture: (64, 64))
    #expect(crop.seen == Picture.Box(x: 500, y: 0, width: 3000, height: 3000))
    #expect(crop.shown == Framing.Part(x: 0, y: 0, width: 64, height: 64))
    #expect(crop.seenPixels == Framing.Part(x: 500, y: 0, width: 3000, height: 3000))
    let pad = Framing(photograph: (4000, 3000), picture: (64, 64), fit: .pad)
    #expect(pad.seen == Picture.Box(x: 0, y: 0, width: 4000, height: 3000))
    #expect(pad.shown == Framing.Part(x: 0, y: 8, width: 64, height: 48))
    let stretch = Framing(photograph: (4000, 3000), picture: (64, 64), fit: .stretch)
    #expect(stretch.seen == pad.seen && stretch.shown == crop.shown)
  }

  /// A part that begins between two pixels takes in both.
  @Test func oddSidesAreTakenInWhole() {
    let framing = Framing(photograph: (101, 40), picture: (64, 64))
    #expect(framing.seen == Picture.Box(x: 30.5, y: 0, width: 40, height: 40))
    #expect(framing.seenPixels == Framing.Part(x: 30, y: 0, width: 41, height: 40))
    let box = framing.seenPixelsShown
    #expect(abs(box.x + 0.8) < 1e-9 && abs(box.width - 65.6) < 1e-9)
    #expect(box.y == 0 && box.height == 64)
  }
}
