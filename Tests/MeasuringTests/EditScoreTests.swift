import Images
import Testing

@testable import Measuring

@Suite struct EditScoreTests {
  private let input = Picture(width: 20, height: 20, color: SIMD3(100, 100, 100))

  /// The input with its left half in another grey.
  private func half(_ grey: UInt8, right: UInt8 = 100) -> Picture {
    var picture = Picture(width: 20, height: 20, color: SIMD3(repeating: right))
    picture.paste(Picture(width: 10, height: 20, color: SIMD3(repeating: grey)), x: 0, y: 0)
    return picture
  }

  private var mask: Picture { half(255, right: 0) }

  @Test func theTruthIsOneAndTheInputNothing() throws {
    let truth = EditTruth(input: input, target: half(200), mask: mask)
    #expect(truth.change == 10_000)
    #expect(truth.score(half(200)).edit == 1)
    #expect(truth.score(input).edit == 0)
    // Half of the way is a quarter of the error; as far beyond, four times it.
    #expect(truth.score(half(150)).edit == 0.75)
    #expect(truth.score(half(0)).edit == -3)
  }

  @Test func whatStaysIsHeldAgainstTheInputAlone() throws {
    let truth = EditTruth(
      input: input, target: half(200), mask: mask,
      distance: { edit, input in
        edit.meanSquaredError(to: input)
      })
    let perfect = truth.score(half(200))
    #expect(perfect.kept == PeakSignalToNoise.most && perfect.distance == 0)
    #expect(try #require(perfect.similarity) > 1 - 1e-9)
    // The right half is 25 of 255 off, which is 20.17 dB; the change beside it counts for nothing.
    for left in [0, 200] as [UInt8] {
      let score = truth.score(half(left, right: 125))
      #expect(try abs(#require(score.kept) - 20.17) < 0.01)
      #expect(score.distance == 312.5)
      #expect(try #require(score.similarity) < 1)
    }
  }

  @Test func whatIsSeenIsHeldAgainstWhatIsSeenInTheTruth() throws {
    // Sees the grey of the left and the right half.
    let truth = EditTruth(
      input: input, target: half(200), mask: mask,
      features: { [Float($0[0, 0].x), Float($0[19, 0].x)] })
    #expect(truth.score(half(200)).seen == 1 && truth.score(input).seen == 0)
    #expect(truth.score(half(150)).seen == 0.5)
    // What is seen beside the way does not count.
    #expect(truth.score(half(150, right: 250)).seen == 0.5)
    #expect(truth.score(half(200)).distance == nil)
  }

  @Test func aSuccessIsNearerToTheTruthAndKeepsTheRest() {
    #expect(EditScore(edit: 0.51, kept: 20.1).isSuccess == true)
    #expect(EditScore(edit: 0.5, kept: 30).isSuccess == false)
    #expect(EditScore(edit: 0.9, kept: 19.9).isSuccess == false)
    // Where everything may change, or no truth is known.
    #expect(EditScore(edit: 0.51).isSuccess == true)
    #expect(EditScore(kept: 30).isSuccess == nil)
  }

  @Test func ranksWeighWhatIsMissing() {
    #expect(EditScore(edit: 0.6, kept: 25).rank == 0.6)
    #expect(abs(EditScore(edit: 0.6, kept: 15).rank - 0.1) < 1e-12)
    #expect(EditScore(edit: -5, kept: 25).rank == -1)
  }

  @Test func withoutAMaskTheTruthTellsWhatMayDiffer() throws {
    let truth = EditTruth(input: input, target: half(200), mask: nil)
    #expect(truth.mayDiffer == Region(white: mask))
    #expect(truth.stays == truth.mayDiffer.complement)
  }

  @Test func whereEverythingMayDifferNothingIsKept() throws {
    let white = Picture(width: 20, height: 20, color: SIMD3(255, 255, 255))
    let truth = EditTruth(input: input, target: half(200), mask: white)
    let score = truth.score(half(200))
    #expect(score.edit == 1 && score.kept == nil && score.similarity == nil)
  }

  @Test func withoutATruthOnlyWhatStaysIsMeasured() throws {
    let truth = EditTruth(input: input, target: nil, mask: nil)
    let score = truth.score(half(200))
    #expect(score.edit == nil && score.isSuccess == nil)
    // A mean squared error of 5000.
    #expect(try abs(#require(score.kept) - 11.14) < 0.01)
  }
}
