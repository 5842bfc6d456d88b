import Tensors
import Testing

@testable import Autodiff

@Suite struct LossesTests {
  @Test func squaredError() {
    let target = random([4, 9], 5)
    checkGradients([random([4, 9], 1)]) { meanSquaredError($0[0], target) }
  }

  @Test func weightedSquaredError() {
    let (target, weights) = (random([4, 9], 5), random([4, 9], 6))
    checkGradients([random([4, 9], 1)]) { meanSquaredError($0[0], target, weights: weights) }
  }

  @Test func weightedMeans() {
    let weights = random([4, 9], 5)
    checkGradients([random([4, 9], 1)]) { weightedMean($0[0], weights) }
  }

  @Test func values() {
    let x = Variable(Tensor([1, 2, 3, 4], [2, 2]))
    #expect(meanSquaredError(x, Tensor([0, 4, 3, 1], [2, 2])).value.scalar == 14.0 / 4)
    #expect(
      meanSquaredError(x, Tensor([0, 4, 3, 1], [2, 2]), weights: Tensor([1, 0, 5, 2], [2, 2])).value
        .scalar == 19.0 / 4)
    #expect(weightedMean(x, Tensor([1, -1, 0, 2], [2, 2])).value.scalar == 7.0 / 4)
  }
}
