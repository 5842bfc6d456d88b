// What the tests of layers share: a source of random parameters that remembers what was asked of it.

import Tensors

@testable import Layers

func random(_ shape: Shape, _ seed: UInt64) -> Tensor {
  Philox(seed: seed, stream: .initialization).normal(shape)
}

/// A store whose parameters are drawn at random, the same for every store.
final class RandomStore {
  private(set) var asked: [String] = []
  /// What was given, in the layout of disk.
  private(set) var given: [String: Tensor] = [:]
  private(set) var store: ParameterStore!

  init() {
    store = ParameterStore { [unowned self] name, shape in
      let tensor = random(shape, UInt64(100 + asked.count))
      asked.append("\(name) \(shape)")
      given[name] = tensor
      return tensor.copy()
    }
  }

  var root: Scope { store.root }

  /// The element of a parameter at a place in the layout of disk.
  func element(_ name: String, _ place: Int...) -> Double {
    guard let tensor = given[name] else { return .nan }
    let index = place.enumerated().reduce(0) { $0 * tensor.shape[$1.offset] + $1.element }
    return Double(tensor.pointer[index])
  }
}

/// The largest difference of a tensor's elements from what `expected` gives for their places, over the largest
/// magnitude; infinite where a NaN is found.
func relativeError(_ found: Tensor, _ expected: ([Int]) -> Double) -> Double {
  var (difference, largest) = (0.0, 0.0)
  for index in 0..<found.count {
    var (rest, place) = (index, [Int](repeating: 0, count: found.shape.rank))
    for dimension in place.indices.reversed() {
      place[dimension] = rest % found.shape[dimension]
      rest /= found.shape[dimension]
    }
    let exact = expected(place)
    let error = abs(Double(found.pointer[index]) - exact)
    guard !error.isNaN else { return .infinity }
    (difference, largest) = (max(difference, error), max(largest, abs(exact)))
  }
  return difference / max(largest, .leastNormalMagnitude)
}
