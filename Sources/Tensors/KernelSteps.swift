// The kernels of convolutions of few tiles on their way from memory to the products.
//
// Each is used a few times only, so that memory is what such a convolution waits for, if it is not asked ahead. So the kernels of
// the next loops of products are asked for in the loops of these, some lines at a time. Forward they are multiplied where they lie;
// backward, where inputs and outputs are exchanged, blocks of sixteen by sixteen are turned into a buffer of the first-level cache.

import CProcessor

/// Some lines of memory that are used soon, asked for three at once in some steps of a loop: a processor forgets what it is asked for
/// beyond some twenty lines at once. The three are of different pages, most often, which an Intel Xeon reads faster than one after
/// another of the same.
struct KernelsAhead {
  var line: UnsafePointer<Float>
  /// How many floats the three lines are apart.
  var apart: Int
  /// In which steps of a loop: those without these bits.
  var mask: Int

  @_transparent
  mutating func ask(step: Int) {
    guard step & mask == 0 else { return }
    processor_prefetch_far(line)
    processor_prefetch_far(line + apart)
    processor_prefetch_far(line + 2 &* apart)
    line += 16
  }
}

/// Takes kernels in steps: those of some channels of the sum and of sixteen columns. For one thread.
struct KernelSteps {
  /// The most channels of the sum of a step.
  static let mostInner = 32

  private let kernels: KernelStrips
  /// Whether the kernel is that of the gradient by the input: turned by half a turn, with inputs and outputs exchanged.
  private let rotated: Bool
  private let turned: UnsafeMutablePointer<Float>?

  /// Up to ``mostInner`` channels of the sum, a multiple of sixteen, and sixteen columns.
  struct Step {
    var inner: Range<Int>
    var column: Int
  }

  /// Calls `body` with all kernels of a convolution, or with `rotated` of its gradient by the input.
  static func with(_ kernels: KernelStrips, rotated: Bool, _ body: (KernelSteps) -> Void) {
    let storage =
      rotated ? StoragePool.shared.storage(count: mostInner * KernelStrips.kernelCount) : nil
    withExtendedLifetime(storage) {
      body(KernelSteps(kernels: kernels, rotated: rotated, turned: storage?.pointer))
    }
  }

  /// How many columns there are.
  var columns: Int { rotated ? kernels.inputs : kernels.outputs }

  /// The kernels of a step, `[inner][9][16]`, valid until the next call.
  @inline(never)
  func take(_ step: Step) -> UnsafePointer<Float> {
    guard let turned else {
      return kernels.kernel(input: step.inner.lowerBound, output: step.column)
    }
    let size = KernelStrips.kernelCount
    var place = turned
    for output in stride(from: step.inner.lowerBound, to: step.inner.upperBound, by: 16) {
      let source = kernels.kernel(input: step.column, output: output)
      for tap in 0..<9 {
        transpose16x16(source + (8 &- tap) &* 16, size, into: place + tap &* 16, size)
      }
      place += 16 &* size
    }
    return UnsafePointer(turned)
  }

  /// No more than three lines that are there already.
  var nothing: KernelsAhead {
    KernelsAhead(line: kernels.kernel(input: 0, output: 0), apart: 16, mask: -1)
  }

  /// What a loop over the channels of a step is to ask for of the next one, if six times as many loops as told share its kernels.
  /// - Parameters:
  ///   - shares: 1, 2 or 4.
  ///   - loop: less than six times that.
  @inline(__always)
  func ahead(of step: Step?, loop: Int, shares: Int) -> KernelsAhead {
    guard let step else { return nothing }
    // Sixteen channels in half of the loops each, where they don't follow each other: of a turned kernel they are a strip of outputs.
    let isOneRun = !rotated && step.inner.count == Self.mostInner
    let loops = isOneRun ? 6 &* shares : 3 &* shares
    let (first, part) = (loop / loops &* 16, loop % loops)
    guard first < step.inner.count else { return nothing }
    let lines = 16 / shares
    return KernelsAhead(
      line: kernel(step.inner.lowerBound &+ first, step.column) + part &* lines &* 16,
      apart: loops &* lines &* 16, mask: 2 &* shares &- 1)
  }

  /// Where the kernels of sixteen channels of the sum and sixteen columns lie.
  @inline(__always)
  private func kernel(_ channel: Int, _ column: Int) -> UnsafePointer<Float> {
    rotated
      ? kernels.kernel(input: column, output: channel)
      : kernels.kernel(input: channel, output: column)
  }
}
