// How a product is cut: its inner dimension into blocks that are packed at once, its rows and columns into tasks.

import CProcessor

/// The pieces of an inner dimension, in blocks of at most `MatrixProduct.innerBlock`; longer pieces are cut evenly. It holds no
/// references: threads that count these send the count to and fro.
struct InnerPlan {
  struct Block {
    /// Where it begins in the inner dimension, and its length there.
    var start: Int
    var length: Int
    var pieces: UnsafeBufferPointer<Piece>
  }
  let blocks: UnsafeBufferPointer<Block>
  let inner: Int

  /// Calls `body` with the plan, which is valid until then.
  /// - Parameter rightStride: from an element of the inner dimension to the next in the right operand.
  static func with<R>(
    _ pieces: UnsafeBufferPointer<Piece>, rightStride: Int, _ body: (InnerPlan) -> R
  ) -> R {
    let limit = MatrixProduct.innerBlock
    let most = pieces.reduce(0) { $0 + ($1.length + limit - 1) / limit }
    return withUnsafeTemporaryAllocation(of: Piece.self, capacity: most) { parts in
      withUnsafeTemporaryAllocation(of: Block.self, capacity: most) { blocks in
        var (partCount, blockCount, first, start, inner) = (0, 0, 0, 0, 0)
        func endBlock() {
          let some = UnsafeBufferPointer(
            start: parts.baseAddress! + first, count: partCount - first)
          blocks.initializeElement(
            at: blockCount, to: Block(start: start, length: inner - start, pieces: some))
          (blockCount, first, start) = (blockCount + 1, partCount, inner)
        }
        for piece in pieces where piece.length > 0 {
          let count = (piece.length + limit - 1) / limit
          let each = ((piece.length + count - 1) / count + 7) / 8 * 8
          var offset = 0
          while offset < piece.length {
            let size = min(each, piece.length - offset)
            if inner - start + size > limit { endBlock() }
            let part = Piece(
              left: piece.left + offset, right: piece.right + offset * rightStride, length: size)
            parts.initializeElement(at: partCount, to: part)
            partCount += 1
            inner += size
            offset += size
          }
        }
        if inner > start { endBlock() }
        return body(
          InnerPlan(
            blocks: UnsafeBufferPointer(start: blocks.baseAddress, count: blockCount), inner: inner)
        )
      }
    }
  }

  /// The same of one piece.
  static func with<R>(_ piece: Piece, rightStride: Int, _ body: (InnerPlan) -> R) -> R {
    piece.asBuffer { with($0, rightStride: rightStride, body) }
  }
}

/// The columns of a product cut into tasks, the same strips in either half of the columns: two threads, of which each
/// takes half of the tasks, then have as much to do.
struct ColumnTasks {
  /// How many tasks there are. The last ones may have no columns.
  let count: Int
  /// The most columns of a task.
  let most: Int
  private let columns: Int
  private let half: Int
  private let tasksOfHalf: Int

  /// - Parameters:
  ///   - wanted: how many tasks there should be, at least, where there are as many strips.
  ///   - mostStrips: of a task.
  ///   - width: of a strip.
  init(
    columns: Int, wanted: Int, mostStrips: Int = .max, width: Int = MatrixProduct.stripWidth
  ) {
    let halves = wanted > 1 && columns > width ? 2 : 1
    self.columns = columns
    half = halves == 1 ? columns : MatrixProduct.padded((columns + 1) / 2)
    let strips = (half + width - 1) / width
    let tasks = min(strips, (wanted + halves - 1) / halves)
    let stripsEach = min(mostStrips, (strips + tasks - 1) / tasks)
    most = stripsEach * width
    tasksOfHalf = (strips + stripsEach - 1) / stripsEach
    count = halves * tasksOfHalf
  }

  subscript(task: Int) -> Range<Int> {
    let (side, number) = (task / tasksOfHalf, task % tasksOfHalf)
    let first = min(columns, side * half + number * most)
    return first..<max(first, min(columns, (side + 1) * half, first + most))
  }
}

/// Tasks of some rows by some columns, in an order in which each share of the rows is together: a thread has rows of its own, and
/// goes through them with some columns after others.
struct SharedTasks {
  /// How many there are. Some may be none.
  let count: Int
  private let rows: Int
  private let columns: Int
  private let shares: Int
  /// The most rows of a share.
  private let most: Int

