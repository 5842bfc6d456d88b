import Testing

@testable import Tensors

@Suite struct AttentionTests {
  struct Size: CustomTestStringConvertible {
    var batch = 1
    var queries: Int
    var keys: Int
    var heads: Int
    var width: Int
    /// How large the queries are: large ones make softmax pick single keys.
    var magnitude: Float = 1

    var testDescription: String {
      "\(batch) x \(heads) heads of \(width), \(queries) queries, \(keys) keys, times \(magnitude)"
    }
  }

  static let sizes = [
    Size(queries: 1, keys: 1, heads: 1, width: 1),
    Size(batch: 2, queries: 5, keys: 7, heads: 3, width: 3),
    Size(batch: 3, queries: 33, keys: 17, heads: 1, width: 49),
    Size(batch: 2, queries: 77, keys: 77, heads: 2, width: 16),
    Size(queries: 130, keys: 9, heads: 3, width: 40),
    Size(queries: 3, keys: 1000, heads: 2, width: 17),
    Size(queries: 101, keys: 200, heads: 2, width: 33, magnitude: 30),
    Size(queries: 270, keys: 210, heads: 2, width: 40),
    Size(queries: 513, keys: 97, heads: 1, width: 8),
    Size(queries: 256, keys: 96, heads: 1, width: 16),
    Size(queries: 43, keys: 40, heads: 2, width: 24),
    Size(queries: 88, keys: 135, heads: 1, width: 40),
    // So many heads that some share a task.
    Size(batch: 4, queries: 24, keys: 25, heads: 5, width: 24),
    Size(batch: 2, queries: 270, keys: 30, heads: 17, width: 8),
  ]

  private func check(
    _ size: Size, causal: Bool, tolerance: Double = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let channels = size.heads * size.width
    let queries = size.magnitude * random([size.batch, size.queries, channels], 1)
    let keys = random([size.batch, size.keys, channels], 2)
    let values = random([size.batch, size.keys, channels], 3)
    let gradient = random(queries.shape, 4)
    let expected = naiveAttention(
      queries: queries, keys: keys, values: values, heads: size.heads, causal: causal,
      gradient: gradient)
    poisonPool()
    let (found, logSums) = attention(
      queries: queries, keys: keys, values: values, heads: size.heads, causal: causal)
    let gradients = attentionGradient(
      gradient, queries: queries, keys: keys, values: values, result: found, logSums: logSums,
      heads: size.heads, causal: causal)
    for (name, found, expected) in [
      ("value", found, expected.result), ("logarithms", logSums, expected.logSums),
      ("queries", gradients.queries, expected.queryGradient),
      ("keys", gradients.keys, expected.keyGradient),
      ("values", gradients.values, expected.valueGradient),
    ] {
      let error = relativeError(found, expected)
      #expect(error <= tolerance, "\(name)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: sizes, [false, true])
  func agreesWithItsDefinition(_ size: Size, _ causal: Bool) {
    check(size, causal: causal)
  }

  /// Some processors take a hundred times as long for a number below the smallest normal one.
  @Test func keysThatAreHardlySeenMakeNoSubnormalNumbers() {
    // Scores up to hundreds apart: weights down to e^-100 and less.
    let queries = 100 * random([1, 96, 32], 1)
    let (keys, values) = (random([1, 96, 32], 2), random([1, 96, 32], 3))
    let (result, logSums) = attention(queries: queries, keys: keys, values: values, heads: 2)
    let gradients = attentionGradient(
      random(queries.shape, 4), queries: queries, keys: keys, values: values, result: result,
      logSums: logSums, heads: 2)
    for tensor in [result, gradients.queries, gradients.keys, gradients.values] {
      #expect(tensor.array.allSatisfy { !$0.isSubnormal })
    }
  }

  /// What stands beside the last keys is no score, though it be larger than all.
  @Test(arguments: [5, 50, 95]) func scoresThatAreAllFarBelowZero(keyCount: Int) {
    let queries = random([1, 20, 16], 1) + Tensor(repeating: 10, [1, 20, 16])
    let keys = random([1, keyCount, 16], 2) + Tensor(repeating: -10, [1, keyCount, 16])
    let values = random([1, keyCount, 16], 3)
    let expected = naiveAttention(
      queries: queries, keys: keys, values: values, heads: 1, causal: false, gradient: queries)
    poisonPool()
    let (found, logSums) = attention(queries: queries, keys: keys, values: values, heads: 1)
    #expect(relativeError(found, expected.result) <= 1e-4)
    #expect(relativeError(logSums, expected.logSums) <= 1e-5)
  }

  @Test func manyKeys() {
    check(Size(queries: 70, keys: 4096, heads: 1, width: 40), causal: false)
  }

  @Test func oneHeadOfManyQueries() {
    check(Size(queries: 2100, keys: 150, heads: 1, width: 24), causal: false)
    check(Size(queries: 333, keys: 333, heads: 1, width: 20), causal: true)
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let queries = random([2, 130, 6 * 16], 1)
    let (keys, values) = (random([2, 77, 6 * 16], 2), random([2, 77, 6 * 16], 3))
    let gradient = random(queries.shape, 4)
    expectSameBytesOnAnyThreads {
      let (result, logSums) = attention(
        queries: queries, keys: keys, values: values, heads: 6, causal: true)
      let gradients = attentionGradient(
        gradient, queries: queries, keys: keys, values: values, result: result, logSums: logSums,
        heads: 6, causal: true)
      return [result, logSums, gradients.queries, gradients.keys, gradients.values]
    }
  }
}
