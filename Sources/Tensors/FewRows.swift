// Products of few rows, as of the smallest pictures and of a timestep's embedding.
//
// They read each element of the right operand for one or two register tiles only: to pack it would take as long as the
// products do. So it is read where it lies.

import CProcessor

enum FewRows {
  /// The most rows for which this is faster than packing.
  private static let mostRows = 16
  /// How many rows ahead of the one that is read memory is asked for.
  private static let prefetchDistance = 16

  /// Only with registers of 512 bits: a tile as narrow as those of AVX2 would take a single line of each row of the right
  /// operand, too little to be read from memory well.
  static func suits(
    rows: Int, columns: Int, pieces: [Piece], left: LeftOperand, right: RightOperand
  ) -> Bool {
    guard processor_target_has_avx512() != 0, rows <= mostRows, left.layout == .rows else {
      return false
    }
    switch right.layout {
    case .rows: return columns % 16 == 0
    case .columns: return pieces.allSatisfy { $0.length % 16 == 0 }
    }
  }

  /// `target = left * right (+ target) (+ bias)`, cut into tasks by the shape alone.
  static func run(
    rows: Int, columns: Int, pieces: [Piece], plan: InnerPlan, left: LeftOperand,
    right: RightOperand, into target: ProductTarget
  ) {
    let isShort = rows * columns * plan.inner <= MatrixProduct.serialLimit
    switch right.layout {
    case .rows where rows >= leastTallRows && plan.inner * columns > MatrixProduct.cachedCount:
      runTall(rows: rows, columns: columns, plan: plan, left: left, right: right, into: target)
    case .rows:
      let strips = (columns + MatrixProduct.stripWidth - 1) / MatrixProduct.stripWidth
      let grain = isShort ? strips : max(1, strips / 16)
      Parallel.forEachRange(of: strips, grain: grain) { range in
        let first = range.lowerBound * MatrixProduct.stripWidth
        let last = min(columns, range.upperBound * MatrixProduct.stripWidth)
        for block in plan.blocks {
          multiply(
            left, right, block.pieces, rows: rows, columns: first..<last,
            into: target.part(block, of: plan))
        }
      }
    case .columns:
      let groups = (columns + dotColumns - 1) / dotColumns
      let grain = isShort ? groups : max(1, groups / 16)
      let pieces = cut(pieces)
      Parallel.forEachRange(of: groups, grain: grain) { range in
        let first = range.lowerBound * dotColumns
        let last = min(columns, range.upperBound * dotColumns)
        multiplyDots(left, right, pieces, rows: rows, columns: first..<last, into: target)
      }
    }
  }

  // MARK: - Right operands of rows

  private static func multiply(
    _ left: LeftOperand, _ right: RightOperand, _ pieces: UnsafeBufferPointer<Piece>, rows: Int,
    columns: Range<Int>, into target: ProductTarget
  ) {
    var column = columns.lowerBound
    while column < columns.upperBound {
      let width = MatrixProduct.stripWidth(remaining: columns.upperBound - column)
      let panel = Panel(
        pieces: pieces, inner: 0, strip: right.base + column, valid: width, rows: 0..<rows,
        column: column, target: target)
      switch width {
      case 48: tiles(Row48.self, panel, left, right.stride)
      case 32: tiles(Row32.self, panel, left, right.stride)
      default: tiles(Row16.self, panel, left, right.stride)
      }
      column += width
    }
  }

  @inline(__always)
  private static func tiles<R: TileRow>(
    _: R.Type, _ panel: Panel, _ left: LeftOperand, _ stride: Int
  ) {
    var row = 0
    while row < panel.rows.upperBound {
      if panel.rows.upperBound - row > 4 {
        tileOf8(R.self, panel, left, row, stride)
        row += 8
      } else {
        tileOf4(R.self, panel, left, row, stride)
        row += 4
      }
    }
  }

