// What the tests of all kernels share: random tensors, the measure of an error, and the check that the number of
// threads changes no byte.

import Synchronization
import Testing

@testable import Tensors

func random(_ shape: Shape, _ seed: UInt64) -> Tensor {
  Philox(seed: seed, stream: .initialization).normal(shape)
}

/// The largest difference over the largest magnitude of the expected values; infinite where a NaN or another number of
/// elements is found.
func relativeError(_ found: Tensor, _ expected: Tensor) -> Float {
  Float(relativeError(found, Exact(expected.reshaped(found.shape))))
}

/// The largest difference over the largest magnitude of the expected values; infinite where a NaN or another shape is
/// found.
func relativeError(_ found: Tensor, _ expected: Exact) -> Double {
  guard found.shape == expected.shape else { return .infinity }
  let largest = expected.values.reduce(0) { max($0, abs($1)) }
  return largestDifference(found.array, expected.values) / max(largest, .leastNormalMagnitude)
}

/// The largest difference; infinite where a NaN is found or the counts differ.
func largestDifference(_ found: [Float], _ expected: [Double]) -> Double {
  guard found.count == expected.count else { return .infinity }
  var largest = 0.0
  for (x, y) in zip(found, expected) {
    let difference = abs(Double(x) - y)
    // `max` would drop a NaN.
    guard !difference.isNaN else { return .infinity }
    largest = max(largest, difference)
  }
  return largest
}

/// Leaves NaN in buffers that wait in the pool, two of each size up to 2^16 elements, and in 8 MB for larger ones: a kernel
/// that reads what it has not set, or beyond a tensor, then shows it.
func poisonPool() {
  var held = [Tensor(repeating: .nan, [1 << 21])]
  var capacity = 0
  while capacity < 1 << 16 {
    capacity = StoragePool.capacity(for: capacity + 1)
    held += (0..<2).map { _ in Tensor(repeating: .nan, [capacity]) }
  }
}

/// Held by whoever changes the number of threads, so that tests that run at the same time don't undo each other's.
private let threadCount = Mutex(())

/// Runs `body` with `threads` threads, and restores their number.
func withThreads(_ threads: Int, _ body: () -> Void) {
  threadCount.withLock { _ in
    let before = Parallel.threads
    Parallel.setThreads(threads)
    body()
    Parallel.setThreads(before)
  }
}

/// Expects the same bits of `compute`'s results whatever the number of threads.
func expectSameBytesOnAnyThreads(
  sourceLocation: SourceLocation = #_sourceLocation, _ compute: () -> [Tensor]
) {
  var expected: [[UInt32]] = []
  for threads in [1, 2, 3, 4, 8, 16] {
    withThreads(threads) {
      // More than once, for how the threads share the work differs from time to time.
      for _ in 0..<3 {
        let found = compute().map { $0.array.map(\.bitPattern) }
        if expected.isEmpty { expected = found }
        #expect(found == expected, "\(threads) threads", sourceLocation: sourceLocation)
      }
    }
  }
}

/// What a kernel gives away in parts, joined; NaN where no part is, and where two are.
func joined(_ shape: Shape, _ give: (PartTaker) -> Void) -> Tensor {
  let result = Tensor(repeating: .nan, shape)
  let counts = Tensor(zeros: shape)
  let taker = PartTaker { part in
    for row in 0..<part.place.rows {
      for column in 0..<part.place.columns {
        let place = part.place.offset + row * part.place.stride + column
        result.pointer[place] = part.values[row * part.valueStride + column]
        counts.pointer[place] += 1
      }
    }
  }
  give(taker)
  for place in 0..<shape.count where counts.pointer[place] != 1 { result.pointer[place] = .nan }
  return withExtendedLifetime(counts) { result }
}
