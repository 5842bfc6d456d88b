// The matrix product under everything: linear layers, convolutions and attention are calls of this one engine.
//
// The right operand is packed into strips as wide as a register tile. The left one is read where it lies whenever its
// inner dimension is contiguous, through a pointer to each row, so a convolution needs no copy of its patches: the rows
// of its left operand are the pixels of the padded picture, and the taps of its kernel are pieces of the inner
// dimension at different offsets from them.

import CProcessor

/// A contiguous run of the inner dimension of a product.
struct Piece {
  /// Added to each row's offset in the left operand.
  var left: Int
  /// Where the run's first element stands in the right operand.
  var right: Int
  var length: Int
}

/// Offsets of rows in floats: evenly spaced, or one from a list for each row.
struct RowOffsets {
  var stride: Int
  var list: UnsafePointer<Int32>?

  static func strided(_ stride: Int) -> RowOffsets { RowOffsets(stride: stride, list: nil) }
  static func listed(_ list: UnsafePointer<Int32>) -> RowOffsets {
    RowOffsets(stride: 0, list: list)
  }

  @inline(__always)
  subscript(row: Int) -> Int {
    if let list { return Int(list[row]) }
    return row &* stride
  }
}

/// The left operand, `[rows, inner]`.
struct LeftOperand {
  enum Layout {
    /// Each row is contiguous: element (i, k) at `offsets[i] + piece.left + k`.
    case rows
    /// Each column is contiguous: element (i, k) at `offsets[k] + i`. One piece.
    case columns
  }
  var base: UnsafePointer<Float>
  var layout: Layout
  var offsets: RowOffsets
}

/// The right operand, `[inner, columns]`.
struct RightOperand {
  enum Layout {
    /// Element (k, j) at `piece.right + k * stride + j`.
    case rows
    /// Element (k, j) at `piece.right + j * stride + k`.
    case columns
  }
  var base: UnsafePointer<Float>
  var layout: Layout
  var stride: Int
}

/// Where the product goes: element (i, j) at `offsets[i] + j`.
struct ProductTarget {
  var base: UnsafeMutablePointer<Float>
  var offsets: RowOffsets
  /// Whether the product is added to what stands there.
  var accumulates = false
  /// Added to each row of the product.
  var bias: UnsafePointer<Float>?
}

extension ProductTarget {
  /// What one block of the inner dimension does: all but the first add to what stands there, the last adds the bias.
  func part(_ block: InnerPlan.Block, of plan: InnerPlan) -> ProductTarget {
    var part = self
    part.accumulates = accumulates || block.start > 0
    part.bias = block.start + block.length == plan.inner ? bias : nil
    return part
  }
}

/// The pieces of an inner dimension, in blocks of at most `MatrixProduct.innerBlock`; longer pieces are cut evenly.
struct InnerPlan {
  struct Block {
    /// Where it begins in the inner dimension, and its length there.
    var start: Int
    var length: Int
    fileprivate var range: Range<Int>
  }
  private(set) var blocks: [Block] = []
  private var all: [Piece] = []
  private(set) var inner = 0

  /// - Parameter rightStride: from an element of the inner dimension to the next in the right operand.
  init(_ pieces: [Piece], rightStride: Int) {
    let limit = MatrixProduct.innerBlock
    all.reserveCapacity(pieces.count)
    var first = 0
    var start = 0
    for piece in pieces where piece.length > 0 {
      let parts = (piece.length + limit - 1) / limit
      let each = ((piece.length + parts - 1) / parts + 7) / 8 * 8
      var offset = 0
      while offset < piece.length {
        let size = min(each, piece.length - offset)
        if inner - start + size > limit {
          blocks.append(Block(start: start, length: inner - start, range: first..<all.count))
          first = all.count
          start = inner
        }
        all.append(
          Piece(
            left: piece.left + offset, right: piece.right + offset * rightStride, length: size))
        inner += size
        offset += size
      }
    }
    if inner > start {
      blocks.append(Block(start: start, length: inner - start, range: first..<all.count))
    }
  }

