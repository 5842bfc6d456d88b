// The kernels of Winograd's convolutions on their way from memory to the transform.
//
// The nine taps of a kernel lie as far apart as all channels' weights have room, most often a multiple of what the places of a
// cache repeat at: nine lines want places that hold eight. Read side by side they displace each other before they are used, and so
// do lines that were asked for ahead. So a block of kernels is put together tap by tap, while the products of the block
// before keep the processor busy.

import CProcessor

/// The kernels of some inner channels and some columns, multiples of sixteen both.
struct KernelBlock {
  var inner: Range<Int>
  var columns: Range<Int>
}

/// Some rows of memory that are used soon. A processor forgets what it is asked for beyond some twenty lines at once, so they are
/// asked for one by one, between pieces of arithmetic.
struct RowsAhead {
  var line: UnsafePointer<Float>
  var stride: Int
  /// In which steps of a loop: those without these bits.
  var mask: Int
  /// From one of the lines that are asked for together to the next.
  var apart = 16
  /// How many these are, three or four.
  var lines = 4

  /// In one of some steps asks for lines, and goes on to the next row.
  @_transparent
  mutating func ask(step: Int) {
    guard step & mask == 0 else { return }
    processor_prefetch_far(line)
    processor_prefetch_far(line + apart)
    processor_prefetch_far(line + 2 &* apart)
    if lines == 4 { processor_prefetch_far(line + 3 &* apart) }
    line += stride
  }
}

/// The kernels of a block, sixteen columns after others.
struct KernelTaps {
  var base: UnsafePointer<Float>
  /// From a tap to the next, from an inner channel to the next, and from sixteen columns to the next.
  var tapStride: Int
  var stride: Int
  var stripStride: Int

  /// Of kernels that were put together: `[columns / 16][inner][9][16]`.
  static let packedStride = 9 * 16
}

/// Puts blocks of kernels together, one after another: each while the one before is used. For one thread.
struct KernelBlocks {
  /// `[3, 3, inputs, outputs]`.
  private let weights: Tensor
  /// Whether the kernel is that of the gradient by the input: turned by half a turn, with inputs and outputs exchanged.
  private let rotated: Bool
  /// Whether the weights are more than a cache is sure to hold, and so are worth to be fetched ahead.
  private let isLarge: Bool
  /// How many rows are asked for in a loop, a power of two, and in which steps.
  private let rowsEach: Int
  private let stepMask: Int
  private let storage: (Storage, Storage)
  private var usesSecond = false
  /// The block that is being put together, and how many of its parts are.
  private var next: KernelBlock?
  private var done = 0
  private var parts = 0
  /// The next of its rows that is asked for, as it lies in memory, and how many there are left of the tap and of all.
  private var line: UnsafePointer<Float>
  private var rowsOfTap = 0
  private var rowsLeft = 0

  /// - Parameters:
  ///   - mostElements: of a block's inner channels times its columns.
  ///   - rowsEach: how many of its rows are asked for in each loop, at least.
  ///   - steps: of a loop, a power of two.
  init(_ weights: Tensor, rotated: Bool, mostElements: Int, rowsEach: Int, steps: Int) {
    self.weights = weights
    self.rotated = rotated
    self.rowsEach = min(steps, 1 << (Int.bitWidth - (max(1, rowsEach) - 1).leadingZeroBitCount))
    stepMask = steps / self.rowsEach - 1
    let count = 9 * mostElements
    isLarge = weights.count > Self.cachedCount
    storage = (StoragePool.shared.storage(count: count), StoragePool.shared.storage(count: count))
    line = UnsafePointer(weights.pointer)
  }

  /// Weights of fewer floats a cache is likely to hold: they are taken in steps, or where they lie, or turned when they are wanted.
  static let cachedCount = 1 << 20

