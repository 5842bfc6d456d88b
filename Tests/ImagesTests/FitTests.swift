import Testing

@testable import Images

@Suite struct FitTests {
  /// Pillow's `resize(size, LANCZOS, box=...)` with the part in the middle that has the proportions.
  @Test(arguments: [(16, 16), (20, 15)])
  func cropsToTheMiddle(width: Int, height: Int) throws {
    let fitted = try reference("scene.png").fitted(width: width, height: height, by: .crop)
    #expect(try largestDifference(fitted, reference("cropped-\(width)x\(height).png")) <= 1)
  }

  @Test func cropsWithoutScaling() {
    let wide = pattern(12, 4)
    #expect(
      wide.fitted(width: 4, height: 4, by: .crop) == wide.cropped(x: 4, y: 0, width: 4, height: 4))
    let high = pattern(4, 10)
    #expect(
      high.fitted(width: 4, height: 4, by: .crop) == high.cropped(x: 0, y: 3, width: 4, height: 4))
  }

  @Test func padsWithTheEdge() {
    let wide = pattern(8, 4)
    let fitted = wide.fitted(width: 8, height: 8, by: .pad)
    #expect(fitted.cropped(x: 0, y: 2, width: 8, height: 4) == wide)
    for x in 0..<8 {
      #expect(fitted[x, 0] == wide[x, 0])
      #expect(fitted[x, 1] == wide[x, 0])
      #expect(fitted[x, 7] == wide[x, 3])
    }
    let high = pattern(3, 9).fitted(width: 9, height: 9, by: .pad)
    #expect(high.cropped(x: 3, y: 0, width: 3, height: 9) == pattern(3, 9))
    #expect(high[0, 5] == pattern(3, 9)[0, 5])
  }

  /// One side hundreds of times the other still leaves a pixel.
  @Test func padsExtremes() {
    let line = Picture(width: 1000, height: 1, color: SIMD3(5, 6, 7))
    #expect(
      line.fitted(width: 16, height: 16, by: .pad)
        == Picture(width: 16, height: 16, color: SIMD3(5, 6, 7)))
  }

  @Test func stretches() {
    let picture = pattern(20, 10)
    #expect(
      picture.fitted(width: 8, height: 8, by: .stretch) == picture.resized(width: 8, height: 8))
  }

  @Test(arguments: Fit.allCases)
  func samePictureWhereItFits(fit: Fit) {
    #expect(pattern(8, 6).fitted(width: 8, height: 6, by: fit) == pattern(8, 6))
  }
}