  func pieces(of block: Block) -> ArraySlice<Piece> { all[block.range] }
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
  init(columns: Int, wanted: Int, mostStrips: Int = .max) {
    let width = MatrixProduct.stripWidth
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

enum MatrixProduct {
  /// The rows of a register tile: eight of 48 columns fill the 32 registers of AVX-512, six of 16 those of AVX2.
  @inline(__always) static var tileRows: Int { processor_target_has_avx512() != 0 ? 8 : 6 }
  @inline(__always) static var stripWidth: Int { processor_target_has_avx512() != 0 ? 48 : 16 }
  /// The longest run of the inner dimension that is packed at once: a strip of it stays in the second-level cache.
  static let innerBlock = 256
  /// How many rows of the left operand are kept in the second-level cache while the strips go by.
  static let rowBlock = 96
  /// How many rows ahead of the one that is packed memory is asked for.
  private static let prefetchDistance = 16
  /// A right operand of fewer floats is most likely in a cache, where asking for it early only takes time.
  static let cachedCount = 1 << 17
  /// Below this many multiply-adds, waking another thread costs more than it saves.
  static let serialLimit = 1 << 17

  /// `target = left * right (+ target) (+ bias)`, cut into tasks by the shape alone.
  static func run(
    rows: Int, columns: Int, pieces: [Piece], left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    guard rows > 0, columns > 0 else { return }
    let plan = InnerPlan(pieces, rightStride: right.layout == .rows ? right.stride : 1)
    guard plan.inner > 0 else { return fillEmpty(rows: rows, columns: columns, target) }
    if FewRows.suits(rows: rows, columns: columns, pieces: pieces, left: left, right: right) {
      return FewRows.run(
        rows: rows, columns: columns, pieces: pieces, plan: plan, left: left, right: right,
        into: target)
    }
    if StreamedProduct.suits(
      rows: rows, columns: columns, inner: plan.inner, left: left, right: right)
    {
      return StreamedProduct.run(
        rows: rows, columns: columns, pieces: pieces, left: left, right: right, into: target)
    }
    // Cut the columns first, since each task packs its own strips; then the rows, in chunks large enough to be worth a
    // task of their own.
    var rowTasks = 1
    var wantedColumns = 1
    let mostStrips = max(1, 192 / stripWidth)
    let isLong = rows * columns * plan.inner > serialLimit
    if isLong {
      let wanted = 8
      let leastColumnTasks = (columns + mostStrips * stripWidth - 1) / (mostStrips * stripWidth)
      if left.layout == .columns {
        // Each task packs its part of the left operand, too: it is cut first, and the columns only for want of rows.
        rowTasks = (2 * wanted + leastColumnTasks - 1) / leastColumnTasks
        rowTasks = max(1, min(rows / (4 * tileRows), rowTasks))
        wantedColumns = (wanted + rowTasks - 1) / rowTasks
      } else {
        wantedColumns = wanted
      }
    }
    let cut = ColumnTasks(
      columns: columns, wanted: wantedColumns, mostStrips: isLong ? mostStrips : .max)
    if isLong, left.layout == .rows {
      rowTasks = max(1, min(rows / 192, (16 + cut.count - 1) / cut.count))
    }
    // Few rows and few strips: rather several short tasks than one long one.
    if isLong, cut.count * rowTasks < 4 { rowTasks = max(1, min(4, rows / (4 * tileRows))) }
    let rowsEach = ((rows + rowTasks - 1) / rowTasks + tileRows - 1) / tileRows * tileRows
    let rowChunks = (rows + rowsEach - 1) / rowsEach

    if rowChunks == 1 {
      let isLarge = plan.inner * columns > cachedCount
      Parallel.forEach(cut.count) { chunk in
        let columns = cut[chunk]
        let packed = StoragePool.shared.storage(count: innerBlock * padded(columns.count))
        for (index, block) in plan.blocks.enumerated() {
          pack(right, plan.pieces(of: block), columns: columns, into: packed.pointer)
          // What is packed next comes from memory while the products keep the processor busy.
          let next =
            isLarge && index + 1 < plan.blocks.count
            ? plan.pieces(of: plan.blocks[index + 1]) : []
          multiply(
            left, plan.pieces(of: block), firstInner: block.start, inner: block.length,
            rows: 0..<rows, packed: packed.pointer, columns: columns,
            into: target.part(block, of: plan),
            meanwhile: next.isEmpty
              ? nil
              : { part, parts in prefetch(right, next, columns: columns, part: part, of: parts) })
        }
      }
      return
    }
    // Several tasks read the same strips: they are packed once, before.
    let packed = StoragePool.shared.storage(
      count: plan.inner * cut.count * padded(cut.most))
    let chunkSize = plan.inner * padded(cut.most)
    Parallel.forEach(cut.count * plan.blocks.count) { task in
      let (chunk, block) = (task / plan.blocks.count, plan.blocks[task % plan.blocks.count])
      let columns = cut[chunk]
      pack(
        right, plan.pieces(of: block), columns: columns,
        into: packed.pointer + chunk * chunkSize + block.start * padded(columns.count))
    }
    Parallel.forEach(rowChunks * cut.count) { task in
      let (chunk, rowChunk) = (task / rowChunks, task % rowChunks)
      let columns = cut[chunk]
      for block in plan.blocks {
        multiply(
          left, plan.pieces(of: block), firstInner: block.start, inner: block.length,
          rows: (rowChunk * rowsEach)..<min(rows, (rowChunk + 1) * rowsEach),
          packed: packed.pointer + chunk * chunkSize + block.start * padded(columns.count),
          columns: columns, into: target.part(block, of: plan))
      }
    }
  }

  /// The product with a left operand of columns, given away part by part while each is in a cache: the whole is never
  /// stored. The sums are those of ``run(rows:columns:pieces:left:right:into:)``, added up in the same order.
  ///
  /// - Parameters:
  ///   - offset: where the product begins in the tensor whose parts are given; its rows are `columns` apart.
  static func runInParts(
    rows: Int, columns: Int, inner: Int, left: LeftOperand, right: RightOperand, offset: Int = 0,
    _ taker: PartTaker
  ) {
    precondition(left.layout == .columns && inner > 0)
    guard rows > 0, columns > 0 else { return }
    let plan = InnerPlan(
      [Piece(left: 0, right: 0, length: inner)],
      rightStride: right.layout == .rows ? right.stride : 1)
    let width = max(1, 192 / stripWidth) * stripWidth
    let columnChunks = (columns + width - 1) / width
    // Of like size, and of small matrices enough for the threads.
    let wanted = rows * columns * inner > serialLimit ? (4 + columnChunks - 1) / columnChunks : 1
    let least = max((rows + rowBlock - 1) / rowBlock, min(wanted, rows / tileRows))
    let rowsEach = ((rows + least - 1) / least + tileRows - 1) / tileRows * tileRows
    let rowChunks = (rows + rowsEach - 1) / rowsEach
    let packed = StoragePool.shared.storage(count: plan.inner * columnChunks * width)
    func range(ofColumns chunk: Int) -> Range<Int> {
      (chunk * width)..<min(columns, (chunk + 1) * width)
    }
    func place(_ chunk: Int, _ block: InnerPlan.Block) -> UnsafeMutablePointer<Float> {
      packed.pointer
        + (chunk * plan.inner * width + block.start * padded(range(ofColumns: chunk).count))
    }
    let strips = (columns + stripWidth - 1) / stripWidth
    Parallel.forEach(strips * plan.blocks.count) { task in
      let (strip, block) = (task / plan.blocks.count, plan.blocks[task % plan.blocks.count])
      let chunk = strip * stripWidth / width
      let first = strip * stripWidth
      pack(
        right, plan.pieces(of: block), columns: first..<min(columns, first + stripWidth),
        into: place(chunk, block) + block.length * (first - chunk * width))
    }
    Parallel.forEach(rowChunks * columnChunks) { task in
      let (rowChunk, chunk) = (task / columnChunks, task % columnChunks)
      let here = range(ofColumns: chunk)
      let some = (rowChunk * rowsEach)..<min(rows, (rowChunk + 1) * rowsEach)
      let values = StoragePool.shared.storage(count: some.count * width)
      let target = ProductTarget(
        base: values.pointer - (some.lowerBound * width + here.lowerBound),
        offsets: .strided(width))
      let part = PartPlace(
        offset: offset + some.lowerBound * columns + here.lowerBound, stride: columns,
        rows: some.count, columns: here.count)
      for (number, block) in plan.blocks.enumerated() {
        multiply(
          left, plan.pieces(of: block), firstInner: block.start, inner: block.length, rows: some,
          packed: place(chunk, block), columns: here, into: target.part(block, of: plan)
        ) { share, shares in
          taker.prepare(part, number * shares + share, plan.blocks.count * shares)
        }
      }
      withExtendedLifetime(values) {
        taker.take(TensorPart(place: part, values: values.pointer, valueStride: width))
      }
    }
  }

  @inline(__always)
  static func padded(_ columns: Int) -> Int { (columns + 15) / 16 * 16 }

  private static func fillEmpty(rows: Int, columns: Int, _ target: ProductTarget) {
    for row in 0..<rows {
      let line = target.base + target.offsets[row]
      for column in 0..<columns {
        line[column] = (target.accumulates ? line[column] : 0) + (target.bias?[column] ?? 0)
      }
    }
  }

  /// The widths of the strips that cover `count` columns: as wide as a tile, then what is left in steps of 16.
  @inline(__always)
  static func stripWidth(remaining count: Int) -> Int {
    count >= stripWidth ? stripWidth : (count + 15) / 16 * 16
  }

  /// Packs the columns of one block into strips, each `[inner][width]`, with zeros beyond the last column.
  static func pack(
    _ right: RightOperand, _ block: ArraySlice<Piece>, columns: Range<Int>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    var target = packed
    var column = columns.lowerBound
    while column < columns.upperBound {
      let width = stripWidth(remaining: columns.upperBound - column)
      let valid = min(width, columns.upperBound - column)
      for piece in block {
        let source = right.base + piece.right
        switch right.layout {
        case .rows:
          packRows(source + column, right.stride, piece.length, width, valid, into: target)
        case .columns:
          packColumns(
            source + column &* right.stride, right.stride, piece.length, width, valid, into: target)
        }
        target += piece.length &* width
      }
      column += width
    }
  }

  /// Asks for one of several parts of what `pack` takes with these arguments.
  @inline(never)
  private static func prefetch(
    _ right: RightOperand, _ block: ArraySlice<Piece>, columns: Range<Int>, part: Int, of parts: Int
  ) {
    for piece in block {
      let source = right.base + piece.right
      let (lines, run, first) =
        right.layout == .rows
        ? (0..<piece.length, columns, 0) : (columns, 0..<piece.length, columns.lowerBound)
      for line in (first + part * lines.count / parts)..<(first + (part + 1) * lines.count / parts)
      {
        for place in stride(from: run.lowerBound, to: run.upperBound, by: 16) {
          processor_prefetch_far(source + (line &* right.stride &+ place))
        }
      }
    }
  }

  @inline(__always)
  private static func packRows(
    _ source: UnsafePointer<Float>, _ stride: Int, _ length: Int, _ width: Int, _ valid: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    if valid == width {
      for k in 0..<length {
        // The rows lie too far apart for the processor to see where this is going.
        let ahead = source + (k &+ prefetchDistance) &* stride
        var j = 0
        while j < width {
          processor_prefetch(ahead + j)
          store(load(source + (k &* stride &+ j)), target + (k &* width &+ j))
          j &+= 16
        }
      }
    } else {
      for k in 0..<length {
        var j = 0
        while j < width {
          let n = max(0, min(16, valid &- j))
          store(read(source + (k &* stride &+ j), n), target + (k &* width &+ j))
          j &+= 16
        }
      }
    }
  }

  @inline(__always)
  private static func packColumns(
    _ source: UnsafePointer<Float>, _ stride: Int, _ length: Int, _ width: Int, _ valid: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    var j = 0
    while j < width {
      let whole = min(16, valid - j)
      var k = 0
      if whole == 16 {
        while k + 16 <= length {
          transpose16x16(
            source + (j &* stride &+ k), stride, into: target + (k &* width &+ j), width)
          k &+= 16
        }
      }
      if k < length {
        packEdge(
          source + (j &* stride &+ k), stride, length - k, whole, into: target + (k &* width &+ j),
          width)
      }
      j &+= 16
    }
  }

  /// What `packColumns` can't take in whole blocks: `valid` columns, 16 with the zeros beyond them.
  @inline(never)
  private static func packEdge(
    _ source: UnsafePointer<Float>, _ stride: Int, _ length: Int, _ valid: Int,
    into target: UnsafeMutablePointer<Float>, _ width: Int
  ) {
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: 32) { buffer in
      let block = UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: Float.self)
      let turned = block + 256
      for start in Swift.stride(from: 0, to: length, by: 16) {
        let count = min(16, length - start)
        for column in 0..<16 {
          let line = source + (column &* stride &+ start)
          store(column < valid ? read(line, count) : Vector(), block + column &* 16)
        }
        transpose16x16(block, 16, into: turned, 16)
        for k in 0..<count {
          store(load(turned + k &* 16), target + (start &+ k) &* width)
        }
      }
    }
  }

