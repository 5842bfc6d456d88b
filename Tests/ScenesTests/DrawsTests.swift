import Tensors
import Testing

@testable import Scenes

@Suite struct DrawsTests {
  /// The words are those of the generator's blocks, one after the other.
  @Test func drawsTheGeneratorsWords() {
    var draws = Draws(seed: 7, stream: .scenes, step: 3)
    let generator = Philox(seed: 7, stream: .scenes, step: 3)
    for index in 0..<10 {
      #expect(draws.word() == generator.words(block: UInt64(index / 4))[index % 4])
    }
  }

  @Test func everyIndexIsAsLikely() {
    var draws = Draws(seed: 1, stream: .scenes, step: 0)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[draws.below(7)] += 1 }
    // The standard error is 93.
    #expect(counts.allSatisfy { abs($0 - 10_000) < 400 }, "\(counts)")
  }

  @Test func weightsAreShares() {
    var draws = Draws(seed: 2, stream: .scenes, step: 0)
    var counts: [Float: Int] = [:]
    for _ in 0..<60_000 { counts[draws.one(of: [1, 2, 0, 3], weight: \.self), default: 0] += 1 }
    #expect(counts[0] == nil)
    for (weight, count) in counts { #expect(abs(count - 10_000 * Int(weight)) < 500) }
  }
}