  /// The block that was to come next, whole; where it was put is written again after the next call.
  /// - Parameter following: what comes after it, if anything is known to.
  mutating func take(_ block: KernelBlock, following: KernelBlock?) -> KernelTaps {
    guard isLarge || rotated else {
      return KernelTaps(
        base: rows(block, 0).0, tapStride: weights.shape[2] * weights.shape[3],
        stride: weights.shape[3], stripStride: 16)
    }
    if next == nil { begin(block) }
    let target = (usesSecond ? storage.1 : storage.0).pointer
    while done < parts { gather(into: target) }
    usesSecond.toggle()
    next = nil
    if isLarge, let following { begin(following) }
    return KernelTaps(
      base: UnsafePointer(target), tapStride: 16, stride: KernelTaps.packedStride,
      stripStride: block.inner.count * KernelTaps.packedStride)
  }

  private mutating func begin(_ block: KernelBlock) {
    next = block
    let count = rotated ? block.columns.count : block.inner.count
    (done, parts) = (0, 9 * count / 16)
    (line, rowsOfTap, rowsLeft) = (rows(block, 0).0, count, 9 * count)
  }

  /// How many rows behind those that are asked for others are gathered.
  private static let lag = 24

  /// Goes on with the block after the one that was taken: gathers what was asked for a while ago.
  /// - Returns: what is to be asked for next, in a loop of arithmetic.
  @inline(__always)
  mutating func proceed() -> RowsAhead {
    guard let next else { return RowsAhead(line: line, stride: 0, mask: -1) }
    let count = rotated ? next.columns.count : next.inner.count
    if rowsLeft > 0 ? 9 &* count &- rowsLeft >= 16 &* (done &+ 1) &+ Self.lag : done < parts {
      gather(into: (usesSecond ? storage.1 : storage.0).pointer)
    }
    guard rowsLeft > 0 else { return RowsAhead(line: line, stride: 0, mask: -1) }
    // Of sixteen rows at least a tap has as many as are left of it.
    let some = min(rowsEach, rowsOfTap)
    let rows = RowsAhead(line: line, stride: weights.shape[3], mask: stepMask)
    line += some &* rows.stride
    rowsLeft &-= some
    rowsOfTap &-= some
    if rowsOfTap == 0, rowsLeft > 0 {
      rowsOfTap = count
      line = self.rows(next, (9 * count - rowsLeft) / 16).0
    }
    return rows
  }

  /// Where a part's first row begins in the weights, how far apart the rows are, and how long.
  private func rows(_ block: KernelBlock, _ part: Int) -> (
    UnsafePointer<Float>, stride: Int, run: Int
  ) {
    let (inputs, outputs) = (weights.shape[2], weights.shape[3])
    let (lines, run) = rotated ? (block.columns, block.inner) : (block.inner, block.columns)
    let (tap, first) = (part / (lines.count / 16), part % (lines.count / 16) * 16)
    let line = (rotated ? 8 - tap : tap) * inputs + lines.lowerBound + first
    return (UnsafePointer(weights.pointer) + (line * outputs + run.lowerBound), outputs, run.count)
  }

  @inline(never)
  private mutating func gather(into target: UnsafeMutablePointer<Float>) {
    let (block, part) = (next!, done)
    done += 1
    let (source, stride, run) = rows(block, part)
    let sixteens = (rotated ? block.columns.count : block.inner.count) / 16
    let (tap, first) = (part / sixteens, part % sixteens * 16)
    let place = target + tap * 16
    let (packedStride, each) = (
      KernelTaps.packedStride, block.inner.count * KernelTaps.packedStride
    )
    if rotated {
      let strip = place + first / 16 * each
      var k = 0
      while k < run {
        // What is large has been asked for in loops of products.
        if !isLarge {
          let ahead = source + (16 &* stride &+ k)
          for row in 0..<16 { processor_prefetch(ahead + row &* stride) }
        }
        transpose16x16(source + k, stride, into: strip + k &* packedStride, packedStride)
        k &+= 16
      }
    } else {
      for row in 0..<16 {
        let (from, to) = (source + row &* stride, place + (first &+ row) &* packedStride)
        var column = 0
        if !isLarge { processor_prefetch(from + 16 &* stride) }
        while column < run {
          store(load(from + column), to + (column / 16) &* each)
          column &+= 16
        }
      }
    }
  }
}
