import Testing

@testable import Images

@Suite struct MaskResizeTests {
  /// The mean of the mask over each new pixel, summed in tiny pieces.
  @Test(arguments: [(12, 8), (5, 3), (1, 1), (7, 8), (12, 5)]) func shrunkAPixelIsAMean(
    width: Int, height: Int
  ) {
    let mask = randomMask(12, 8, seed: 2, white: 0.4)
    let small = mask.resized(width: width, height: height)
    // Pieces that both grids share.
    let (across, down) = (12 * width, 8 * height)
    for y in 0..<height {
      for x in 0..<width {
        var sum: Float = 0
        for v in y * 8..<(y + 1) * 8 {
          for u in x * 12..<(x + 1) * 12 {
            sum += mask.values[v * 8 / down * 12 + u * 12 / across]
          }
        }
        #expect(abs(small.values[y * width + x] - sum / Float(12 * 8)) < 1e-5)
      }
    }
  }

  /// What nothing of the mask touches stays 0, and what is all white stays 1, to the bit.
  @Test(arguments: [(3, 3), (10, 7), (29, 31), (64, 64), (301, 203)]) func extremesStay(
    width: Int, height: Int
  ) {
    var values = [Float](repeating: 0, count: 100 * 100)
    for y in 40..<60 { for x in 0..<100 { values[y * 100 + x] = 1 } }
    let resized = Mask(width: 100, height: 100, values: values)
      .resized(width: width, height: height)
    for y in 0..<height {
      // The rows of the mask that this one can take from, by area or between two middles.
      let (low, high) = (Double(y) * 100 / Double(height), Double(y + 1) * 100 / Double(height))
      let margin = height > 100 ? 1.0 : 0
      let row = resized.values[y * width..<(y + 1) * width]
      if high + margin <= 40 || low - margin >= 60 { #expect(row.allSatisfy { $0 == 0 }) }
      if low - margin >= 40 && high + margin <= 60 { #expect(row.allSatisfy { $0 == 1 }) }
    }
  }

  @Test func enlargedValuesLieOnLines() {
    let mask = Mask(width: 2, height: 1, values: [0, 1])
    // New middles at -0.375, 0.125, 0.375... from the first middle, as 8 pixels for 2.
    #expect(
      mask.resized(width: 8, height: 1).values
        == [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])
  }

  @Test func proportionsAreThoseOfRoundedSides() {
    func mask(_ width: Int, _ height: Int) -> Mask {
      Mask(width: width, height: height, values: Array(repeating: 0, count: width * height))
    }
    #expect(mask(400, 300).isProportioned(4000, 3000))
    #expect(mask(1333, 1000).isProportioned(4000, 3001))
    #expect(mask(33, 25).isProportioned(4000, 3000))
    #expect(!mask(300, 400).isProportioned(4000, 3000))
    #expect(!mask(400, 302).isProportioned(4000, 3000))
    #expect(!mask(64, 64).isProportioned(4000, 3000))
  }
}
