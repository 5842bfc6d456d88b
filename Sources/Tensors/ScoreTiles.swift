// Attention's scores: products of short rows, after which little may come. What is done with them is done while they are in registers
// or in the first-level cache.

import CProcessor

/// Products of rows with packed columns, where registers have 512 bits.
struct ScoreTiles {
  private let rows: UnsafePointer<Float>
  /// From a row to the next.
  private let stride: Int
  private let rowCount: Int
  /// As long as the rows.
  private let columns: PackedOperand

  /// - Parameter left: its rows lie where they lie, evenly spaced.
  init(_ left: LeftOperand, rows: Int, _ columns: PackedOperand) {
    precondition(left.layout == .rows && left.offsets.list == nil)
    (self.rows, stride, rowCount) = (left.base, left.offsets.stride, rows)
    self.columns = columns
  }

  /// Whether this can multiply with them: they are packed in one block, and no strip is for ``PairedRow40``.
  static func suits(_ columns: PackedOperand) -> Bool {
    let last = columns.columns % MatrixProduct.stripWidth
    return processor_target_has_avx512() != 0 && columns.inner <= MatrixProduct.innerBlock
      && !(33...PairedRow40.width ~= last)
  }

  /// Stores the products.
  /// - Parameters:
  ///   - products: `productStride` apart, each row with what the last strip has beyond the last column; as many rows as there
  ///     are in whole tiles of eight.
  ///   - tops: gets the largest of each row, one of sixteen lanes; sixteen floats for each of as many rows.
  func store(
    in products: UnsafeMutablePointer<Float>, _ productStride: Int,
    tops: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<(rowCount + 7) / 8 * 8 {
      Tensors.store(Vector(repeating: -.infinity), tops + row * 16)
    }
    forEachStrip { strip, width, column in
      let (products, valid) = (products + column, columns.columns - column)
      switch width {
      case 48: store(Row48.self, strip, valid, in: products, productStride, tops)
      case 32: store(Row32.self, strip, valid, in: products, productStride, tops)
      default: store(Row16.self, strip, valid, in: products, productStride, tops)
      }
    }
  }

  /// Stores attention's weights, and the gradients by the scores that they are made of, of a key a row.
  /// - Parameters:
  ///   - gradients: makes the gradients by the weights, as this makes the scores.
  ///   - ask: called with the number of each row, or of one after the last, some time before it.
  func store(_ step: ScoreGradient, gradients: ScoreTiles, _ ask: (Int) -> Void) {
    let shift = gradients.columns.pointer - columns.pointer
    forEachStrip { strip, width, column in
      let step = step.from(column)
      for row in Swift.stride(from: 0, to: rowCount, by: 8) {
        // A few rows at a time: a processor answers only so many lines at once.
        let number = column / MatrixProduct.stripWidth
        for some in Swift.stride(from: row + (number & 3), to: row + 8, by: 4) { ask(some) }
        switch width {
        case 48: store(Row48.self, step, row, strip, gradients, strip + shift)
        case 32: store(Row32.self, step, row, strip, gradients, strip + shift)
        default: store(Row16.self, step, row, strip, gradients, strip + shift)
        }
      }
    }
  }

  @inline(__always)
  private func forEachStrip(
    _ body: (_ strip: UnsafePointer<Float>, _ width: Int, _ column: Int) -> Void
  ) {
    var (strip, column) = (columns.pointer, 0)
    while column < columns.columns {
      let width = MatrixProduct.stripWidth(remaining: columns.columns - column)
      body(strip, width, column)
      strip += columns.inner * width
      column += width
    }
  }

  @inline(never)
  private func store<R: ScoreRow>(
    _: R.Type, _ strip: UnsafePointer<Float>, _ valid: Int,
    in products: UnsafeMutablePointer<Float>, _ productStride: Int,
    _ tops: UnsafeMutablePointer<Float>
  ) {
    var row = 0
    while row < rowCount {
      let (line, top) = (products + row &* productStride, tops + row &* 16)
      // Strips seldom have columns that don't exist: the others need no question a row.
      if valid >= R.width {
        tile(R.self, row, strip, line, productStride) { sums, i in
          Tensors.store(sums.larger(load(top + i &* 16), valid: R.width), top + i &* 16)
        }
      } else {
        tile(R.self, row, strip, line, productStride) { sums, i in
          Tensors.store(sums.larger(load(top + i &* 16), valid: valid), top + i &* 16)
        }
      }
      row &+= 8
    }
  }

