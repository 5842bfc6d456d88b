import Testing

@testable import Images

@Suite struct StrokeTests {
  private let white = SIMD3<UInt8>(255, 255, 255)
  private let black = SIMD3<UInt8>(0, 0, 0)
  private let all = PixelBox(left: 0, top: 0, right: 20, bottom: 20)

  private func paper() -> Picture { Picture(width: 20, height: 20, color: white) }

  /// How much is black, in pixels.
  private func ink(_ picture: Picture) -> Double {
    picture.pixels.reduce(0) { $0 + Double(255 - $1) / 255 } / 3
  }

  @Test func aLineIsAsWideAndLongAsItIsTold() {
    var picture = paper()
    picture.stroke([SIMD2(5, 10), SIMD2(15, 10)], width: 2, color: black, clip: all)
    #expect(picture[10, 9] == black && picture[10, 10] == black)
    #expect(picture[10, 7] == white && picture[10, 12] == white && picture[2, 10] == white)
    // Ten by two, and a disc's two halves at the ends.
    #expect(abs(ink(picture) - (20 + Double.pi)) < 0.5)
  }

  @Test func aSlantedLineHasTheSameInk() {
    var picture = paper()
    picture.stroke([SIMD2(5, 4), SIMD2(11, 12)], width: 2, color: black, clip: all)
    #expect(abs(ink(picture) - (20 + Double.pi)) < 0.7)
  }

  @Test func jointsAreNotDarkerThanLines() {
    var picture = paper()
    let grey = SIMD3<UInt8>(100, 100, 100)
    picture.stroke(
      [SIMD2(3, 3), SIMD2(10, 10), SIMD2(17, 3)], width: 3, color: grey, clip: all)
    #expect(picture[10, 9] == grey && picture[9, 9] == grey)
    #expect(picture.pixels.allSatisfy { $0 >= 100 })
  }

  @Test func onlyWhatLiesInTheClipIsDrawn() {
    var picture = paper()
    let clip = PixelBox(left: 5, top: 0, right: 10, bottom: 20)
    picture.stroke([SIMD2(-100, 10), SIMD2(1e9, 10)], width: 2, color: black, clip: clip)
    #expect(picture[4, 10] == white && picture[5, 10] == black && picture[9, 10] == black)
    #expect(picture[10, 10] == white)
  }

  @Test(arguments: Marker.allCases) func markersLieAroundTheirMiddle(marker: Marker) {
    var picture = paper()
    picture.draw(marker, at: SIMD2(10, 10), radius: 6, color: black, clip: all)
    #expect(picture[10, 10] == black && picture[9, 9] == black)
    #expect(picture[0, 0] == white && picture[19, 19] == white)
    let area = ink(picture)
    #expect(area > 60 && area < 120, "\(area)")
    if marker == .disc { #expect(abs(area - 36 * Double.pi) < 1) }
  }
}