  /// Multiplies rows of the left operand with packed strips. Runs on the calling thread.
  /// - Parameters:
  ///   - firstInner: where the pieces begin in the inner dimension; used by a left operand of columns.
  ///   - inner: the length of the pieces together.
  ///   - meanwhile: called between the products with the first rows, for one part after another of something else.
  static func multiply(
    _ left: LeftOperand, _ pieces: ArraySlice<Piece>, firstInner: Int, inner: Int,
    rows: Range<Int>, packed: UnsafePointer<Float>, columns: Range<Int>, into target: ProductTarget,
    meanwhile: ((_ part: Int, _ parts: Int) -> Void)? = nil
  ) {
    let buffer: Storage? =
      left.layout == .columns
      ? StoragePool.shared.storage(count: inner * (rowBlock + tileRows)) : nil
    pieces.withUnsafeBufferPointer { pieces in
      var row = rows.lowerBound
      while row < rows.upperBound {
        let last = min(rows.upperBound, row + rowBlock)
        if let buffer { packLeft(left, firstInner, inner, row..<last, into: buffer.pointer) }
        var strip = packed
        var column = columns.lowerBound
        while column < columns.upperBound {
          let width = stripWidth(remaining: columns.upperBound - column)
          // A few rows at a time where something else is to be done meanwhile, so that it is spread out.
          let meanwhile = row == rows.lowerBound ? meanwhile : nil
          let step = meanwhile == nil ? last - row : tileRows
          let pieceCount = (last - row + step - 1) / step
          for (number, first) in stride(from: row, to: last, by: step).enumerated() {
            let strips = (columns.count + stripWidth - 1) / stripWidth
            meanwhile?(
              (column - columns.lowerBound) / stripWidth * pieceCount + number, strips * pieceCount)
            let panel = Panel(
              pieces: pieces, inner: inner, strip: strip,
              valid: min(width, columns.upperBound - column), rows: first..<min(last, first + step),
              column: column,
              target: target)
            if let buffer {
              panel.run(width: width, packed: buffer.pointer + (first - row) * inner)
            } else {
              panel.run(width: width, left: left)
            }
          }
          strip += inner &* width
          column += width
        }
        row = last
      }
    }
  }