  @inline(never)
  private func store<R: ScoreRow>(
    _: R.Type, _ step: ScoreGradient, _ row: Int, _ strip: UnsafePointer<Float>,
    _ gradients: ScoreTiles, _ gradientStrip: UnsafePointer<Float>
  ) {
    let (weights, scores) = (step.weights + row &* step.stride, step.scores + row &* step.stride)
    tile(R.self, row, strip, weights, step.stride) { _, _ in }
    gradients.tile(R.self, row, gradientStrip, scores, step.stride) { _, _ in }
    for i in 0..<8 { step.turn(row &+ i, columns: R.width) }
  }

  /// Stores eight rows of products.
  /// - Parameter also: what is done with a row of sums.
  @inline(__always)
  private func tile<R: ScoreRow>(
    _: R.Type, _ row: Int, _ strip: UnsafePointer<Float>, _ products: UnsafeMutablePointer<Float>,
    _ productStride: Int, _ also: (R, Int) -> Void
  ) {
    // Rows that don't exist read the last one that does.
    let last = rowCount &- 1 &- row
    let a0 = rows + row &* stride
    let (a1, a2) = (a0 + min(1, last) &* stride, a0 + min(2, last) &* stride)
    let (a3, a4) = (a0 + min(3, last) &* stride, a0 + min(4, last) &* stride)
    let (a5, a6) = (a0 + min(5, last) &* stride, a0 + min(6, last) &* stride)
    let a7 = a0 + min(7, last) &* stride
    var (r0, r1, r2, r3) = (R(), R(), R(), R())
    var (r4, r5, r6, r7) = (R(), R(), R(), R())
    var (b, k) = (strip, 0)
    let inner = columns.inner
    while k < inner {
      r0.add(a0[k], b)
      r1.add(a1[k], b)
      r2.add(a2[k], b)
      r3.add(a3[k], b)
      r4.add(a4[k], b)
      r5.add(a5[k], b)
      r6.add(a6[k], b)
      r7.add(a7[k], b)
      b += R.stride
      k &+= 1
    }
    @_transparent func put(_ sums: R, _ i: Int) {
      sums.store(products + i &* productStride, streamed: false)
      also(sums, i)
    }
    put(r0, 0)
    put(r1, 1)
    put(r2, 2)
    put(r3, 3)
    put(r4, 4)
    put(r5, 5)
    put(r6, 6)
    put(r7, 7)
  }
}

/// What becomes of attention's scores, backward: in `weights`, of a key a row, they become weights, and in `scores` the gradients by
/// the weights become those by the unscaled scores.
struct ScoreGradient {
  var weights: UnsafeMutablePointer<Float>
  var scores: UnsafeMutablePointer<Float>
  /// From a key to the next.
  let stride: Int
  let scale: Float
  /// The queries' logarithms of sums, to the base 1/2.
  var origins: UnsafePointer<Float>
  /// What is added to each query's scaled gradients by its weights.
  var shifts: UnsafePointer<Float>

  /// The same from a query on.
  func from(_ query: Int) -> Self {
    var part = self
    part.weights += query
    part.scores += query
    part.origins += query
    part.shifts += query
    return part
  }

  /// Of a key and some queries, in whole vectors.
  @_transparent
  func turn(_ key: Int, columns: Int) {
    let (weights, scores) = (weights + key &* stride, scores + key &* stride)
    let (factor, exponent) = (Vector(repeating: scale), Vector(repeating: scale * log2e))
    var column = 0
    while column < columns {
      let weight = powerOfTwo(
        load(origins + column).addingProduct(load(weights + column), exponent))
      store(weight, weights + column)
      store(
        weight * load(shifts + column).addingProduct(load(scores + column), factor),
        scores + column)
      column &+= 16
    }
  }
}

/// The accumulators of a row of scores.
private protocol ScoreRow: TileRow {
  /// The larger of each lane of `tops` and those of the first `valid` scores that fall to it.
  func larger(_ tops: Vector, valid: Int) -> Vector
}

extension Row48: ScoreRow {
  @_transparent
  fileprivate func larger(_ tops: Vector, valid: Int) -> Vector {
    tops.larger(x, first: valid).larger(y, first: valid &- 16).larger(z, first: valid &- 32)
  }
}

extension Row32: ScoreRow {
  @_transparent
  fileprivate func larger(_ tops: Vector, valid: Int) -> Vector {
    tops.larger(x, first: valid).larger(y, first: valid &- 16)
  }
}

extension Row16: ScoreRow {
  @_transparent
  fileprivate func larger(_ tops: Vector, valid: Int) -> Vector { tops.larger(x, first: valid) }
}

extension Vector {
  /// The larger of each pair of lanes among the first `count`, and these lanes after them.
  @_transparent
  fileprivate func larger(_ other: Self, first count: Int) -> Self {
    larger(count >= 16 ? other : other.first(count, otherwise: -.infinity))
  }
}
