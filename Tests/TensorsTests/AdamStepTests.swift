import Testing

@testable import Tensors

@Suite struct AdamStepTests {
  /// Ten steps of Algorithm 1 of Kingma and Ba in double precision, each with a gradient of its own; weight decay as in
  /// Loshchilov and Hutter.
  @Test(arguments: [1, 3, 17, 33, 70_001], [Float(0), 0.01])
  func agreesWithItsDefinition(_ count: Int, _ weightDecay: Float) {
    let start = random([count], 1)
    let values = start.copy()
    let (mean, variance) = (Tensor(zeros: [count]), Tensor(zeros: [count]))
    var (p, m, v) = (Exact(start), Exact(mean), Exact(variance))
    let rate = Double(Float(0.05))
    for step in 1...10 {
      let gradient = random([count], UInt64(10 + step))
      AdamStep(learningRate: 0.05, weightDecay: weightDecay, step: step)
        .apply(to: values, gradient: gradient, mean: mean, variance: variance)
      var (power1, power2) = (1.0, 1.0)
      for _ in 0..<step {
        power1 *= 0.9
        power2 *= 0.999
      }
      for i in 0..<count {
        let g = Double(gradient.pointer[i])
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.999 * v[i] + 0.001 * g * g
        let (unbiasedMean, unbiasedVariance) = (m[i] / (1 - power1), v[i] / (1 - power2))
        p[i] -= rate * Double(weightDecay) * p[i]
        p[i] -= rate * unbiasedMean / (unbiasedVariance.squareRoot() + 1e-8)
      }
    }
    #expect(relativeError(values, p) <= 1e-6)
    #expect(relativeError(mean, m) <= 1e-6)
    #expect(relativeError(variance, v) <= 1e-6)
  }

  /// What PyTorch 2.13 computes:
  ///
  ///     p = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
  ///     o = torch.optim.Adam([p], lr=0.1)  # and torch.optim.AdamW([p], lr=0.1, weight_decay=0.01)
  ///     for k in range(1, 11):
  ///         p.grad = torch.tensor([0.3, -0.01, 2.0]) * k - torch.tensor([1.0, 0.05, 4.0])
  ///         o.step()
  ///     print(p, o.state[p]["exp_avg"], o.state[p]["exp_avg_sq"])
  @Test(arguments: [
    (Float(0), [1.02886248, -0.983866572, 0.0934493691]),
    (Float(0.01), [1.01681828, -0.968477845, 0.088603273]),
  ])
  func agreesWithPyTorch(_ weightDecay: Float, _ expected: [Double]) {
    let values = Tensor([1, -2, 0.5], [3])
    let (mean, variance) = (Tensor(zeros: [3]), Tensor(zeros: [3]))
    for k in 1...10 {
      let factor = Float(k)
      let gradient = Tensor([0.3 * factor - 1, -0.01 * factor - 0.05, 2 * factor - 4], [3])
      AdamStep(learningRate: 0.1, weightDecay: weightDecay, step: k)
        .apply(to: values, gradient: gradient, mean: mean, variance: variance)
    }
    #expect(largestDifference(values.array, expected) <= 1e-6)
    #expect(largestDifference(mean.array, [0.590110242, -0.0739471391, 5.67092562]) <= 1e-6)
    #expect(
      largestDifference(variance.array, [0.0116297863, 0.000118140764, 0.818621635]) <= 1e-6)
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let (start, gradient) = (random([200_003], 1), random([200_003], 2))
    expectSameBytesOnAnyThreads {
      let state = [start.copy(), Tensor(zeros: start.shape), Tensor(zeros: start.shape)]
      for step in 1...2 {
        AdamStep(learningRate: 0.1, step: step)
          .apply(to: state[0], gradient: gradient, mean: state[1], variance: state[2])
      }
      return state
    }
  }

  /// Of an inner dimension so long that the state is asked for, too.
  @Test(arguments: [(7, 130, 211), (40, 30, 850), (530, 70, 100)])
  func byPartsOfTheGradientItIsTheSame(inner: Int, rows: Int, columns: Int) {
    let (a, b) = (random([inner, rows], 1), random([inner, columns], 2))
    let gradient = matrixProduct(a, b, transposingLeft: true)
    func state() -> [Tensor] {
      [
        random([rows, columns], 3), Tensor(zeros: [rows, columns]), Tensor(zeros: [rows, columns]),
      ]
    }
    let (whole, parts) = (state(), state())
    for step in 1...3 {
      let adam = AdamStep(learningRate: 0.1, weightDecay: 0.01, step: step)
      adam.apply(to: whole[0], gradient: gradient, mean: whole[1], variance: whole[2])
      transposedMatrixProduct(
        a, b, inParts: adam.taker(changing: parts[0], mean: parts[1], variance: parts[2]))
    }
    for (one, other) in zip(whole, parts) {
      #expect(one.array.map(\.bitPattern) == other.array.map(\.bitPattern))
    }
  }
}
