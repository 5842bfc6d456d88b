import Testing

@testable import Tensors

@Suite struct PhiloxTests {
  /// The known answers that the authors publish with Random123 (tests/kat_vectors, philox4x32 with 10 rounds).
  @Test func agreesWithPublishedVectors() {
    #expect(
      Philox.philox4x32(counter: SIMD4(0, 0, 0, 0), key: SIMD2(0, 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      Philox.philox4x32(
        counter: SIMD4(repeating: 0xffff_ffff), key: SIMD2(repeating: 0xffff_ffff))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox.philox4x32(
        counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
        key: SIMD2(0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test func drawsAreStandardNormal() {
    let values = Philox(seed: 7, stream: .samplingNoise).normal([100_000]).array
    let mean = values.reduce(0, +) / 100_000
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 100_000
    let withinOne = values.count { abs($0) < 1 }
    // Standard errors: 0.0032 for the mean, 0.0045 for the variance, 0.0015 for the share.
    #expect(abs(mean) < 0.013)
    #expect(abs(variance - 1) < 0.018)
    #expect(abs(Float(withinOne) / 100_000 - 0.6827) < 0.006)
  }

  @Test func drawsDependOnSeedStreamAndStepAlone() {
    let first = Philox(seed: 1, stream: .trainingNoise, step: 5).normal([33]).array
    #expect(first == Philox(seed: 1, stream: .trainingNoise, step: 5).normal([33]).array)
    #expect(
      Array(first.prefix(7)) == Philox(seed: 1, stream: .trainingNoise, step: 5).normal([7]).array)
    #expect(first != Philox(seed: 2, stream: .trainingNoise, step: 5).normal([33]).array)
    #expect(first != Philox(seed: 1, stream: .samplingNoise, step: 5).normal([33]).array)
    #expect(first != Philox(seed: 1, stream: .trainingNoise, step: 6).normal([33]).array)
  }
}
