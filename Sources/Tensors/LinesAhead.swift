// Memory on its way into a cache while the processor is busy with arithmetic.

import CProcessor

/// What a kernel asks between pieces of its arithmetic.
protocol Asking {
  /// Whether there is nothing to ask for, ever: the kernel then needs no pieces.
  static var isSilent: Bool { get }
  mutating func ask()
}

/// Asks for nothing.
struct Silence: Asking {
  @inline(__always) static var isSilent: Bool { true }
  @inline(__always) mutating func ask() {}
}

/// Lines of memory that are used soon: rows of some floats each, asked for a few lines at a time between pieces of arithmetic. A
/// processor forgets what it is asked for beyond some twenty lines at once, or waits for it.
struct LinesAhead: Asking {
  let base: UnsafePointer<Float>
  let rows: Int
  let stride: Int
  let run: Int
  /// How far in floats two other tensors of the same shape are from this one, whose lines at the same places are wanted too.
  private let others: (Int, Int)?
  private var row = 0
  private var column = 0
  private var linesEach = 0

  /// - Parameters:
  ///   - stride: from a row to the next.
  ///   - run: how many floats of each row.
  init(
    _ base: UnsafePointer<Float>, rows: Int, stride: Int, run: Int, others: (Int, Int)? = nil
  ) {
    self.base = base
    self.rows = run > 0 ? rows : 0
    self.stride = stride
    self.run = run
    self.others = others
  }

  /// Nothing.
  static var none: LinesAhead {
    LinesAhead(UnsafePointer(bitPattern: 64)!, rows: 0, stride: 0, run: 0)
  }

  @inline(__always) static var isSilent: Bool { false }

  @inline(__always) var isDone: Bool { row >= rows }

  /// Shares all lines out among so many calls of ``ask()``.
  mutating func spread(over calls: Int) {
    linesEach = (rows * ((run + 15) / 16) + max(1, calls) - 1) / max(1, calls)
  }

  /// Asks for the next lines.
  @inline(__always)
  mutating func ask() {
    var left = linesEach
    while left > 0, row < rows {
      let place = base + (row &* stride &+ column)
      processor_prefetch_far(place)
      if let others {
        processor_prefetch_far(place + others.0)
        processor_prefetch_far(place + others.1)
      }
      column &+= 16
      if column >= run {
        column = 0
        row &+= 1
      }
      left &-= 1
    }
  }
}