  /// Packs rows of a left operand of columns into groups of `tileRows`, each `[inner][tileRows]`.
  private static func packLeft(
    _ left: LeftOperand, _ firstInner: Int, _ inner: Int, _ rows: Range<Int>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    // Of so few columns at once that their lines stay in the first-level cache while the groups go by.
    for first in stride(from: 0, to: inner, by: 16) {
      let last = min(inner, first + 16)
      for row in stride(from: rows.lowerBound, to: rows.upperBound, by: tileRows) {
        var target = packed + ((row - rows.lowerBound) &* inner &+ first &* tileRows)
        let valid = min(tileRows, rows.upperBound - row)
        for k in first..<last {
          let source = left.base + (left.offsets[firstInner &+ k] &+ row)
          if valid == tileRows {
            copyTile(source, target)
          } else {
            for r in 0..<tileRows { target[r] = r < valid ? source[r] : 0 }
          }
          target += tileRows
        }
      }
    }
  }

  /// Copies `tileRows` floats.
  @inline(__always)
  private static func copyTile(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>
  ) {
    let (from, to) = (UnsafeRawPointer(source), UnsafeMutableRawPointer(target))
    if tileRows == 8 {
      to.storeBytes(of: from.loadUnaligned(as: SIMD8<Float>.self), as: SIMD8<Float>.self)
    } else {
      to.storeBytes(of: from.loadUnaligned(as: SIMD4<Float>.self), as: SIMD4<Float>.self)
      (to + 16).storeBytes(
        of: (from + 16).loadUnaligned(as: SIMD2<Float>.self), as: SIMD2<Float>.self)
    }
  }
}

