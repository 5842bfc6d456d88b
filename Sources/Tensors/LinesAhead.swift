// Memory on its way into a cache while the processor is busy with arithmetic.

import CProcessor

/// Lines of memory that are used soon: rows of some floats each, asked for a few lines at a time between pieces of arithmetic. A
/// processor forgets what it is asked for beyond some twenty lines at once.
struct LinesAhead {
  private let base: UnsafePointer<Float>
  private let rows: Int
  private let stride: Int
  private let run: Int
  private var row = 0
  private var column = 0
  private var linesEach = 0

  /// - Parameters:
  ///   - stride: from a row to the next.
  ///   - run: how many floats of each row.
  init(_ base: UnsafePointer<Float>, rows: Int, stride: Int, run: Int) {
    self.base = base
    self.rows = rows
    self.stride = stride
    self.run = run
  }

  /// Nothing.
  static var none: LinesAhead {
    LinesAhead(UnsafePointer(bitPattern: 64)!, rows: 0, stride: 0, run: 0)
  }

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
      processor_prefetch_far(base + (row &* stride &+ column))
      column &+= 16
      if column >= run {
        column = 0
        row &+= 1
      }
      left &-= 1
    }
  }
}
