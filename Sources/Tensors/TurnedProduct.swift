// Products of few rows with a right operand of many columns that are contiguous, as the gradients by the inputs of a large
// denoiser's lower levels: what they take is mostly the time in which the right operand comes from memory.
//
// They are computed transposed. The right operand, as the left one then, is read where it lies and in order; what has to be turned
// and packed are the few rows, and the result.

import CProcessor

enum TurnedProduct {
  private static var mostRows: Int { processor_target_has_avx512() != 0 ? 96 : 256 }
  /// For how many rows this is faster than packing the right operand where a cache holds that.
  private static var cachedRows: ClosedRange<Int> {
    12...(processor_target_has_avx512() != 0 ? 16 : mostRows)
  }
  /// The most elements of the rows: packed, they come from the second-level cache or from the third.
  private static let mostElements = 640 << 10
  /// The most columns of a task.
  private static let mostColumns = 48

  static func suits(
    rows: Int, columns: Int, inner: Int, left: LeftOperand, right: RightOperand
  ) -> Bool {
    left.layout == .rows && right.layout == .columns
      && columns % 16 == 0 && rows <= min(mostRows, columns) && rows * inner <= mostElements
      && rows * columns * inner > MatrixProduct.serialLimit
      && (cachedRows.contains(rows) || inner * columns > MatrixProduct.cachedCount)
  }

  /// `target = left * right (+ target) (+ bias)`, cut into tasks by the shape alone.
  static func run(
    rows: Int, columns: Int, pieces: [Piece], left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    let turned = pieces.map { Piece(left: $0.right, right: $0.left, length: $0.length) }
    turned.withUnsafeBufferPointer {
      InnerPlan.with($0, rightStride: 1) { plan in
        run(rows: rows, columns: columns, plan: plan, left: left, right: right, into: target)
      }
    }
  }

  /// - Parameter plan: of the transposed product.
  private static func run(
    rows: Int, columns: Int, plan: InnerPlan, left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    let width = MatrixProduct.padded(rows)
    let cut = ColumnTasks(
      columns: columns, wanted: 4, mostStrips: mostColumns / MatrixProduct.stripWidth)
    let turned = LeftOperand(base: right.base, layout: .rows, offsets: .strided(right.stride))
    // A thread packs all rows itself, for it would take longer to write where the others have read.
    let packs = LaneValues<Storage>()
    let isLarge = columns * plan.inner > MatrixProduct.cachedCount
    Parallel.forEach(cut.count) { task in
      let here = cut[task]
      guard !here.isEmpty else { return }
      let packed = packs.own ?? pack(left, rows: rows, plan)
      packs.own = packed
      // [columns][rows]
      let sums = StoragePool.shared.storage(count: here.count * width)
      let part = ProductTarget(
        base: sums.pointer - here.lowerBound * width, offsets: .strided(width))
      for (index, block) in plan.blocks.enumerated() {
        // The next elements of these columns come from memory meanwhile, or the first ones of those that the thread most likely goes
        // on with.
        let isLast = index + 1 == plan.blocks.count
        let columns = isLast ? (task + 1 < cut.count ? cut[task + 1] : 0..<0) : here
        var next = LinesAhead.none
        if isLarge, !columns.isEmpty,
          let piece = plan.blocks[isLast ? 0 : index + 1].pieces.first
        {
          next = MatrixProduct.lines(
            right, Piece(left: 0, right: piece.left, length: piece.length), columns: columns)
          next.spread(
            over: MatrixProduct.asks(
              rows: here.count, columns: rows, inner: block.length, .rows))
        }
        MatrixProduct.multiply(
          turned, block.pieces, firstInner: block.start, inner: block.length, rows: here,
          packed: packed.pointer + block.start * width, columns: 0..<rows,
          into: part.part(block, of: plan), meanwhile: &next)
      }
      turn(sums.pointer, width, rows: rows, columns: here, into: target)
    }
  }

  /// The rows as strips of columns, block by block.
  private static func pack(_ left: LeftOperand, rows: Int, _ plan: InnerPlan) -> Storage {
    let width = MatrixProduct.padded(rows)
    let packed = StoragePool.shared.storage(count: plan.inner * width)
    for block in plan.blocks {
      let place = packed.pointer + block.start * width
      guard left.offsets.list != nil else {
        MatrixProduct.pack(
          RightOperand(base: left.base, layout: .columns, stride: left.offsets.stride),
          block.pieces, columns: 0..<rows, for: .rows, into: place)
        continue
      }
      // Rows that lie anywhere: put together first.
      let copy = StoragePool.shared.storage(count: rows * block.length)
      for row in 0..<rows {
        var line = copy.pointer + row * block.length
        for piece in block.pieces {
          line.update(
            from: left.base + (left.offsets[row] + piece.right), count: piece.length)
          line += piece.length
        }
      }
      Piece(left: 0, right: 0, length: block.length).asBuffer {
        MatrixProduct.pack(
          RightOperand(base: copy.pointer, layout: .columns, stride: block.length), $0,
          columns: 0..<rows, for: .rows, into: place)
      }
    }
    return packed
  }

  /// Puts sums `[columns][width]` where the product goes.
  private static func turn(
    _ sums: UnsafePointer<Float>, _ width: Int, rows: Int, columns: Range<Int>,
    into target: ProductTarget
  ) {
    withBlock { block in
      for column in stride(from: columns.lowerBound, to: columns.upperBound, by: 16) {
        for first in stride(from: 0, to: rows, by: 16) {
          transpose16x16(
            sums + ((column - columns.lowerBound) * width + first), width, into: block, 16)
          for row in first..<min(rows, first + 16) {
            var sum = load(block + (row - first) * 16)
            if target.accumulates { sum += load(target.addend(row, column)) }
            if let bias = target.bias { sum += load(bias + column) }
            store(sum, target.base + (target.offsets[row] + column))
          }
        }
      }
    }
  }
}