/// A column of register tiles: rows of the left operand by one strip.
struct Panel {
  var pieces: UnsafeBufferPointer<Piece>
  var inner: Int
  var strip: UnsafePointer<Float>
  /// How many of the strip's columns exist.
  var valid: Int
  var rows: Range<Int>
  var column: Int
  var target: ProductTarget

  @inline(__always)
  func run(width: Int, left: LeftOperand) {
    if processor_target_has_avx512() != 0 {
      // Up to four rows that are left over would waste half of a tile of eight.
      let whole = rows.count & 7 <= 4 ? rows.count & ~7 : rows.count
      switch width {
      case 48 where valid <= Row40.width: tiles(Row40.self, left, whole)
      case 48: tiles(Row48.self, left, whole)
      case 32: tiles(Row32.self, left, whole)
      default: tiles(Row16.self, left, whole)
      }
    } else {
      let whole = Self.rowsInSixes(rows.count)
      if whole > 0 { tilesOf6(Row16.self, left, rows.lowerBound..<(rows.lowerBound + whole)) }
      var row = rows.lowerBound + whole
      while row < rows.upperBound {
        tileOf4(Row16.self, left, row)
        row += 4
      }
    }
  }

  /// How many of some rows go into tiles of six; the others go into one or two of four.
  @inline(__always)
  static func rowsInSixes(_ count: Int) -> Int {
    switch count % 6 {
    case 0, 5: count
    case 1, 2: count >= 6 ? count - 6 - count % 6 : 0
    default: count - count % 6
    }
  }

  @inline(__always)
  private func tiles<R: TileRow>(_: R.Type, _ left: LeftOperand, _ whole: Int) {
    if whole > 0 { tilesOf8(R.self, left, rows.lowerBound..<(rows.lowerBound + whole)) }
    if whole < rows.count { tileOf4(R.self, left, rows.lowerBound + whole) }
  }

  /// - Parameter packed: the rows in groups of `tileRows`, each `[inner][tileRows]`.
  @inline(__always)
  func run(width: Int, packed: UnsafePointer<Float>) {
    if processor_target_has_avx512() != 0 {
      switch width {
      case 48 where valid <= Row40.width: packedTilesOf8(Row40.self, packed)
      case 48: packedTilesOf8(Row48.self, packed)
      case 32: packedTilesOf8(Row32.self, packed)
      default: packedTilesOf8(Row16.self, packed)
      }
    } else {
      packedTilesOf6(Row16.self, packed)
    }
  }

  @inline(never)
  private func tilesOf8<R: TileRow>(_: R.Type, _ left: LeftOperand, _ range: Range<Int>) {
    var row = range.lowerBound
    while row < range.upperBound {
      // Rows that don't exist read the last one that does.
      let last = rows.upperBound &- 1
      @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
        left.base + left.offsets[min(row &+ i, last)]
      }
      var (r0, r1, r2, r3) = (R(), R(), R(), R())
      var (r4, r5, r6, r7) = (R(), R(), R(), R())
      let (s0, s1, s2, s3) = (start(0), start(1), start(2), start(3))
      let (s4, s5, s6, s7) = (start(4), start(5), start(6), start(7))
      var b = strip
      for piece in pieces {
        let (a0, a1, a2, a3) = (s0 + piece.left, s1 + piece.left, s2 + piece.left, s3 + piece.left)
        let (a4, a5, a6, a7) = (s4 + piece.left, s5 + piece.left, s6 + piece.left, s7 + piece.left)
        var k = 0
        while k < piece.length {
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
      }
      finish8(row, r0, r1, r2, r3, r4, r5, r6, r7)
      row &+= 8
    }
  }

