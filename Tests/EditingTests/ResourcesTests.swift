import Testing

@testable import Editing

@Suite struct ResourcesTests {
  @Test func theSystemTellsMemoryAndTime() throws {
    #expect(Resources.peakMemory > 1 << 20)
    #expect(try #require(Resources.availableMemory) > 1 << 20)
    let before = Resources.seconds
    #expect(Resources.seconds >= before)
  }

  /// Copies of files that the kernel keeps count as used, and can be had all the same.
  @Test func whatAControlGroupLeaves() {
    let parts = """
      anon 700
      file 250
      shmem 20
      inactive_file 200
      active_file 30
      """
    func free(_ limit: String?, _ used: String?, _ parts: String?) -> Int? {
      Resources.freeMemory(ofGroup: limit, used: used, parts: parts)
    }
    #expect(free("1000", "950", parts) == 280)
    #expect(free("1000", "950", nil) == 50)
    #expect(free("1000", "1200", nil) == 0)
    #expect(free("1000", "100", parts) == 1000)
    #expect(free("1000", nil, nil) == 1000)
    #expect(free("max", "950", parts) == nil)
    #expect(free(nil, nil, nil) == nil)
  }
}