  /// - Parameters:
  ///   - rows: how many tasks follow each other downwards.
  ///   - columns: how many stand side by side.
  init(rows: Int, columns: Int, shares: Int = MatrixProduct.rowShares) {
    (self.rows, self.columns, self.shares) = (rows, columns, shares)
    most = (rows + shares - 1) / shares
    count = shares * columns * most
  }

  /// The row and the column of a task, if there is one.
  subscript(task: Int) -> (row: Int, column: Int)? {
    let (share, number) = (task / (columns * most), task % (columns * most))
    let row = share * rows / shares + number % most
    return row < (share + 1) * rows / shares ? (row, number / most) : nil
  }
}

/// How a product is cut into tasks: its columns by its shape alone, its rows also by how many threads there are, on which
/// no element depends.
struct ProductTasks {
  let rows: Int
  let columns: Int
  let columnTasks: ColumnTasks
  let rowChunks: Int
  /// Whether several tasks multiply the same strips, so that these are packed once, before.
  let sharesStrips: Bool
  /// Whether each thread has rows of its own, with all columns.
  let hasOwnRows: Bool
  /// Whether all of these are added up block by block, rather than some rows after others: all strips of a task are more than a
  /// second-level cache of 2 MB keeps beside the rows, and the sums of all its rows are less.
  var addsUpWholeRows: Bool {
    processor_target_has_avx512() != 0 && inner * columnTasks.most > 1 << 18
      && rowsEach * columnTasks.most <= 1 << 17
  }
  private let inner: Int
  private let rowsEach: Int

  /// The fewest rows that are cut among the threads, of as many columns at most; of more columns it takes six times as many.
  private static let leastOwnRows = 64

  init(rows: Int, columns: Int, inner: Int, _ layout: LeftOperand.Layout) {
    let tileRows = MatrixProduct.tileRows
    let mostStrips = MatrixProduct.mostStrips(layout)
    let isLong = rows * columns * inner > MatrixProduct.serialLimit
    // Each thread takes rows of its own with all columns, and packs the whole right operand: that costs less than to read
    // rows that the others have made, and the product's rows stay where the next kernel wants them.
    hasOwnRows =
      isLong && layout == .rows && rows >= Self.leastOwnRows
      && (rows >= columns || rows >= 6 * Self.leastOwnRows)
    // Otherwise the columns are cut first, since each task packs its own strips; then the rows, in chunks large enough to be
    // worth a task of their own.
    var rowTasks = 1
    var wantedColumns = 1
    if hasOwnRows {
      rowTasks = MatrixProduct.rowShares
    } else if isLong {
      wantedColumns = 8
      if layout == .columns {
        // Each task packs its part of the left operand, too: it is cut first, and the columns only for want of rows.
        let leastColumnTasks =
          (columns + mostStrips * MatrixProduct.stripWidth - 1)
          / (mostStrips * MatrixProduct.stripWidth)
        rowTasks = (2 * wantedColumns + leastColumnTasks - 1) / leastColumnTasks
        rowTasks = max(1, min(rows / (4 * tileRows), rowTasks))
        wantedColumns = (wantedColumns + rowTasks - 1) / rowTasks
      }
    }
    columnTasks = ColumnTasks(
      columns: columns, wanted: wantedColumns, mostStrips: isLong ? mostStrips : .max)
    if isLong, !hasOwnRows {
      if layout == .rows {
        rowTasks = max(1, min(rows / 192, (16 + columnTasks.count - 1) / columnTasks.count))
      }
      // Few rows and few strips: rather several short tasks than one long one.
      if columnTasks.count * rowTasks < 4 { rowTasks = max(1, min(4, rows / (4 * tileRows))) }
    }
    self.rows = rows
    self.columns = columns
    self.inner = inner
    let whole = MatrixProduct.wholeTileRows
    rowsEach = ((rows + rowTasks - 1) / rowTasks + whole - 1) / whole * whole
    rowChunks = (rows + rowsEach - 1) / rowsEach
    sharesStrips = rowChunks > 1 && !hasOwnRows
  }

  func rows(_ chunk: Int) -> Range<Int> {
    (chunk * rowsEach)..<min(rows, (chunk + 1) * rowsEach)
  }
}