  /// The last rows, one to four.
  @inline(never)
  private func tileOf4<R: TileRow>(_: R.Type, _ left: LeftOperand, _ row: Int) {
    let last = rows.upperBound &- 1
    @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
      left.base + left.offsets[min(row &+ i, last)]
    }
    var (r0, r1, r2, r3) = (R(), R(), R(), R())
    let (s0, s1, s2, s3) = (start(0), start(1), start(2), start(3))
    var b = strip
    for piece in pieces {
      let (a0, a1, a2, a3) = (s0 + piece.left, s1 + piece.left, s2 + piece.left, s3 + piece.left)
      var k = 0
      while k < piece.length {
        r0.add(a0[k], b)
        r1.add(a1[k], b)
        r2.add(a2[k], b)
        r3.add(a3[k], b)
        b += R.stride
        k &+= 1
      }
    }
    finish(r0, row)
    finish(r1, row &+ 1)
    finish(r2, row &+ 2)
    finish(r3, row &+ 3)
  }

  @inline(never)
  private func packedTilesOf8<R: TileRow>(_: R.Type, _ packed: UnsafePointer<Float>) {
    var (row, a) = (rows.lowerBound, packed)
    while row < rows.upperBound {
      var (r0, r1, r2, r3) = (R(), R(), R(), R())
      var (r4, r5, r6, r7) = (R(), R(), R(), R())
      var b = strip
      var k = 0
      while k < inner {
        r0.add(a[0], b)
        r1.add(a[1], b)
        r2.add(a[2], b)
        r3.add(a[3], b)
        r4.add(a[4], b)
        r5.add(a[5], b)
        r6.add(a[6], b)
        r7.add(a[7], b)
        a += 8
        b += R.stride
        k &+= 1
      }
      finish8(row, r0, r1, r2, r3, r4, r5, r6, r7)
      row &+= 8
    }
  }

  @inline(never)
  private func tilesOf6<R: TileRow>(_: R.Type, _ left: LeftOperand, _ range: Range<Int>) {
    var row = range.lowerBound
    while row < range.upperBound {
      let last = rows.upperBound &- 1
      @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
        left.base + left.offsets[min(row &+ i, last)]
      }
      var (r0, r1, r2, r3, r4, r5) = (R(), R(), R(), R(), R(), R())
      let (s0, s1, s2, s3, s4, s5) = (start(0), start(1), start(2), start(3), start(4), start(5))
      var b = strip
      for piece in pieces {
        let (a0, a1, a2) = (s0 + piece.left, s1 + piece.left, s2 + piece.left)
        let (a3, a4, a5) = (s3 + piece.left, s4 + piece.left, s5 + piece.left)
        var k = 0
        while k < piece.length {
          r0.add(a0[k], b)
          r1.add(a1[k], b)
          r2.add(a2[k], b)
          r3.add(a3[k], b)
          r4.add(a4[k], b)
          r5.add(a5[k], b)
          b += R.stride
          k &+= 1
        }
      }
      finish6(row, r0, r1, r2, r3, r4, r5)
      row &+= 6
    }
  }

  @inline(never)
  private func packedTilesOf6<R: TileRow>(_: R.Type, _ packed: UnsafePointer<Float>) {
    var (row, a) = (rows.lowerBound, packed)
    while row < rows.upperBound {
      var (r0, r1, r2, r3, r4, r5) = (R(), R(), R(), R(), R(), R())
      var b = strip
      var k = 0
      while k < inner {
        r0.add(a[0], b)
        r1.add(a[1], b)
        r2.add(a[2], b)
        r3.add(a[3], b)
        r4.add(a[4], b)
        r5.add(a[5], b)
        a += 6
        b += R.stride
        k &+= 1
      }
      finish6(row, r0, r1, r2, r3, r4, r5)
      row &+= 6
    }
  }

  /// Whether a tile of so many rows has all of them and all columns. Where the inner dimension is short, storing takes as
  /// long as the products, so such tiles are stored without a question a row.
  @_transparent
  private func isWhole(_ row: Int, _ count: Int, _ width: Int) -> Bool {
    valid == width && row &+ count <= rows.upperBound
      && (!target.accumulates || target.bias == nil)
  }

  /// Stores a row of a whole tile.
  @_transparent
  private func put<R: TileRow>(_ accumulators: R, _ row: Int) {
    let line = target.base + (target.offsets[row] &+ column)
    accumulators.store(
      line, adding: target.accumulates ? UnsafePointer(line) : target.bias.map { $0 + column })
  }

  @_transparent
  func finish8<R: TileRow>(
    _ row: Int, _ r0: R, _ r1: R, _ r2: R, _ r3: R, _ r4: R, _ r5: R, _ r6: R, _ r7: R
  ) {
    if isWhole(row, 8, R.width) {
      put(r0, row)
      put(r1, row &+ 1)
      put(r2, row &+ 2)
      put(r3, row &+ 3)
      put(r4, row &+ 4)
      put(r5, row &+ 5)
      put(r6, row &+ 6)
      put(r7, row &+ 7)
      return
    }
    finish(r0, row)
    finish(r1, row &+ 1)
    finish(r2, row &+ 2)
    finish(r3, row &+ 3)
    finish(r4, row &+ 4)
    finish(r5, row &+ 5)
    finish(r6, row &+ 6)
    finish(r7, row &+ 7)
  }

  @_transparent
  func finish6<R: TileRow>(
    _ row: Int, _ r0: R, _ r1: R, _ r2: R, _ r3: R, _ r4: R, _ r5: R
  ) {
    if isWhole(row, 6, R.width) {
      put(r0, row)
      put(r1, row &+ 1)
      put(r2, row &+ 2)
      put(r3, row &+ 3)
      put(r4, row &+ 4)
      put(r5, row &+ 5)
      return
    }
    finish(r0, row)
    finish(r1, row &+ 1)
    finish(r2, row &+ 2)
    finish(r3, row &+ 3)
    finish(r4, row &+ 4)
    finish(r5, row &+ 5)
  }

  @inline(__always)
  func finish<R: TileRow>(_ accumulators: R, _ row: Int) {
    guard row < rows.upperBound else { return }
    let line = target.base + (target.offsets[row] &+ column)
    accumulators.store(
      line, valid: valid, accumulating: target.accumulates, bias: target.bias.map { $0 + column })
  }
}

