import Tensors
import Testing

@testable import Images

/// A mask with black, white and grey at random places; the same for the same seed.
func randomMask(_ width: Int, _ height: Int, seed: UInt64, white: Float = 0.06) -> Mask {
  let draws = Philox(seed: seed, stream: .selection).uniform(count: width * height)
  return Mask(
    width: width, height: height,
    values: draws.map { $0 < white ? 1 : $0 < 1.5 * white ? $0 / (2 * white) : 0 })
}

@Suite struct MaskTests {
  static let sizes = [(1, 1), (1, 9), (13, 1), (17, 11), (32, 24)]

  @Test func blackKeepsWhiteChangesGreyIsBetween() throws {
    let levels: [UInt8] = [0, 16, 17, 127, 128, 238, 239, 255]
    let picture = Picture(width: 8, height: 1, pixels: levels.flatMap { [$0, $0, $0] })
    let values = try Mask(picture, name: "mask").values
    #expect(values[0] == 0 && values[1] == 0 && values[6] == 1 && values[7] == 1)
    #expect(values[2] > 0 && values[2] < 0.01 && abs(values[4] - 0.502) < 0.001)
    #expect(values == values.sorted())
  }

  @Test func aPictureOfAMaskIsReadAsIt() throws {
    let mask = randomMask(20, 10, seed: 1, white: 0.3)
    let again = try Mask(mask.picture, name: "mask")
    for (value, found) in zip(mask.values, again.values) { #expect(abs(value - found) < 0.003) }
    #expect(try Mask(again.picture, name: "mask") == again)
    for value in [0, 1] as [Float] {
      let even = Mask(width: 3, height: 2, values: Array(repeating: value, count: 6))
      #expect(try Mask(even.picture, name: "mask") == even)
    }
  }

  @Test func coloursAreNoMask() throws {
    var picture = Picture(width: 10, height: 10, color: SIMD3(250, 250, 250))
    // A hundredth of the pixels may be off, and each a little.
    picture[0, 0] = SIMD3(255, 0, 0)
    for x in 1..<10 { picture[x, 0] = SIMD3(200, 190, 210) }
    _ = try Mask(picture, name: "mask.png")
    picture[1, 1] = SIMD3(0, 60, 0)
    let error = #expect(throws: ImageError.self) { try Mask(picture, name: "mask.png") }
    #expect(error?.kind == .badData)
    #expect(error?.description.hasPrefix("mask.png: a picture in colour, wanted a mask") == true)
  }

  /// The largest of all rims, one by one.
  @Test(arguments: sizes, [0, 1, 2, 5, 40]) func featheringIsAsDefined(
    size: (Int, Int), distance: Int
  ) {
    let mask = randomMask(size.0, size.1, seed: 7)
    let feathered = mask.feathered(by: distance)
    let reach = Float((distance + 1) * (distance + 1))
    for y in 0..<size.1 {
      for x in 0..<size.0 {
        var expected = mask.values[y * size.0 + x]
        for v in 0..<size.1 {
          for u in 0..<size.0 where mask.values[v * size.0 + u] > 0 {
            let square = Float((x - u) * (x - u) + (y - v) * (y - v))
            expected = max(expected, mask.values[v * size.0 + u] - square / reach)
          }
        }
        #expect(abs(feathered.values[y * size.0 + x] - expected) < 1e-5)
      }
    }
  }

  @Test func aRimEndsAfterItsPixels() {
    for distance in [1, 3, 8] {
      var values = [Float](repeating: 0, count: 41 * 41)
      values[20 * 41 + 20] = 1
      let feathered = Mask(width: 41, height: 41, values: values).feathered(by: distance)
      for y in 0..<41 {
        for x in 0..<41 where max(abs(x - 20), abs(y - 20)) > distance {
          #expect(feathered.values[y * 41 + x] == 0)
        }
      }
      #expect(feathered.values[20 * 41 + 20 + distance] > 0)
    }
  }

  @Test(arguments: sizes, [0, 1, 2, 3, 50]) func growingIsAsDefined(
    size: (Int, Int), distance: Int
  ) {
    let mask = randomMask(size.0, size.1, seed: 8)
    let grown = mask.grown(by: distance)
    for y in 0..<size.1 {
      for x in 0..<size.0 {
        let isNear = (0..<size.1).contains { v in
          (0..<size.0).contains { u in
            mask.values[v * size.0 + u] == 1
              && (x - u) * (x - u) + (y - v) * (y - v) <= distance * distance
          }
        }
        let position = y * size.0 + x
        #expect(grown.values[position] == (isNear ? 1 : mask.values[position]))
      }
    }
  }

  @Test func aLatentMaskHasTheMeansOfBlocks() {
    let mask = Mask(
      width: 4, height: 4, values: [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0])
    let latent = mask.latent(factor: 2)
    #expect(latent.shape == [1, 2, 2, 1])
    #expect(latent.array == [1, 0, 0, 0.5])
    #expect(mask.latent(factor: 1).array == mask.values)
  }

  @Test func sharesAndExtremes() {
    let half = Mask(width: 2, height: 1, values: [0, 1])
    #expect(half.share == 0.5 && !half.isBlack && !half.isWhite)
    #expect(Mask(width: 2, height: 1, values: [0, 0]).isBlack)
    #expect(Mask(width: 2, height: 1, values: [1, 1]).isWhite)
  }
}
