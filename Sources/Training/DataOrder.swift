// The order in which training pictures come: a new one in each epoch, and the same whenever it is asked for.

import Tensors

/// Numbers of pictures by the numbers of samples, each picture once in an epoch.
struct DataOrder {
  let count: Int
  let seed: UInt64
  private var epoch = -1
  private var order: [Int32] = []

  init(count: Int, seed: UInt64) {
    self.count = count
    self.seed = seed
  }

  /// The picture of a sample, counted from the first of the training.
  mutating func picture(_ sample: Int) -> Int {
    if sample / count != epoch {
      epoch = sample / count
      let random = Philox(seed: seed, stream: .order, step: epoch)
      let keys = (0..<count).map { index in
        let words = random.words(block: UInt64(index / 2))
        let low = 2 * (index % 2)
        return UInt64(words[low]) << 32 | UInt64(words[low + 1])
      }
      order = (0..<Int32(count)).sorted {
        (keys[Int($0)], $0) < (keys[Int($1)], $1)
      }
    }
    return Int(order[sample % count])
  }

  /// The pictures of a batch.
  mutating func batch(_ step: Int, size: Int) -> [Int] {
    (0..<size).map { picture(step * size + $0) }
  }
}
