// Memory on its way into a cache while the processor is busy with arithmetic.

import CProcessor

/// Rectangles of memory that are used soon, asked for a few lines at a time between pieces of arithmetic: a processor forgets what
/// it is asked for beyond some twenty lines at once.
struct MemoryAhead {
  /// Rows of floats, `stride` apart.
  struct Rectangle {
    var base: UnsafePointer<Float>
    var stride: Int
    var rows: Int
    var columns: Int
  }

  private var rectangles: [Rectangle]
  /// The rectangle whose lines are asked for, the next of them, and how many rows there are after its row and lines in it.
  private var index = 0
  private var line: UnsafePointer<Float>?
  private var rowsLeft = 0
  private var linesLeft = 0
  /// How many lines more than it was to ask has been asked for.
  private var lead = 0
  private var each = 0

  /// - Parameter calls: of ``ask()``, in which all is asked for.
  init(_ rectangles: [Rectangle], calls: Int) {
    self.rectangles = rectangles.filter { $0.rows > 0 && $0.columns > 0 }
    let lines = self.rectangles.reduce(0) { $0 + $1.rows * Self.lines($1) }
    each = (lines + max(1, calls) - 1) / max(1, calls)
    begin()
  }

  /// Nothing.
  init() { rectangles = [] }

  @inline(__always) var isDone: Bool { line == nil }

  private static func lines(_ rectangle: Rectangle) -> Int { (rectangle.columns + 15) / 16 }

  private mutating func begin() {
    line = nil
    guard index < rectangles.count else { return }
    line = rectangles[index].base
    rowsLeft = rectangles[index].rows - 1
    linesLeft = Self.lines(rectangles[index])
  }

  /// Asks for the next lines.
  @inline(__always)
  mutating func ask() {
    guard line != nil else { return }
    lead &-= each
    while lead < 0 { askForSome() }
  }

  /// Asks for up to eight lines of a row.
  @inline(never)
  private mutating func askForSome() {
    guard var place = line else { return lead = 0 }
    let count = min(8, linesLeft)
    for _ in 0..<count {
      processor_prefetch_far(place)
      place += 16
    }
    lead &+= count
    linesLeft &-= count
    if linesLeft > 0 {
      line = place
    } else if rowsLeft > 0 {
      let rectangle = rectangles[index]
      rowsLeft &-= 1
      linesLeft = Self.lines(rectangle)
      line = rectangle.base + (rectangle.rows &- 1 &- rowsLeft) &* rectangle.stride
    } else {
      index &+= 1
      begin()
    }
  }
}
