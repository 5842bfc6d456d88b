import Testing

@testable import Checkpoints

@Suite struct StoreErrorTests {
  /// The numbers of sysexits.h.
  @Test func exitCodes() {
    #expect(StoreError(.badData, "").exitCode == 65)
    #expect(StoreError(.noInput, "").exitCode == 66)
    #expect(StoreError(.cantCreate, "").exitCode == 73)
    #expect(StoreError(.locked, "").exitCode == 73)
    #expect(StoreError(.inputOutput, "").exitCode == 74)
  }

  @Test func descriptionIsOneShortLine() {
    let error = StoreError(.badData, "a\nb\u{1b}[31m" + String(repeating: "x", count: 5000))
    #expect(error.description.hasPrefix("a?b?[31mx"))
    #expect(error.description.count <= 1001)
  }
}