  /// Eight rows; those that don't exist read the last one that does.
  @inline(never)
  private static func tileOf8<R: TileRow>(
    _: R.Type, _ panel: Panel, _ left: LeftOperand, _ row: Int, _ stride: Int
  ) {
    let last = panel.rows.upperBound &- 1
    @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
      left.base + left.offsets[min(row &+ i, last)]
    }
    var (r0, r1, r2, r3) = (R(), R(), R(), R())
    var (r4, r5, r6, r7) = (R(), R(), R(), R())
    let (s0, s1, s2, s3) = (start(0), start(1), start(2), start(3))
    let (s4, s5, s6, s7) = (start(4), start(5), start(6), start(7))
    let ahead = prefetchDistance &* stride
    for piece in panel.pieces {
      let (a0, a1, a2, a3) = (s0 + piece.left, s1 + piece.left, s2 + piece.left, s3 + piece.left)
      let (a4, a5, a6, a7) = (s4 + piece.left, s5 + piece.left, s6 + piece.left, s7 + piece.left)
      var b = panel.strip + piece.right
      var k = 0
      while k < piece.length {
        processor_prefetch(b + ahead)
        if R.width > 16 { processor_prefetch(b + (ahead &+ 16)) }
        if R.width > 32 { processor_prefetch(b + (ahead &+ 32)) }
        r0.add(a0[k], b)
        r1.add(a1[k], b)
        r2.add(a2[k], b)
        r3.add(a3[k], b)
        r4.add(a4[k], b)
        r5.add(a5[k], b)
        r6.add(a6[k], b)
        r7.add(a7[k], b)
        b += stride
        k &+= 1
      }
    }
    panel.finish8(row, r0, r1, r2, r3, r4, r5, r6, r7)
  }

  @inline(never)
  private static func tileOf4<R: TileRow>(
    _: R.Type, _ panel: Panel, _ left: LeftOperand, _ row: Int, _ stride: Int
  ) {
    let last = panel.rows.upperBound &- 1
    @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
      left.base + left.offsets[min(row &+ i, last)]
    }
    var (r0, r1, r2, r3) = (R(), R(), R(), R())
    let (s0, s1, s2, s3) = (start(0), start(1), start(2), start(3))
    let ahead = prefetchDistance &* stride
    for piece in panel.pieces {
      let (a0, a1, a2, a3) = (s0 + piece.left, s1 + piece.left, s2 + piece.left, s3 + piece.left)
      var b = panel.strip + piece.right
      var k = 0
      while k < piece.length {
        processor_prefetch(b + ahead)
        if R.width > 16 { processor_prefetch(b + (ahead &+ 16)) }
        if R.width > 32 { processor_prefetch(b + (ahead &+ 32)) }
        r0.add(a0[k], b)
        r1.add(a1[k], b)
        r2.add(a2[k], b)
        r3.add(a3[k], b)
        b += stride
        k &+= 1
      }
    }
    panel.finish(r0, row)
    panel.finish(r1, row &+ 1)
    panel.finish(r2, row &+ 2)
    panel.finish(r3, row &+ 3)
  }

  // MARK: - Right operands of rows from memory, more than eight of them

  /// The fewest rows that are taken all at once, with zeros for those up to sixteen that don't exist.
  private static let leastTallRows = 9
  /// How many columns a task takes: so many of a row come from memory together.
  private static let tallColumns = 64

  /// All rows at once, so that each element of the right operand is read once, and while a block of the inner dimension is
  /// multiplied the next is asked for.
  private static func runTall(
    rows: Int, columns: Int, plan: InnerPlan, left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    // [inner][16], with zeros for rows that don't exist.
    let packed = StoragePool.shared.storage(count: plan.inner * 16)
    Parallel.forEach(plan.blocks.count) { index in
      let block = plan.blocks[index]
      var place = packed.pointer + block.start * 16
      for piece in block.pieces {
        packTall(left, piece, rows: rows, into: place)
        place += piece.length * 16
      }
    }
    let tasks = (columns + tallColumns - 1) / tallColumns
    Parallel.forEach(tasks) { task in
      let first = task * tallColumns
      let last = min(columns, first + tallColumns)
      let sums = StoragePool.shared.storage(count: tallColumns * 16)
      sums.pointer.update(repeating: 0, count: tallColumns * 16)
      for (index, block) in plan.blocks.enumerated() {
        var a = UnsafePointer(packed.pointer) + block.start * 16
        let pieces = block.pieces
        for (number, piece) in pieces.enumerated() {
          let next =
            number + 1 < pieces.count
            ? pieces[number + 1]
            : index + 1 < plan.blocks.count ? plan.blocks[index + 1].pieces.first : nil
          let ahead = (next?.right ?? piece.right) - piece.right
          for column in stride(from: first, to: last, by: 16) {
            tileOf16(
              a, right.base + (piece.right + column), right.stride, piece.length, ahead: ahead,
              into: sums.pointer + (column - first) * 16)
          }
          a += piece.length * 16
        }
      }
      for row in 0..<rows {
        let line = target.base + target.offsets[row]
        for column in stride(from: first, to: last, by: 16) {
          var sum = load(sums.pointer + ((column - first) * 16 + row * 16))
          if target.accumulates { sum += load(line + column) }
          if let bias = target.bias { sum += load(bias + column) }
          store(sum, line + column)
        }
      }
    }
  }

  @inline(never)
  private static func packTall(
    _ left: LeftOperand, _ piece: Piece, rows: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<16 {
      guard row < rows else {
        for k in 0..<piece.length { target[k &* 16 &+ row] = 0 }
        continue
      }
      let line = left.base + (left.offsets[row] &+ piece.left)
      for k in 0..<piece.length { target[k &* 16 &+ row] = line[k] }
    }
  }

  /// Adds the products of sixteen rows with as many columns.
  ///
  /// - Parameters:
  ///   - left: `[count][16]`.
  ///   - ahead: from an element of the right operand to the one that is read a block later, which is asked for.
  ///   - sums: `[16][16]`.
  @inline(never)
  private static func tileOf16(
    _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ stride: Int, _ count: Int,
    ahead: Int, into sums: UnsafeMutablePointer<Float>
  ) {
    var (r0, r1, r2, r3) = (
      FourVectors(sums), FourVectors(sums + 64), FourVectors(sums + 128), FourVectors(sums + 192)
    )
    var (a, b, k) = (left, right, 0)
    while k < count {
      processor_prefetch_far(b + ahead)
      let v = load(b)
      r0.add(v, a)
      r1.add(v, a + 4)
      r2.add(v, a + 8)
      r3.add(v, a + 12)
      a += 16
      b += stride
      k &+= 1
    }
    r0.put(sums)
    r1.put(sums + 64)
    r2.put(sums + 128)
    r3.put(sums + 192)
  }

  // MARK: - Right operands of columns

  /// Rows and columns of a tile of dot products: each has a vector of its own, which is summed up in the end.
  private static let dotRows = 4
  private static let dotColumns = 6

  /// The sums of a row with six columns.
  private struct Dots {
    var (x0, x1, x2, x3, x4, x5) = (
      Vector(), Vector(), Vector(), Vector(), Vector(), Vector()
    )

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
    init() {}

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

  private static func multiplyDots(
    _ left: LeftOperand, _ right: RightOperand, _ pieces: [Piece], rows: Int, columns: Range<Int>,
    into target: ProductTarget
  ) {
    let groups = (rows + dotRows - 1) / dotRows
    let width = dotColumns * 16
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: groups * dotRows * dotColumns) {
      buffer in
      let sums = UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: Float.self)
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
            if target.accumulates { sum += line[column] }
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
