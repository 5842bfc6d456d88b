// Maps without their noise.

import Glibc
import Tensors

/// `[height, width]` under a Gaussian cut off at three standard deviations; what lies beyond repeats the edge.
func smoothed(_ values: Tensor, by deviation: Float) -> Tensor {
  let reach = Int(3 * deviation)
  let kernel = (-reach...reach).map { exp(-Float($0 * $0) / (2 * deviation * deviation)) }
  let total = kernel.reduce(0, +)
  let (height, width) = (values.shape[0], values.shape[1])
  func pass(_ source: Tensor, across: Int, down: Int) -> Tensor {
    let result = Tensor(zeros: source.shape)
    for y in 0..<height {
      for x in 0..<width {
        for (index, weight) in kernel.enumerated() {
          let column = min(max(x + (index - reach) * across, 0), width - 1)
          let row = min(max(y + (index - reach) * down, 0), height - 1)
          result.pointer[y * width + x] += weight / total * source.pointer[row * width + column]
        }
      }
    }
    return result
  }
  return pass(pass(values, across: 1, down: 0), across: 0, down: 1)
}
