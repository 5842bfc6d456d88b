import Images
import Testing

@testable import Scenes

@Suite struct RecolourTests {
  private static let blue = SIMD3<Float>(0.1, 0.2, 0.8)

  /// Rows of red from light to dark, with a last row of grey.
  private static let car = TransparentPicture(
    width: 8, height: 8,
    pixels: (0..<64).map { index in
      let shade = 240 - index / 8 * 20
      return index < 56
        ? SIMD4(UInt8(shade), UInt8(shade / 6), UInt8(shade / 6), 255) : SIMD4(90, 90, 90, 255)
    })

  private func painted(_ paint: CutOut.Paint) -> [SIMD3<Float>] {
    let whole = Area(x: 0, y: 0, width: 8, height: 8)
    let layer = Layer(Self.car, whole, width: 8, height: 8)
    let guide = PaintGuide(Self.car, paint: paint)
    return layer.painted(Self.blue, guide).pixels.map(\.rgb)
  }

  @Test func findsTheMainHue() throws {
    let guide = PaintGuide(Self.car, paint: .hue)
    let hue = try #require(guide.hue)
    #expect(min(hue, 6 - hue) < 0.2)
    #expect(guide.weight(SIMD3(0.8, 0.1, 0.1)) > 0.95)
    #expect(guide.weight(SIMD3(0.5, 0.5, 0.5)) == 0 && guide.weight(SIMD3(0.1, 0.8, 0.1)) == 0)
  }

  /// The body turns blue, its light and shade stay in order, and the grey stays grey.
  @Test func paintsTheMainHueAlone() {
    let colours = painted(.hue)
    for row in 0..<7 {
      let colour = colours[row * 8]
      let (hue, saturation, _) = hueSaturationValue(colour)
      #expect(abs(hue - 3.857) < 0.35 && saturation > 0.4, "\(colour)")
      if row > 0 { #expect(luma(colour) < luma(colours[(row - 1) * 8])) }
    }
    #expect(abs(colours[63].x - 90 / 255) < 1e-4 && abs(colours[63].z - 90 / 255) < 1e-4)
  }

  @Test func paintsAllWhereAsked() {
    #expect(hueSaturationValue(painted(.all)[63]).saturation > 0.6)
  }

  /// Known answers of the conversion (Smith, "Color gamut transform pairs", 1978).
  @Test func huesGoRound() {
    #expect(hueSaturationValue(SIMD3(1, 0, 0)) == (0, 1, 1))
    #expect(hueSaturationValue(SIMD3(0, 0.5, 0)) == (2, 1, 0.5))
    #expect(hueSaturationValue(SIMD3(0.5, 0.5, 1)) == (4, 0.5, 1))
    #expect(hueSaturationValue(SIMD3(1, 0, 0.5)) == (5.5, 1, 1))
    #expect(hueSaturationValue(SIMD3(0.3, 0.3, 0.3)) == (0, 0, 0.3))
  }
}
