// Products of fewest rows with a right operand of columns, as the gradient by a timestep's embedding: each element is the dot
// product of two rows that are contiguous. The right operand is read once, where it lies.

import CProcessor

enum DotProducts {
  /// The most rows for which this is faster than ``TurnedProduct``.
  private static let mostRows = 11

  /// Only with registers of 512 bits, which hold the sums of enough columns.
  static func suits(
    rows: Int, pieces: [Piece], left: LeftOperand, right: RightOperand
  ) -> Bool {
    processor_target_has_avx512() != 0 && rows <= mostRows && left.layout == .rows
      && right.layout == .columns && pieces.allSatisfy { $0.length % 16 == 0 }
  }

  /// `target = left * right (+ target) (+ bias)`, cut into tasks by the shape alone.
  static func run(
    rows: Int, columns: Int, pieces: [Piece], inner: Int, left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    let isShort = rows * columns * inner <= MatrixProduct.serialLimit
    let groups = (columns + dotColumns - 1) / dotColumns
    let grain = isShort ? groups : max(1, groups / 16)
    let pieces = cut(pieces)
    Parallel.forEachRange(of: groups, grain: grain) { range in
      let first = range.lowerBound * dotColumns
      let last = min(columns, range.upperBound * dotColumns)
      multiply(left, right, pieces, rows: rows, columns: first..<last, into: target)
    }
  }

  /// Rows and columns of a tile of dot products: each has a vector of its own, which is summed up in the end.
  private static let dotRows = 4
  private static let dotColumns = 6

  /// The sums of a row with six columns.
  private struct Dots {
    var (x0, x1, x2, x3, x4, x5): (Vector, Vector, Vector, Vector, Vector, Vector)

    @_transparent
    mutating func add(
      _ a: Vector, _ b0: Vector, _ b1: Vector, _ b2: Vector, _ b3: Vector, _ b4: Vector,
      _ b5: Vector
    ) {
      x0.addProduct(a, b0)
      x1.addProduct(a, b1)
      x2.addProduct(a, b2)
      x3.addProduct(a, b3)
      x4.addProduct(a, b4)
      x5.addProduct(a, b5)
    }

    @_transparent
    init(_ p: UnsafePointer<Float>) {
      (x0, x1, x2) = (load(p), load(p + 16), load(p + 32))
      (x3, x4, x5) = (load(p + 48), load(p + 64), load(p + 80))
    }

    @_transparent
    func put(_ p: UnsafeMutablePointer<Float>) {
      store(x0, p)
      store(x1, p + 16)
      store(x2, p + 32)
      store(x3, p + 48)
      store(x4, p + 64)
      store(x5, p + 80)
    }
  }

  /// The longest run of the inner dimension that is taken at once: of six columns and four rows it stays in the first-level cache.
  private static let longestDots = 640

  private static func cut(_ pieces: [Piece]) -> [Piece] {
    pieces.flatMap { piece in
      let parts = max(1, (piece.length + longestDots - 1) / longestDots)
      let each = max(16, ((piece.length + parts - 1) / parts + 15) / 16 * 16)
      return stride(from: 0, to: piece.length, by: each).map {
        Piece(left: piece.left + $0, right: piece.right + $0, length: min(each, piece.length - $0))
      }
    }
  }

  private static func multiply(
    _ left: LeftOperand, _ right: RightOperand, _ pieces: [Piece], rows: Int, columns: Range<Int>,
    into target: ProductTarget
  ) {
    let groups = (rows + dotRows - 1) / dotRows
    let width = dotColumns * 16
    withScratch(groups * dotRows * width) { sums in
      for first in stride(from: columns.lowerBound, to: columns.upperBound, by: dotColumns) {
        sums.update(repeating: 0, count: groups * dotRows * width)
        // A piece of all rows, then the next: a piece of six columns stays in the first-level cache.
        for (number, piece) in pieces.enumerated() {
          // What comes next: the following piece of these columns, or the first one of the next.
          let ahead =
            number + 1 < pieces.count
            ? pieces[number + 1].right - piece.right
            : pieces[0].right - piece.right + dotColumns * right.stride
          for group in 0..<groups {
            tileOfDots(
              left, right, piece, row: group * dotRows, lastRow: rows - 1, column: first,
              lastColumn: columns.upperBound - 1, ahead: ahead, part: group, of: groups,
              into: sums + group * dotRows * width)
          }
        }
        for row in 0..<rows {
          let line = target.base + target.offsets[row]
          for column in first..<min(first + dotColumns, columns.upperBound) {
            var sum = load(sums + (row * width + (column - first) * 16)).total
            if target.accumulates { sum += target.addend(row, column)[0] }
            if let bias = target.bias { sum += bias[column] }
            line[column] = sum
          }
        }
      }
    }
  }

  /// Adds the products of four rows with six columns. What does not exist is read as the last one that does.
  /// - Parameters:
  ///   - ahead: from what is read to what is read next, of which one part of several is asked for.
  @inline(never)
  private static func tileOfDots(
    _ left: LeftOperand, _ right: RightOperand, _ piece: Piece, row: Int, lastRow: Int, column: Int,
    lastColumn: Int, ahead: Int, part: Int, of parts: Int, into sums: UnsafeMutablePointer<Float>
  ) {
    @_transparent func a(_ i: Int) -> UnsafePointer<Float> {
      left.base + (left.offsets[min(row &+ i, lastRow)] &+ piece.left)
    }
    @_transparent func b(_ i: Int) -> UnsafePointer<Float> {
      right.base + (min(column &+ i, lastColumn) &* right.stride &+ piece.right)
    }
    let (a0, a1, a2, a3) = (a(0), a(1), a(2), a(3))
    let (b0, b1, b2, b3, b4, b5) = (b(0), b(1), b(2), b(3), b(4), b(5))
    for column in (part * dotColumns / parts)..<((part + 1) * dotColumns / parts) {
      let line = b(column) + ahead
      for k in stride(from: 0, to: piece.length, by: 16) { processor_prefetch_far(line + k) }
    }
    let width = dotColumns &* 16
    var (r0, r1) = (Dots(sums), Dots(sums + width))
    var (r2, r3) = (Dots(sums + 2 &* width), Dots(sums + 3 &* width))
    var k = 0
    while k < piece.length {
      let (v0, v1, v2) = (load(b0 + k), load(b1 + k), load(b2 + k))
      let (v3, v4, v5) = (load(b3 + k), load(b4 + k), load(b5 + k))
      r0.add(load(a0 + k), v0, v1, v2, v3, v4, v5)
      r1.add(load(a1 + k), v0, v1, v2, v3, v4, v5)
      r2.add(load(a2 + k), v0, v1, v2, v3, v4, v5)
      r3.add(load(a3 + k), v0, v1, v2, v3, v4, v5)
      k &+= 16
    }
    r0.put(sums)
    r1.put(sums + width)
    r2.put(sums + 2 &* width)
    r3.put(sums + 3 &* width)
  }
}
