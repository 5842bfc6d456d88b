// The kernels of Winograd's convolutions of few tiles, where a cache holds all of them.
//
// What is put together for one loop of products stays in the first-level cache, in the place of what was before it, until it
// has been multiplied. It comes from the third-level cache, which answers sixteen lines at once and no sooner than other
// memory would: the lines of the next loop are asked for, some at a time, in the loops of this one.

import CProcessor

/// Puts kernels of sixteen columns together, some channels of the sum after others. For one thread.
struct KernelSteps {
  /// `[3, 3, inputs, outputs]`.
  private let weights: UnsafePointer<Float>
  private let outputs: Int
  private let tapStride: Int
  /// Whether the kernel is that of the gradient by the input: turned by half a turn, with inputs and outputs exchanged.
  private let rotated: Bool
  private let storage: Storage

  /// Some channels of the sum, a multiple of sixteen, and sixteen columns.
  struct Step {
    var inner: Range<Int>
    var column: Int
  }

  /// Whether weights are taken in steps. With registers of 256 bits they are transformed by half before they are multiplied.
  static func suits(_ weights: Tensor) -> Bool {
    processor_target_has_avx512() != 0 && weights.count <= KernelBlocks.cachedCount
  }

  /// - Parameter mostInner: channels of the sum of a step.
  init(_ weights: Tensor, rotated: Bool, mostInner: Int) {
    self.weights = UnsafePointer(weights.pointer)
    outputs = weights.shape[3]
    tapStride = weights.shape[2] * outputs
    self.rotated = rotated
    storage = StoragePool.shared.storage(count: mostInner * KernelTaps.packedStride)
  }

  /// The kernels of a step, `[inner][9][16]`, valid until the next call.
  @inline(never)
  func take(_ step: Step) -> UnsafePointer<Float> {
    let (first, count) = (step.inner.lowerBound, step.inner.count)
    for tap in 0..<9 {
      var place = storage.pointer + tap &* 16
      if rotated {
        let source = weights + ((8 &- tap) &* tapStride &+ step.column &* outputs &+ first)
        for k in stride(from: 0, to: count, by: 16) {
          transpose16x16(source + k, outputs, into: place, KernelTaps.packedStride)
          place += 16 &* KernelTaps.packedStride
        }
      } else {
        var source = weights + (tap &* tapStride &+ first &* outputs &+ step.column)
        for _ in 0..<count {
          store(load(source), place)
          source += outputs
          place += KernelTaps.packedStride
        }
      }
    }
    return UnsafePointer(storage.pointer)
  }

  /// No more than a line that is there already.
  var nothing: RowsAhead { RowsAhead(line: weights, stride: 0, mask: -1, apart: 0, lines: 3) }

  /// What is to be asked for of a step while a row of elements of the step before is multiplied, three taps at once: all that 32
  /// channels take, after six rows.
  @inline(__always)
  func ahead(of step: Step?, row: Int) -> RowsAhead {
    guard let step else { return nothing }
    // Of a kernel that is turned, sixteen of the channels of all columns; otherwise all columns of sixteen of the channels.
    let (taps, half) = (weights + row / 2 &* 3 &* tapStride, row % 2 &* 16)
    let (line, channel) =
      rotated
      ? (step.column, step.inner.lowerBound &+ half) : (step.inner.lowerBound &+ half, step.column)
    return RowsAhead(
      line: taps + (line &* outputs &+ channel), stride: outputs, mask: 1, apart: tapStride,
      lines: 3)
  }
}
