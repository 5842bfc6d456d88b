import Foundation
import Tensors
import Testing

@testable import Autodiff

@Suite struct ReconstructionTests {
  @Test func errorIsThatOfPixelsAndOfTheirSteps() {
    // One picture of 2x2 pixels with one channel: differences 1, -2 / 0.5, 3.
    let prediction = Tensor([2, 0, 1.5, 7], [1, 2, 2, 1])
    let target = Tensor([1, 2, 1, 4], [1, 2, 2, 1])
    let error = reconstructionError(Variable(prediction), target, edgeWeight: 0.5).value.scalar
    let pixels = (1 + 2 + 0.5 + 3) / 4.0
    let across = (3 + 2.5) / 2.0
    let down = (0.5 + 5) / 2.0
    #expect(abs(Double(error) - (pixels + 0.5 * (across + down))) < 1e-6)
  }

  @Test func errorHasTheGradientOfItsDifferences() {
    let target = random([2, 3, 4, 3], 1)
    // No difference, and no step of one, is near 0, where there is no gradient.
    let apart = Tensor((0..<72).map { (Float($0 * 7 % 11) - 5.3) * 0.4 }, [2, 3, 4, 3])
    checkGradients([target + apart]) {
      reconstructionError($0[0], target, edgeWeight: 0.7)
    }
  }

  @Test func gaussianIsDrawnByItsMoments() {
    let moments = Tensor([0.5, -1, log(4), 40], [1, 4])
    let draw = sampleGaussian(Variable(moments), noise: Tensor([1.5, 0], [1, 2])).value.array
    #expect(abs(draw[0] - 3.5) < 1e-6)
    #expect(draw[1] == -1)
  }

  @Test func divergenceIsZeroForTheStandardNormal() {
    #expect(gaussianDivergence(Variable(Tensor(zeros: [3, 8]))).value.scalar == 0)
    let one = gaussianDivergence(Variable(Tensor([2, log(3)], [1, 2]))).value.scalar
    #expect(abs(Double(one) - (4 + 3 - 1 - log(3.0)) / 2) < 1e-6)
  }

  @Test func gaussianHasTheGradientsOfItsDifferences() {
    let noise = random([2, 3, 2], 3)
    let weights = random([2, 3, 2], 4)
    checkGradients([random([2, 3, 4], 5)]) {
      weightedMean(sampleGaussian($0[0], noise: noise), weights)
    }
    checkGradients([random([2, 3, 4], 6)]) { gaussianDivergence($0[0]) }
  }
}
