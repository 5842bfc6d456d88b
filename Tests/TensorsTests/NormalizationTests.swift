import Testing

@testable import Tensors

@Suite struct NormalizationTests {
  /// Shapes, and in how many groups their channels fall. No group is of two elements: normalised, those are 1 and -1
  /// whatever they were, so the exact gradient is next to nothing.
  static let cases: [(Shape, groups: Int)] = [
    ([1, 1, 1, 12], 3), ([1, 1, 19, 3], 1), ([2, 5, 7, 17], 17), ([3, 4, 4, 33], 3),
    ([2, 9, 15, 49], 7), ([1, 13, 21, 32], 8), ([2, 16, 17, 96], 32), ([3, 5, 6], 2),
    ([5, 9, 15, 24], 4),
  ]

  private func check(
    _ x: Tensor, groups: Int, silu: Bool, tolerance: Double = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let channels = x.shape.last
    let (scale, shift) = (random([channels], 2), random([channels], 3))
    let gradient = random(x.shape, 4)
    let expected = naiveNormalization(
      x, scale: scale, shift: shift, groups: groups, epsilon: 1e-5, silu: silu, gradient: gradient)
    poisonPool()
    let (found, statistics) = groupNormalization(
      x, scale: scale, shift: shift, groups: groups, epsilon: 1e-5, silu: silu)
    let gradients = groupNormalizationGradient(
      gradient, x, scale: scale, shift: shift, groups: groups, silu: silu, statistics)
    #expect(groupNormalization(x, statistics, silu: silu).array == found.array)
    let others = random(x.shape, 5)
    let ofInput = groupNormalizationGradient(
      gradient, x, scale: scale, shift: shift, groups: groups, silu: silu, statistics,
      isTrained: false, adding: others)
    #expect(ofInput.scale == nil && ofInput.shift == nil)
    #expect(ofInput.input.array == (gradients.input + others).array)
    for (name, found, expected) in [
      ("value", found, expected.result), ("input", gradients.input, expected.inputGradient),
      ("scale", gradients.scale!, expected.scaleGradient),
      ("shift", gradients.shift!, expected.shiftGradient),
    ] {
      let error = relativeError(found, expected)
      #expect(error <= tolerance, "\(name)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: cases, [false, true])
  func groups(_ test: (Shape, groups: Int), _ silu: Bool) {
    check(random(test.0, 1), groups: test.groups, silu: silu)
  }

  private func checkLayers(
    _ x: Tensor, tolerance: Double = 1e-5, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let channels = x.shape.last
    let (scale, shift) = (random([channels], 2), random([channels], 3))
    let gradient = random(x.shape, 4)
    let expected = naiveNormalization(
      x.reshaped([x.shape.rows, channels]), scale: scale, shift: shift, groups: 1, epsilon: 1e-5,
      silu: false, gradient: gradient)
    poisonPool()
    let (found, statistics) = layerNormalization(x, scale: scale, shift: shift, epsilon: 1e-5)
    let gradients = layerNormalizationGradient(gradient, x, scale: scale, statistics)
    let others = random(x.shape, 5)
    let ofInput = layerNormalizationGradient(
      gradient, x, scale: scale, statistics, isTrained: false, adding: others)
    #expect(ofInput.scale == nil && ofInput.shift == nil)
    #expect(ofInput.input.array == (gradients.input + others).array)
    for (name, found, expected) in [
      ("value", found, expected.result.reshaped(x.shape)),
      ("input", gradients.input, expected.inputGradient.reshaped(x.shape)),
      ("scale", gradients.scale!, expected.scaleGradient),
      ("shift", gradients.shift!, expected.shiftGradient),
    ] {
      let error = relativeError(found, expected)
      #expect(error <= tolerance, "\(name)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: [[1, 3], [7, 17], [2, 5, 33], [3, 77, 49], [2, 3, 5, 64], [700, 130]])
  func layers(_ extents: [Int]) { checkLayers(random(Shape(extents), 1)) }

  /// One pass over sums of squares would keep no digit of the variance here.
  @Test(arguments: [false, true]) func aMeanFarFromZero(_ silu: Bool) {
    for groups in [1, 7, 49] {
      let x = Tensor(repeating: 100, [2, 9, 15, 49]) + random([2, 9, 15, 49], 1)
      check(x, groups: groups, silu: silu)
    }
  }

  @Test func rowsWithAMeanFarFromZero() {
    checkLayers(Tensor(repeating: 100, [40, 49]) + random([40, 49], 1))
    checkLayers(Tensor(repeating: -100, [6, 770]) + random([6, 770], 1))
  }

  @Test func constantInput() {
    let x = Tensor(repeating: 7, [1, 3, 3, 6])
    let (scale, shift) = (Tensor(repeating: 2, [6]), random([6], 1))
    let (groups, _) = groupNormalization(
      x, scale: scale, shift: shift, groups: 2, epsilon: 1e-5, silu: false)
    let (rows, _) = layerNormalization(x, scale: scale, shift: shift, epsilon: 1e-5)
    let expected = Array(repeating: shift.array.map(Double.init), count: 9).flatMap { $0 }
    // Groups are computed as x * factor + offset, as PyTorch does, which rounds at the size of x * factor: 7 * 2 / sqrt(1e-5).
    #expect(largestDifference(groups.array, expected) <= 4427 * Double(Float.ulpOfOne))
    #expect(largestDifference(rows.array, expected) <= 1e-5)
  }

  @Test(arguments: [[2, 40, 37, 48], [5, 9, 15, 48]])
  func doesNotDependOnTheNumberOfThreads(_ extents: [Int]) {
    let (x, gradient) = (random(Shape(extents), 1), random(Shape(extents), 2))
    let (scale, shift) = (random([48], 3), random([48], 4))
    expectSameBytesOnAnyThreads {
      let (grouped, groups) = groupNormalization(
        x, scale: scale, shift: shift, groups: 8, epsilon: 1e-5, silu: true)
      let (layered, rows) = layerNormalization(x, scale: scale, shift: shift, epsilon: 1e-5)
      let byGroups = groupNormalizationGradient(
        gradient, x, scale: scale, shift: shift, groups: 8, silu: true, groups)
      let byRows = layerNormalizationGradient(gradient, x, scale: scale, rows)
      return [
        grouped, groups.mean, groups.inverseDeviation, layered, rows.mean, rows.inverseDeviation,
        byGroups.input, byGroups.scale!, byGroups.shift!, byRows.input, byRows.scale!,
        byRows.shift!,
      ]
    }
  }
}