/// The accumulators of one row of a tile.
protocol TileRow {
  static var width: Int { get }
  /// From a row of a packed strip to the next.
  static var stride: Int { get }
  init()
  /// Adds `a` times the `width` floats at `b`.
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>)
  /// Stores all `width` of them, or their sums with as many others.
  func store(_ line: UnsafeMutablePointer<Float>, adding others: UnsafePointer<Float>?)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, accumulating: Bool,
    bias: UnsafePointer<Float>?)
}

@inline(__always)
private func finish(
  _ value: Vector, _ line: UnsafeMutablePointer<Float>, _ offset: Int, valid: Int,
  accumulating: Bool, bias: UnsafePointer<Float>?
) {
  let left = valid &- offset
  if left >= 16 {
    var sum = value
    if accumulating { sum += load(line + offset) }
    if let bias { sum += load(bias + offset) }
    Tensors.store(sum, line + offset)
  } else {
    guard left > 0 else { return }
    var sum = value
    if accumulating { sum += loadPartial(line + offset, left) }
    if let bias { sum += loadPartial(bias + offset, left) }
    storePartial(sum, line + offset, left)
  }
}

struct Row48: TileRow {
  var (x, y, z) = (Vector(), Vector(), Vector())
  static var width: Int { 48 }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    let a = Vector(repeating: a)
    x.addProduct(a, load(b))
    y.addProduct(a, load(b + 16))
    z.addProduct(a, load(b + 32))
  }

  @inline(__always)
  func store(_ line: UnsafeMutablePointer<Float>, adding others: UnsafePointer<Float>?) {
    Tensors.store(others.map { x + load($0) } ?? x, line)
    Tensors.store(others.map { y + load($0 + 16) } ?? y, line + 16)
    Tensors.store(others.map { z + load($0 + 32) } ?? z, line + 32)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, accumulating: Bool,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, accumulating: accumulating, bias: bias)
    finish(y, line, 16, valid: valid, accumulating: accumulating, bias: bias)
    finish(z, line, 32, valid: valid, accumulating: accumulating, bias: bias)
  }
}

extension TileRow {
  static var stride: Int { width }
}

/// The first 40 columns of a strip of 48, as many as a head of attention often has: where a vector of 512 bits is two
/// instructions' worth, half a vector takes half as long.
struct Row40: TileRow {
  var (x, y) = (Vector(), Vector())
  var z = SIMD8<Float>()
  static var width: Int { 40 }
  static var stride: Int { 48 }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    let a = Vector(repeating: a)
    x.addProduct(a, load(b))
    y.addProduct(a, load(b + 16))
    z.addProduct(a.lowHalf, UnsafeRawPointer(b + 32).loadUnaligned(as: SIMD8<Float>.self))
  }

  @inline(__always)
  func store(_ line: UnsafeMutablePointer<Float>, adding others: UnsafePointer<Float>?) {
    Tensors.store(others.map { x + load($0) } ?? x, line)
    Tensors.store(others.map { y + load($0 + 16) } ?? y, line + 16)
    let last = others.map {
      z + UnsafeRawPointer($0 + 32).loadUnaligned(as: SIMD8<Float>.self)
    }
    UnsafeMutableRawPointer(line + 32).storeBytes(of: last ?? z, as: SIMD8<Float>.self)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, accumulating: Bool,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, accumulating: accumulating, bias: bias)
    finish(y, line, 16, valid: valid, accumulating: accumulating, bias: bias)
    finish(
      Vector(lowHalf: z, highHalf: SIMD8()), line, 32, valid: valid, accumulating: accumulating,
      bias: bias)
  }
}

struct Row32: TileRow {
  var (x, y) = (Vector(), Vector())
  static var width: Int { 32 }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    let a = Vector(repeating: a)
    x.addProduct(a, load(b))
    y.addProduct(a, load(b + 16))
  }

  @inline(__always)
  func store(_ line: UnsafeMutablePointer<Float>, adding others: UnsafePointer<Float>?) {
    Tensors.store(others.map { x + load($0) } ?? x, line)
    Tensors.store(others.map { y + load($0 + 16) } ?? y, line + 16)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, accumulating: Bool,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, accumulating: accumulating, bias: bias)
    finish(y, line, 16, valid: valid, accumulating: accumulating, bias: bias)
  }
}

struct Row16: TileRow {
  var x = Vector()
  static var width: Int { 16 }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    x.addProduct(Vector(repeating: a), load(b))
  }

  @inline(__always)
  func store(_ line: UnsafeMutablePointer<Float>, adding others: UnsafePointer<Float>?) {
    Tensors.store(others.map { x + load($0) } ?? x, line)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, accumulating: Bool,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, accumulating: accumulating, bias: bias)
  }
}

// MARK: - Products of tensors

