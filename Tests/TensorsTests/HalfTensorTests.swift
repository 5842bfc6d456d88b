import Testing

@testable import Tensors

@Suite struct HalfTensorTests {
  /// Against Swift's own conversion, number by number.
  @Test(arguments: [0, 1, 7, 8, 17, 100_003])
  func roundsToTheNearestAndBack(_ count: Int) throws {
    let tensor = random([count], 1)
    let half = try #require(HalfTensor(rounding: tensor))
    poisonPool()
    #expect(half.widened().array == tensor.array.map { Float(Float16($0)) })
  }

  @Test func whatItHoldsExactlyStays() throws {
    let numbers: [Float] = [0, -0, 1, -65504, 65504, 0x1p-24, 0.5, 1.5, 1024, 3]
    let half = try #require(HalfTensor(rounding: Tensor(numbers, [2, 5])))
    #expect(half.widened().shape == [2, 5])
    for (found, wanted) in zip(half.widened().array, numbers) {
      #expect(found.bitPattern == wanted.bitPattern)
    }
  }

  @Test(arguments: [65520, -1e6, .infinity, .nan] as [Float], [0, 9])
  func refusesWhatItCannotHold(_ number: Float, _ place: Int) {
    var numbers = [Float](repeating: 1, count: 10)
    numbers[place] = number
    #expect(HalfTensor(rounding: Tensor(numbers, [10])) == nil)
  }
}
