import Testing

@testable import Images

@Suite struct ImageErrorTests {
  @Test func descriptionsAreOneLine() {
    let error = ImageError.badData("odd\nname.png", "a reason\r\nof two lines")
    #expect(error.description == "odd name.png: a reason of two lines")
    #expect(error.kind == .badData)
    #expect(ImageError.noInput("a", "b").kind == .noInput)
  }
}