/// `left * right`, with either operand taken transposed.
///
/// - Parameters:
///   - left: seen as a matrix of `shape.rows` by `shape.last`.
///   - right: a matrix `[inner, columns]`, or `[columns, inner]` when transposed.
///   - bias: added to each row; as many elements as the product has columns.
///   - target: where the product is added to; a new tensor where absent.
/// - Returns: a matrix `[rows, columns]`, or `target`.
/// - Precondition: the inner extents are equal.
public func matrixProduct(
  _ left: Tensor, _ right: Tensor, transposingLeft: Bool = false, transposingRight: Bool = false,
  bias: Tensor? = nil, addingTo target: Tensor? = nil
) -> Tensor {
  let (leftRows, leftColumns) = (left.shape.rows, left.shape.last)
  let (rows, inner) =
    transposingLeft ? (leftColumns, leftRows) : (leftRows, leftColumns)
  let (rightRows, rightColumns) = (right.shape.rows, right.shape.last)
  let (rightInner, columns) =
    transposingRight ? (rightColumns, rightRows) : (rightRows, rightColumns)
  precondition(inner == rightInner, "a product of \(left.shape) and \(right.shape)")
  precondition(bias == nil || bias!.count == columns, "a bias of \(bias!.shape) on \(columns)")
  let result = target ?? Tensor(uninitialized: [rows, columns])
  precondition(
    result.count == rows * columns, "a product of \(rows) by \(columns) in \(result.shape)")
  MatrixProduct.run(
    rows: rows, columns: columns, pieces: [Piece(left: 0, right: 0, length: inner)],
    left: LeftOperand(
      base: left.pointer, layout: transposingLeft ? .columns : .rows,
      offsets: .strided(leftColumns)),
    right: RightOperand(
      base: right.pointer, layout: transposingRight ? .columns : .rows, stride: rightColumns),
    into: ProductTarget(
      base: result.pointer, offsets: .strided(columns), accumulates: target != nil,
      bias: bias?.pointer))
  return result
}

/// A rectangle of a tensor.
public struct PartPlace {
  /// Where its first element stands in the tensor, and how far apart its rows begin there, in elements.
  public var offset: Int
  public var stride: Int
  public var rows: Int
  public var columns: Int
}

/// A rectangle of a tensor that a kernel has just made.
public struct TensorPart {
  public var place: PartPlace
  /// Its elements, for as long as whoever gets them takes, and how far apart its rows begin here.
  var values: UnsafePointer<Float>
  var valueStride: Int
}

/// Takes a tensor in parts, in any order and on any thread.
public struct PartTaker {
  let take: (TensorPart) -> Void
  /// Asks for one of several shares of the memory that taking a part will use. Called before the part is taken, while the
  /// processor is busy with the products that make it.
  let prepare: (_ place: PartPlace, _ share: Int, _ shares: Int) -> Void

  public init(
    _ take: @escaping (TensorPart) -> Void,
    prepare: @escaping (_ place: PartPlace, _ share: Int, _ shares: Int) -> Void = { _, _, _ in }
  ) {
    self.take = take
    self.prepare = prepare
  }
}

/// `leftᵀ * right`, given away in parts.
///
/// - Parameters:
///   - left: seen as a matrix `[inner, rows]`.
///   - right: a matrix `[inner, columns]`.
///   - taker: gets the parts of `[rows, columns]`, each element once.
/// - Precondition: the inner extents are equal.
public func transposedMatrixProduct(_ left: Tensor, _ right: Tensor, inParts taker: PartTaker) {
  let (inner, rows, columns) = (left.shape.rows, left.shape.last, right.shape.last)
  precondition(
    inner == right.shape.rows, "a product of \(left.shape), transposed, and \(right.shape)")
  MatrixProduct.runInParts(
    rows: rows, columns: columns, inner: inner,
    left: LeftOperand(base: left.pointer, layout: .columns, offsets: .strided(rows)),
    right: RightOperand(base: right.pointer, layout: .rows, stride: columns), taker)
}

/// A right operand packed whole, for products that use it many times. Everything here runs on the calling thread.
struct PackedOperand {
  private let plan: InnerPlan
  private let columns: Int
  private let storage: Storage

  /// - Parameters:
  ///   - right: `[inner, columns]`.
  init(_ right: RightOperand, inner: Int, columns: Int) {
    self.columns = columns
    self.plan = InnerPlan(
      [Piece(left: 0, right: 0, length: inner)],
      rightStride: right.layout == .rows ? right.stride : 1)
    self.storage = StoragePool.shared.storage(count: inner * MatrixProduct.padded(columns))
    for block in plan.blocks {
      MatrixProduct.pack(
        right, plan.pieces(of: block), columns: 0..<columns,
        into: storage.pointer + block.start * MatrixProduct.padded(columns))
    }
  }

  /// `target = left * self (+ target)` for the given number of rows.
  func multiply(_ left: LeftOperand, rows: Int, into target: ProductTarget) {
    for block in plan.blocks {
      MatrixProduct.multiply(
        left, plan.pieces(of: block), firstInner: block.start, inner: block.length, rows: 0..<rows,
        packed: storage.pointer + block.start * MatrixProduct.padded(columns),
        columns: 0..<columns, into: target.part(block, of: plan))
    }
  }
}
