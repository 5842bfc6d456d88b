import Testing

@testable import Editing

@Suite struct ResourcesTests {
  @Test func theProcessUsesLessThanTheMachineHas() throws {
    #expect(Resources.peakMemory > 1 << 20)
    #expect(try #require(Resources.availableMemory) > 1 << 20)
    let before = Resources.seconds
    #expect(Resources.seconds >= before)
  }
}
