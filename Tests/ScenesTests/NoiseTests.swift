import Testing

@testable import Scenes

@Suite struct NoiseTests {
  /// The field runs through the random numbers of its grid, and stays between its cell's corners.
  @Test func fieldsAreSmoothAndBounded() {
    let noise = ValueNoise(seed: 1, layer: 0, cells: 8)
    var largestStep: Float = 0
    for row in 0...64 {
      var before: Float?
      for column in 0...512 {
        let value = noise.value(Float(column) / 512, Float(row) / 64)
        #expect(value >= 0 && value < 1)
        if let before { largestStep = max(largestStep, abs(value - before)) }
        before = value
      }
    }
    // A cell is 64 steps wide, and the steepest part of the smooth step rises by 1.5 over one.
    #expect(largestStep > 0 && largestStep <= 1.5 / 64)
  }
}
