import Autodiff
import Layers
import Tensors
import Testing

@testable import Training

@Suite struct OptimizerTests {
  private func parameters() throws -> [Parameter] {
    let values: [String: [Float]] = ["weight": [1, -2, 3, 0.5], "bias": [0.25, -1]]
    let store = ParameterStore { name, shape in Tensor(values[name]!, shape) }
    return [
      try store.root.parameter("weight", [2, 2]), try store.root.parameter("bias", [2]),
    ]
  }

  /// Sends given gradients to the parameters.
  private func send(_ gradients: [[Float]], to parameters: [Parameter]) {
    for (parameter, gradient) in zip(parameters, gradients) {
      let tape = Tape()
      let loss = tape.record {
        weightedMean(
          parameter.variable,
          Float(gradient.count) * Tensor(gradient, parameter.value.shape))
      }
      tape.backward(from: loss)
    }
  }

  @Test func rateRisesThenFollowsACosine() {
    let schedule = LearningRateSchedule(peak: 2, warmUp: 4, steps: 12, last: 0.1)
    #expect(schedule.rate(at: 0) == 0.5)
    #expect(schedule.rate(at: 3) == 2)
    #expect(schedule.rate(at: 4) == 2)
    #expect(abs(schedule.rate(at: 8) - 2 * (0.1 + 0.9 / 2)) < 1e-12)
    #expect(abs(schedule.rate(at: 12) - 0.2) < 1e-12)
  }

  /// Against the formulas of AdamW, of clipping and of the average, written out in double precision.
  @Test func updatesAsTheFormulasSay() throws {
    let parameters = try parameters()
    let optimizer = Optimizer(
      parameters, schedule: LearningRateSchedule(peak: 0.1, warmUp: 1, steps: 10, last: 0.5),
      weightDecay: 0.2, clip: 1, decay: 0.6)
    var values: [[Double]] = [[1, -2, 3, 0.5], [0.25, -1]]
    var averages = values
    var (means, variances) = (
      values.map { $0.map { _ in 0.0 } }, values.map { $0.map { _ in 0.0 } }
    )
    for step in 1...5 {
      let gradients: [[Float]] = [
        [0.5, -1, 2, Float(step)], [0.1 * Float(step), -0.3],
      ]
      send(gradients, to: parameters)
      optimizer.update()
      let norm = gradients.joined().reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let rate = optimizer.schedule.rate(at: step - 1)
      let decay = min(0.6, Double(1 + step) / Double(10 + step))
      for tensor in values.indices {
        for index in values[tensor].indices {
          let slope = Double(gradients[tensor][index]) * min(1, 1 / norm)
          means[tensor][index] = 0.9 * means[tensor][index] + 0.1 * slope
          variances[tensor][index] = 0.999 * variances[tensor][index] + 0.001 * slope * slope
          func power(_ base: Double) -> Double { (0..<step).reduce(1) { sum, _ in sum * base } }
          let mean = means[tensor][index] / (1 - power(0.9))
          let variance = variances[tensor][index] / (1 - power(0.999))
          values[tensor][index] *= 1 - rate * (tensor == 0 ? 0.2 : 0)
          values[tensor][index] -= rate * mean / (variance.squareRoot() + 1e-8)
          averages[tensor][index] += (1 - decay) * (values[tensor][index] - averages[tensor][index])
        }
      }
      for tensor in values.indices {
        for index in values[tensor].indices {
          #expect(
            abs(Double(parameters[tensor].value.array[index]) - values[tensor][index]) < 1e-5)
          #expect(
            abs(Double(optimizer.averages[tensor].array[index]) - averages[tensor][index]) < 1e-5)
        }
      }
    }
  }

  @Test func averagesStandInAndGoBack() throws {
    let parameters = try parameters()
    let optimizer = Optimizer(
      parameters, schedule: LearningRateSchedule(peak: 0.1, warmUp: 0, steps: 10),
      weightDecay: 0, clip: 10, decay: 0.9)
    send([[1, 1, 1, 1], [1, 1]], to: parameters)
    optimizer.update()
    let value = parameters[0].value.array
    let average = optimizer.averages[0].array
    #expect(value != average)
    optimizer.withAverages { #expect(parameters[0].value.array == average) }
    #expect(parameters[0].value.array == value)
    #expect(optimizer.averages[0].array == average)
  }
}
