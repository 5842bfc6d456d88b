import Testing

@testable import Images

@Suite struct PictureTests {
  @Test func readsAndWritesPixels() {
    var picture = Picture(width: 3, height: 2, color: SIMD3(1, 2, 3))
    picture[2, 1] = SIMD3(7, 8, 9)
    #expect(picture[2, 1] == SIMD3(7, 8, 9))
    #expect(picture.pixels == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 7, 8, 9])
  }

  @Test func cropsAndPastes() {
    let whole = pattern(7, 5)
    let part = whole.cropped(x: 2, y: 1, width: 4, height: 3)
    #expect(part[0, 0] == whole[2, 1])
    #expect(part[3, 2] == whole[5, 3])
    var blank = Picture(width: 7, height: 5, color: SIMD3(0, 0, 0))
    blank.paste(part, x: 2, y: 1)
    #expect(blank.cropped(x: 2, y: 1, width: 4, height: 3) == part)
    #expect(blank[1, 1] == SIMD3(0, 0, 0))
    #expect(blank[6, 3] == SIMD3(0, 0, 0))
  }
}
