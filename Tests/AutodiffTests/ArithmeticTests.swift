import Tensors
import Testing

@testable import Autodiff

@Suite struct ArithmeticTests {
  @Test func sum() {
    checkGradients([random([3, 7], 1), random([3, 7], 2)]) { $0[0] + $0[1] }
  }

  @Test func sumOfAValueWithItself() {
    checkGradients([random([3, 7], 1)]) { $0[0] + $0[0] }
  }

  @Test func factor() {
    checkGradients([random([40], 1)]) { 2.5 * $0[0] }
  }

  @Test func shapes() {
    checkGradients([random([2, 3, 4], 1)]) { reshape($0[0], [6, 4]) }
  }

  @Test func vectorsOnPixels() {
    checkGradients([random([2, 3, 5, 20], 1), random([2, 20], 2)]) { addToPixels($0[0], $0[1]) }
  }

  @Test func tableOnBatch() {
    checkGradients([random([3, 4, 20], 1), random([4, 20], 2)]) { addToBatch($0[0], $0[1]) }
  }

  @Test func repeatedBatch() {
    checkGradients([random([1, 4, 5], 1)]) { repeatBatch($0[0], 3) }
  }

  @Test func joinedChannels() {
    checkGradients([random([2, 3, 17], 1), random([2, 3, 5], 2)]) { joinChannels($0[0], $0[1]) }
  }

  @Test func lookedUpRows() {
    checkGradients([random([6, 5], 1)]) { lookUp($0[0], [3, 0, 3, 5]) }
  }

  @Test(arguments: [(6, 8), (5, 7), (3, 4), (4, 9), (2, 3)])
  func resizedPictures(_ height: Int, _ width: Int) {
    checkGradients([random([2, 3, 4, 5], 1)]) { resizeNearest($0[0], height: height, width: width) }
  }
}
