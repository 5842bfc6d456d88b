import Testing

@testable import Images

@Suite struct ByteReaderTests {
  private let bytes: [UInt8] = [1, 2, 3, 4, 5]

  @Test func readsBothOrders() {
    #expect(bytes.number(at: 1, size: 4, .bigEndian) == 0x0203_0405)
    #expect(bytes.number(at: 0, size: 2, .littleEndian) == 0x0201)
  }

  @Test func nothingBeyondTheEnd() {
    #expect(bytes.number(at: 2, size: 4, .bigEndian) == nil)
    #expect(bytes.number(at: -1, size: 1, .bigEndian) == nil)
    #expect(bytes.number(at: .max, size: 2, .bigEndian) == nil)
    #expect(bytes.number(at: 5, size: 0, .bigEndian) == 0)
  }

  @Test func comparesText() {
    #expect(Array("abc".utf8).holds("bc", at: 1))
    #expect(!Array("abc".utf8).holds("bcd", at: 1))
    #expect(!Array("abc".utf8).holds("a", at: 9))
  }
}
