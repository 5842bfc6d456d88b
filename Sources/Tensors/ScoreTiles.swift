// Attention's scores: products of short rows, which little may surround, with the largest of each query found while they are in
// registers. To read them again for it took a quarter of the softmax's time.

import CProcessor

/// Products of rows with packed columns, where registers have 512 bits.
struct ScoreTiles {
  let rows: UnsafePointer<Float>
  /// From a row to the next.
  let stride: Int
  let rowCount: Int
  /// As long as the rows.
  let columns: PackedOperand

  /// Whether this can multiply with them: they are packed in one block, and no strip is for ``PairedRow40``.
  static func suits(_ columns: PackedOperand) -> Bool {
    let last = columns.columns % MatrixProduct.stripWidth
    return processor_target_has_avx512() != 0 && columns.inner <= MatrixProduct.innerBlock
      && !(33...PairedRow40.width ~= last)
  }

  /// Stores the products.
  /// - Parameters:
  ///   - products: `stride` apart, each row with what the last strip has beyond the last column; as many rows as there are
  ///     in whole tiles of eight.
  ///   - tops: gets the largest of each row, one of sixteen lanes; sixteen floats for each of as many rows.
  func store(
    in products: UnsafeMutablePointer<Float>, _ productStride: Int,
    tops: UnsafeMutablePointer<Float>? = nil
  ) {
    if let tops {
      for row in 0..<(rowCount + 7) / 8 * 8 {
        Tensors.store(Vector(repeating: -.infinity), tops + row * 16)
      }
    }
    var (strip, column) = (columns.pointer, 0)
    while column < columns.columns {
      let width = MatrixProduct.stripWidth(remaining: columns.columns - column)
      let tiles = Strip(
        of: self, strip: strip, valid: min(width, columns.columns - column),
        products: products + column, productStride: productStride, tops: tops)
      switch width {
      case 48: tiles.run(Row48.self)
      case 32: tiles.run(Row32.self)
      default: tiles.run(Row16.self)
      }
      strip += columns.inner * width
      column += width
    }
  }

  private struct Strip {
    let of: ScoreTiles
    let strip: UnsafePointer<Float>
    /// How many of its columns exist.
    let valid: Int
    let products: UnsafeMutablePointer<Float>
    let productStride: Int
    let tops: UnsafeMutablePointer<Float>?

    @inline(never)
    func run<R: ScoreRow>(_: R.Type) {
      guard let tops else { return tiles(R.self) { _, _ in } }
      if valid == R.width {
        tiles(R.self) { sums, row in
          let top = tops + row &* 16
          Tensors.store(sums.larger(load(top), valid: R.width), top)
        }
      } else {
        tiles(R.self) { sums, row in
          let top = tops + row &* 16
          Tensors.store(sums.larger(load(top), valid: valid), top)
        }
      }
    }

    /// - Parameter also: what is done with a row of sums.
    @inline(__always)
    private func tiles<R: ScoreRow>(_: R.Type, also: (R, Int) -> Void) {
      let (stride, inner) = (of.stride, of.columns.inner)
      var row = 0
      while row < of.rowCount {
        // Rows that don't exist read the last one that does.
        let last = of.rowCount &- 1 &- row
        let first = of.rows + row &* stride
        var (r0, r1, r2, r3) = (R(), R(), R(), R())
        var (r4, r5, r6, r7) = (R(), R(), R(), R())
        let (a0, a1) = (first, first + min(1, last) &* stride)
        let (a2, a3) = (first + min(2, last) &* stride, first + min(3, last) &* stride)
        let (a4, a5) = (first + min(4, last) &* stride, first + min(5, last) &* stride)
        let (a6, a7) = (first + min(6, last) &* stride, first + min(7, last) &* stride)
        var (b, k) = (strip, 0)
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
        let line = products + row &* productStride
        @_transparent func put(_ sums: R, _ i: Int) {
          sums.store(line + i &* productStride, streamed: false)
          also(sums, row &+ i)
        }
        put(r0, 0)
        put(r1, 1)
        put(r2, 2)
        put(r3, 3)
        put(r4, 4)
        put(r5, 5)
        put(r6, 6)
        put(r7, 7)
        row &+= 8
      }
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
