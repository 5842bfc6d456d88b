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

  /// Calls `body` with this piece alone.
  @inline(__always)
  func asBuffer<R>(_ body: (UnsafeBufferPointer<Piece>) -> R) -> R {
    withUnsafePointer(to: self) { body(UnsafeBufferPointer(start: $0, count: 1)) }
  }
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
    /// Like columns, evenly spaced and so few that they stay in the first-level cache while they are read: up to three floats
    /// beyond the last row are read, too. Not with registers of 512 bits.
    case fewColumns
  }
  var base: UnsafePointer<Float>
  var layout: Layout
  var offsets: RowOffsets

  /// Whether rows are packed into groups before they are multiplied.
  @inline(__always) var isPacked: Bool { layout.isPacked }
}

extension LeftOperand.Layout {
  @inline(__always) var isPacked: Bool { self == .columns }
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
  /// Whether the product is added to what stands there, or in `sums`.
  var accumulates = false
  /// Where what it is added to stands, if not in the target: element (i, j) at `i * sumStride + j`.
  var sums: UnsafePointer<Float>?
  var sumStride = 0
  /// Added to each row of the product.
  var bias: UnsafePointer<Float>?
  /// Whether whole vectors are stored past the caches.
  var streams = false

  /// Where what element (`row`, `column`) is added to stands.
  @inline(__always)
  func addend(_ row: Int, _ column: Int) -> UnsafePointer<Float> {
    if let sums { return sums + (row &* sumStride &+ column) }
    return UnsafePointer(base) + (offsets[row] &+ column)
  }

  /// Whether so large a product is stored past the caches, in whole lines; see ``Tensor/isStreamed``.
  func isStreamable(rows: Int, columns: Int) -> Bool {
    Tensor.isStreamed(count: rows * columns) && (!accumulates || sums != nil)
      && offsets.list == nil
      && offsets.stride % 16 == 0 && columns % 16 == 0 && UInt(bitPattern: base) % 64 == 0
  }
}

extension ProductTarget {
  /// What one block of the inner dimension does: all but the first add to what stands there, the last adds the bias.
  func part(_ block: InnerPlan.Block, of plan: InnerPlan) -> ProductTarget {
    var part = self
    part.accumulates = accumulates || block.start > 0
    if block.start > 0 { part.sums = nil }
    part.bias = block.start + block.length == plan.inner ? bias : nil
    return part
  }
}

enum MatrixProduct {
  /// The rows of a register tile of a packed left operand: eight of 48 columns fill the 32 registers of AVX-512, six of 16 those
  /// of AVX2.
  @inline(__always) static var tileRows: Int { processor_target_has_avx512() != 0 ? 8 : 6 }
  /// How many rows are whole tiles of any kind.
  @inline(__always) static var wholeTileRows: Int { processor_target_has_avx512() != 0 ? 8 : 12 }
  @inline(__always) static var stripWidth: Int { processor_target_has_avx512() != 0 ? 48 : 16 }
  /// The longest run of the inner dimension that is packed at once: a strip of it stays in the second-level cache.
  static let innerBlock = 320
  /// How many rows of the left operand are kept in the second-level cache while the strips go by.
  static let rowBlock = 96
  /// The rows of a register tile, after which memory is asked for, if not in between.
  @inline(__always)
  private static func rowsBetween(_ left: LeftOperand.Layout) -> Int {
    processor_target_has_avx512() != 0 ? 8 : left == .rows ? 4 : 6
  }
  /// How often ``multiply`` asks for memory, with at least a column.
  /// - Parameter inner: the length of one piece; of several the number is less than told.
  static func asks(rows: Int, columns: Int, inner: Int, _ left: LeftOperand.Layout) -> Int {
    let (width, each) = (stripWidth(remaining: columns, by: left), rowsBetween(left))
    let tiles = (columns + width - 1) / width * ((rows + each - 1) / each)
    if processor_target_has_avx512() == 0 { return tiles }
    return tiles * ((inner + Panel.innerBetween - 1) / Panel.innerBetween)
  }
  /// How many shares the rows are cut into, where threads have rows of their own.
  static var rowShares: Int { max(2, min(8, Parallel.threads)) }
  /// The most strips of a task; more where it packs the left operand's rows, which each task does again.
  static func mostStrips(_ left: LeftOperand.Layout) -> Int {
    (left == .columns ? 384 : 192) / stripWidth
  }
  /// How many rows ahead of the one that is packed memory is asked for.
  private static let prefetchDistance = 32
  /// A right operand of fewer floats is most likely in a cache, where asking for it early only takes time.
  static let cachedCount = 1 << 17
  /// Below this many multiply-adds, waking another thread costs more than it saves.
  static let serialLimit = 1 << 17

  /// `target = left * right (+ target) (+ bias)`, cut as ``ProductTasks`` tells.
  static func run(
    rows: Int, columns: Int, pieces: [Piece], left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    guard rows > 0, columns > 0 else { return }
    pieces.withUnsafeBufferPointer {
      InnerPlan.with($0, rightStride: right.layout == .rows ? right.stride : 1) { plan in
        run(
          rows: rows, columns: columns, pieces: pieces, plan: plan, left: left, right: right,
          into: target)
      }
    }
  }

  private static func run(
    rows: Int, columns: Int, pieces: [Piece], plan: InnerPlan, left: LeftOperand,
    right: RightOperand, into target: ProductTarget
  ) {
    guard plan.inner > 0 else { return fillEmpty(rows: rows, columns: columns, target) }
    if DotProducts.suits(rows: rows, pieces: pieces, left: left, right: right) {
      return DotProducts.run(
        rows: rows, columns: columns, pieces: pieces, inner: plan.inner, left: left, right: right,
        into: target)
    }
    if RankUpdates.suits(rows: rows, columns: columns, pieces: pieces, left: left, right: right) {
      return RankUpdates.run(
        rows: rows, columns: columns, plan: plan, left: left, right: right, into: target)
    }
    if TurnedProduct.suits(
      rows: rows, columns: columns, inner: plan.inner, left: left, right: right)
    {
      return TurnedProduct.run(
        rows: rows, columns: columns, pieces: pieces, left: left, right: right, into: target)
    }
    let cut = ProductTasks(rows: rows, columns: columns, inner: plan.inner, left.layout)
    if cut.sharesStrips {
      runSharingStrips(plan: plan, left: left, right: right, cut, into: target)
    } else if cut.hasOwnRows, !cut.addsUpWholeRows {
      runWithOwnRows(plan: plan, left: left, right: right, cut, into: target)
    } else {
      runWithOwnStrips(plan: plan, left: left, right: right, cut, into: target)
    }
  }

  /// Where the blocks of a task go. If the result is stored past the caches, all but the last add up in a buffer.
  private struct BlockTargets {
    let target: ProductTarget
    let plan: InnerPlan
    let columns: Range<Int>
    let streams: Bool
    let sums: Storage?

    /// - Parameter rows: how many at once, at most.
    init(
      _ target: ProductTarget, _ plan: InnerPlan, _ cut: ProductTasks, _ columns: Range<Int>,
      rows: Int
    ) {
      (self.target, self.plan, self.columns) = (target, plan, columns)
      streams = target.isStreamable(rows: cut.rows, columns: cut.columns)
      sums =
        streams && plan.blocks.count > 1
        ? StoragePool.shared.storage(count: rows * padded(columns.count)) : nil
    }

    /// - Parameter firstRow: of those that are multiplied at once.
    func callAsFunction(_ index: Int, firstRow: Int) -> ProductTarget {
      let isLast = index + 1 == plan.blocks.count
      var part = target.part(plan.blocks[index], of: plan)
      part.streams = streams && isLast
      if let sums {
        let width = padded(columns.count)
        let place = sums.pointer - (firstRow * width + columns.lowerBound)
        if isLast {
          (part.sums, part.sumStride) = (UnsafePointer(place), width)
        } else {
          (part.base, part.offsets) = (place, .strided(width))
        }
      }
      return part
    }
  }

  /// The product in tasks of which each packs the strips that it multiplies, block by block, and adds up all its rows.
  private static func runWithOwnStrips(
    plan: InnerPlan, left: LeftOperand, right: RightOperand, _ cut: ProductTasks,
    into target: ProductTarget
  ) {
    let isLarge = plan.inner * cut.columns > cachedCount
    Parallel.forEach(cut.rowChunks * cut.columnTasks.count) { task in
      let rows = cut.rows(task / cut.columnTasks.count)
      let columns = cut.columnTasks[task % cut.columnTasks.count]
      guard !columns.isEmpty else { return }
      let packed = StoragePool.shared.storage(count: innerBlock * padded(columns.count))
      let targets = BlockTargets(target, plan, cut, columns, rows: rows.count)
      for (index, block) in plan.blocks.enumerated() {
        pack(
          right, block.pieces, columns: columns, for: left.layout, into: packed.pointer)
        // What is packed next comes from memory while the products keep the processor busy; of several pieces, which are short, the
        // first alone.
        var next = LinesAhead.none
        if isLarge, index + 1 < plan.blocks.count,
          let piece = plan.blocks[index + 1].pieces.first
        {
          next = lines(right, piece, columns: columns)
          next.spread(
            over: asks(
              rows: min(rowBlock, rows.count), columns: columns.count, inner: block.length,
              left.layout))
        }
        multiply(
          left, block.pieces, firstInner: block.start, inner: block.length, rows: rows,
          packed: packed.pointer, columns: columns,
          into: targets(index, firstRow: rows.lowerBound), meanwhile: &next)
      }
    }
  }

  /// The product in shares of many rows. A thread packs some strips whole, once, and multiplies all rows of its share with them, a
  /// task some of them after others: what these add up stays in the second-level cache until it is done, and what a slower core
  /// doesn't come to is left for another.
  private static func runWithOwnRows(
    plan: InnerPlan, left: LeftOperand, right: RightOperand, _ cut: ProductTasks,
    into target: ProductTarget
  ) {
    let parts = (cut.rows(0).count + rowBlock - 1) / rowBlock
    let isLarge = processor_target_has_avx512() != 0 && plan.inner * cut.rows > cachedCount
    let packed = LaneValues<(number: Int, strips: Storage)>()
    Parallel.forEach(cut.rowChunks * cut.columnTasks.count * parts) { task in
      let (share, number) = (
        task / (cut.columnTasks.count * parts), task / parts % cut.columnTasks.count
      )
      let rows = part(task % parts, of: parts, cut.rows(share))
      let columns = cut.columnTasks[number]
      guard !rows.isEmpty, !columns.isEmpty else { return }
      let width = padded(columns.count)
      let strips =
        packed.own?.strips
        ?? StoragePool.shared.storage(count: plan.inner * padded(cut.columnTasks.most))
      if packed.own?.number != number {
        for block in plan.blocks {
          pack(
            right, block.pieces, columns: columns, for: left.layout,
            into: strips.pointer + block.start * width)
        }
        packed.own = (number, strips)
      }
      let targets = BlockTargets(target, plan, cut, columns, rows: rows.count)
      let following = part((task + 1) % parts, of: parts, cut.rows(share))
      for (index, block) in plan.blocks.enumerated() {
        // The rows that are multiplied next come from another cache while the products keep the processor busy: the next piece of
        // these, or what most likely is this thread's next task.
        var next = LinesAhead.none
        if isLarge {
          let isLast = index + 1 == plan.blocks.count
          next = lines(
            left, plan.blocks[isLast ? 0 : index + 1].pieces[0], rows: isLast ? following : rows)
          next.spread(
            over: asks(
              rows: rows.count, columns: columns.count, inner: block.length, left.layout))
        }
        multiply(
          left, block.pieces, firstInner: block.start, inner: block.length, rows: rows,
          packed: strips.pointer + block.start * width, columns: columns,
          into: targets(index, firstRow: rows.lowerBound), meanwhile: &next)
      }
    }
  }

  /// One of `count` parts of some rows, of like size and in whole tiles.
  private static func part(_ index: Int, of count: Int, _ rows: Range<Int>) -> Range<Int> {
    let each =
      ((rows.count + count - 1) / count + wholeTileRows - 1) / wholeTileRows * wholeTileRows
    let first = min(rows.upperBound, rows.lowerBound + index * each)
    return first..<min(rows.upperBound, first + each)
  }

  /// The product in tasks of which several multiply the same strips, which are packed once, before.
  private static func runSharingStrips(
    plan: InnerPlan, left: LeftOperand, right: RightOperand, _ cut: ProductTasks,
    into target: ProductTarget
  ) {
    let chunkSize = plan.inner * padded(cut.columnTasks.most)
    let packed = StoragePool.shared.storage(count: cut.columnTasks.count * chunkSize)
    Parallel.forEach(cut.columnTasks.count * plan.blocks.count) { task in
      let (chunk, block) = (task / plan.blocks.count, plan.blocks[task % plan.blocks.count])
      let columns = cut.columnTasks[chunk]
      pack(
        right, block.pieces, columns: columns, for: left.layout,
        into: packed.pointer + chunk * chunkSize + block.start * padded(columns.count))
    }
    Parallel.forEach(cut.rowChunks * cut.columnTasks.count) { task in
      let (chunk, rowChunk) = (task / cut.rowChunks, task % cut.rowChunks)
      let columns = cut.columnTasks[chunk]
      for block in plan.blocks {
        multiply(
          left, block.pieces, firstInner: block.start, inner: block.length,
          rows: cut.rows(rowChunk),
          packed: packed.pointer + chunk * chunkSize + block.start * padded(columns.count),
          columns: columns, into: target.part(block, of: plan))
      }
    }
  }

  @inline(__always)
  static func padded(_ columns: Int) -> Int { (columns + 15) / 16 * 16 }

  private static func fillEmpty(rows: Int, columns: Int, _ target: ProductTarget) {
    for row in 0..<rows {
      let line = target.base + target.offsets[row]
      for column in 0..<columns {
        line[column] =
          (target.accumulates ? target.addend(row, column)[0] : 0) + (target.bias?[column] ?? 0)
      }
    }
  }

  /// The widths of the strips that cover `count` columns: as wide as a tile, then what is left in steps of 16.
  @inline(__always)
  static func stripWidth(remaining count: Int) -> Int {
    count >= stripWidth ? stripWidth : (count + 15) / 16 * 16
  }

  /// The same for packed strips: where registers have 256 bits, 24 for a left operand that is read where it lies, and two of 16
  /// rather than 24 and 8.
  @inline(__always)
  static func stripWidth(remaining count: Int, by left: LeftOperand.Layout) -> Int {
    if processor_target_has_avx512() == 0, !left.isPacked, count > 16, (count + 7) / 8 != 4 {
      return 24
    }
    return stripWidth(remaining: count)
  }

  /// Packs the columns of one block into strips, each `[inner][width]`, with zeros beyond the last column.
  /// - Parameter left: the layout of what is multiplied with them.
  static func pack(
    _ right: RightOperand, _ block: UnsafeBufferPointer<Piece>, columns: Range<Int>,
    for left: LeftOperand.Layout, into packed: UnsafeMutablePointer<Float>
  ) {
    var target = packed
    var column = columns.lowerBound
    while column < columns.upperBound {
      let width = stripWidth(remaining: columns.upperBound - column, by: left)
      let valid = min(width, columns.upperBound - column)
      if PairedRow40.suits(stripWidth: width, valid: valid, left) {
        packPairs(right, block, column: column, valid: valid, into: target)
        for piece in block { target += piece.length &* width }
        column += width
        continue
      }
      for piece in block {
        let source = right.base + piece.right
        switch right.layout {
        case .rows:
          packRows(
            source + column, right.stride, piece.length, width, valid, into: target)
        case .columns:
          packColumns(
            source + column &* right.stride, right.stride, piece.length, width, valid, into: target)
        }
        target += piece.length &* width
      }
      column += width
    }
  }

  /// Packs a strip for ``PairedRow40``.
  private static func packPairs(
    _ right: RightOperand, _ block: UnsafeBufferPointer<Piece>, column: Int, valid: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    var place = target
    for piece in block {
      let source = right.base + piece.right
      switch right.layout {
      case .rows:
        PairedRow40.pack(
          source + column, right.stride, piece.length, valid: valid, into: place)
      case .columns:
        // Columns are seldom so few: through rows.
        let rows = StoragePool.shared.storage(count: piece.length * 48)
        packColumns(
          source + column * right.stride, right.stride, piece.length, 48, valid, into: rows.pointer)
        PairedRow40.pack(rows.pointer, 48, piece.length, valid: valid, into: place)
      }
      place += piece.length * PairedRow40.width
    }
  }

  /// What `pack` reads with these arguments, of one piece.
  static func lines(_ right: RightOperand, _ piece: Piece, columns: Range<Int>) -> LinesAhead {
    let source = right.base + piece.right
    switch right.layout {
    case .rows:
      return LinesAhead(
        source + columns.lowerBound, rows: piece.length, stride: right.stride, run: columns.count)
    case .columns:
      return LinesAhead(
        source + columns.lowerBound * right.stride, rows: columns.count, stride: right.stride,
        run: piece.length)
    }
  }

  /// What ``multiply`` reads of these rows with one piece; nothing of rows whose offsets are a list.
  private static func lines(_ left: LeftOperand, _ piece: Piece, rows: Range<Int>) -> LinesAhead {
    guard left.layout == .rows, left.offsets.list == nil, !rows.isEmpty else { return .none }
    return LinesAhead(
      left.base + (left.offsets[rows.lowerBound] + piece.left), rows: rows.count,
      stride: left.offsets.stride, run: piece.length)
  }

  @inline(__always)
  private static func packRows(
    _ source: UnsafePointer<Float>, _ stride: Int, _ length: Int, _ width: Int, _ valid: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    if valid == width {
      for k in 0..<length {
        // The rows lie too far apart for the processor to see where this is going: on in this strip, then to the next.
        let next = k &+ prefetchDistance
        let ahead =
          next < length ? source + next &* stride : source + ((next &- length) &* stride &+ width)
        var j = 0
        while j &+ 16 <= width {
          processor_prefetch(ahead + j)
          store(load(source + (k &* stride &+ j)), target + (k &* width &+ j))
          j &+= 16
        }
        if j < width {
          processor_prefetch(ahead + j)
          storeHalf(loadHalf(source + (k &* stride &+ j)), target + (k &* width &+ j))
        }
      }
    } else {
      for k in 0..<length {
        var j = 0
        while j < width {
          let n = max(0, min(16, valid &- j))
          let values = read(source + (k &* stride &+ j), n)
          write(values, target + (k &* width &+ j), min(16, width &- j))
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
      // Sixteen columns, or eight at the end of a strip of 24.
      let places = min(16, width &- j)
      let whole = min(places, valid &- j)
      var k = 0
      if whole == places {
        while k + 16 <= length {
          // Each of the sixteen is a place of its own in memory, and so is each of the next sixteen.
          let ahead = source + ((j &+ places) &* stride &+ k)
          for column in 0..<16 { processor_prefetch(ahead + column &* stride) }
          let (from, to) = (source + (j &* stride &+ k), target + (k &* width &+ j))
          if places == 16 {
            transpose16x16(from, stride, into: to, width)
          } else {
            transpose8x16(from, stride, into: to, width)
          }
          k &+= 16
        }
      }
      if k < length {
        packEdge(
          source + (j &* stride &+ k), stride, length - k, whole, of: places,
          into: target + (k &* width &+ j), width)
      }
      j &+= places
    }
  }

  /// What `packColumns` can't take in whole blocks: `valid` columns, as many as there are places with the zeros beyond them.
  @inline(never)
  private static func packEdge(
    _ source: UnsafePointer<Float>, _ stride: Int, _ length: Int, _ valid: Int, of places: Int,
    into target: UnsafeMutablePointer<Float>, _ width: Int
  ) {
    for start in Swift.stride(from: 0, to: length, by: 16) {
      let count = min(16, length - start)
      withBlock { block in
        for column in 0..<valid {
          store(read(source + (column &* stride &+ start), count), block + column &* 16)
        }
        withBlock { turned in
          transpose16x16(block, 16, into: turned, 16)
          for k in 0..<count {
            write(load(turned + k &* 16), target + (start &+ k) &* width, places)
          }
        }
      }
    }
  }

  /// Multiplies rows of the left operand with packed strips. Runs on the calling thread.
  /// - Parameters:
  ///   - firstInner: where the pieces begin in the inner dimension; used by a left operand of columns.
  ///   - inner: the length of the pieces together.
  static func multiply(
    _ left: LeftOperand, _ pieces: UnsafeBufferPointer<Piece>, firstInner: Int, inner: Int,
    rows: Range<Int>, packed: UnsafePointer<Float>, columns: Range<Int>, into target: ProductTarget
  ) {
    var nothing = LinesAhead.none
    multiply(
      left, pieces, firstInner: firstInner, inner: inner, rows: rows, packed: packed,
      columns: columns, into: target, meanwhile: &nothing)
  }

  /// The same of one piece, from the beginning of the inner dimension.
  static func multiply(
    _ left: LeftOperand, _ piece: Piece, rows: Int, packed: UnsafePointer<Float>, columns: Int,
    into target: ProductTarget
  ) {
    piece.asBuffer {
      multiply(
        left, $0, firstInner: 0, inner: piece.length, rows: 0..<rows, packed: packed,
        columns: 0..<columns, into: target)
    }
  }

  /// How often ``multiply(_:inner:rows:strip:width:into:meanwhile:)`` asks for memory.
  static func asks(rows: Int, stripWidth width: Int, inner: Int) -> Int {
    guard width == Row80.width else { return asks(rows: rows, columns: width, inner: inner, .rows) }
    return (rows + 3) / 4 * ((inner + Panel.innerBetween - 1) / Panel.innerBetween)
  }

  /// The same with one strip, which may be as wide as ``Row80`` where registers have 512 bits.
  static func multiply(
    _ left: LeftOperand, inner: Int, rows: Int, strip: UnsafePointer<Float>, width: Int,
    into target: ProductTarget, meanwhile lines: inout LinesAhead
  ) {
    Piece(left: 0, right: 0, length: inner).asBuffer { piece in
      guard width == Row80.width else {
        return multiply(
          left, piece, firstInner: 0, inner: inner, rows: 0..<rows, packed: strip,
          columns: 0..<width, into: target, meanwhile: &lines)
      }
      let panel = Panel(
        pieces: piece, inner: inner, strip: strip, valid: width, rows: 0..<rows, column: 0,
        target: target)
      guard lines.isDone else { return panel.run(width: width, left: left, &lines) }
      var silence = Silence()
      panel.run(width: width, left: left, &silence)
    }
  }

  /// - Parameter lines: asked for between the products.
  static func multiply(
    _ left: LeftOperand, _ pieces: UnsafeBufferPointer<Piece>, firstInner: Int, inner: Int,
    rows: Range<Int>, packed: UnsafePointer<Float>, columns: Range<Int>, into target: ProductTarget,
    meanwhile lines: inout LinesAhead
  ) {
    guard !columns.isEmpty else { return }
    let buffer: Storage? =
      left.isPacked
      ? StoragePool.shared.storage(count: inner * (rowBlock + tileRows)) : nil
    var left = left
    if buffer == nil, left.layout == .fewColumns { left.base += firstInner * left.offsets.stride }
    var row = rows.lowerBound
    while row < rows.upperBound {
      let last = min(rows.upperBound, row + rowBlock)
      if let buffer { packLeft(left, firstInner, inner, row..<last, into: buffer.pointer) }
      var strip = packed
      var column = columns.lowerBound
      while column < columns.upperBound {
        let width = stripWidth(remaining: columns.upperBound - column, by: left.layout)
        var first = row
        while first < last {
          // With registers of 512 bits a tile asks by itself.
          let step =
            lines.isDone || processor_target_has_avx512() != 0
            ? last - first : rowsBetween(left.layout)
          let panel = Panel(
            pieces: pieces, inner: inner, strip: strip,
            valid: min(width, columns.upperBound - column), rows: first..<min(last, first + step),
            column: column,
            target: target)
          func run<A: Asking>(_ asking: inout A) {
            if let buffer {
              panel.run(width: width, packed: buffer.pointer + (first - row) * inner, &asking)
            } else {
              panel.run(width: width, left: left, &asking)
            }
          }
          if lines.isDone || processor_target_has_avx512() == 0 {
            lines.ask()
            var silence = Silence()
            run(&silence)
          } else {
            run(&lines)
          }
          first += step
        }
        strip += inner &* width
        column += width
      }
      row = last
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
      // Rows of some lines that are pages apart: no prefetcher of a processor follows them. Beyond the last one they are
      // those of the next block, and beyond that one an address that is read by nobody.
      for k in first..<last {
        let ahead =
          left.base + (left.offsets[firstInner &+ k] &+ prefetchDistance &* left.offsets.stride)
        var row = rows.lowerBound
        while row < rows.upperBound {
          processor_prefetch(ahead + row)
          row &+= 16
        }
      }
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

// MARK: - Products of tensors

/// `left * right`, with either operand taken transposed.
///
/// - Parameters:
///   - left: seen as a matrix of `shape.rows` by `shape.last`.
///   - right: a matrix `[inner, columns]`, or `[columns, inner]` when transposed.
///   - bias: added to each row; as many elements as the product has columns.
///   - others: added to the product, as many elements as it has.
///   - target: where the product is added to; a new tensor where absent. Not with `others`.
/// - Returns: a matrix `[rows, columns]`, or `target`.
/// - Precondition: the inner extents are equal.
public func matrixProduct(
  _ left: Tensor, _ right: Tensor, transposingLeft: Bool = false, transposingRight: Bool = false,
  bias: Tensor? = nil, adding others: Tensor? = nil, addingTo target: Tensor? = nil
) -> Tensor {
  let (leftRows, leftColumns) = (left.shape.rows, left.shape.last)
  let (rows, inner) =
    transposingLeft ? (leftColumns, leftRows) : (leftRows, leftColumns)
  let (rightRows, rightColumns) = (right.shape.rows, right.shape.last)
  let (rightInner, columns) =
    transposingRight ? (rightColumns, rightRows) : (rightRows, rightColumns)
  precondition(inner == rightInner, "a product of \(left.shape) and \(right.shape)")
  precondition(bias == nil || bias!.count == columns, "a bias of \(bias!.shape) on \(columns)")
  precondition(
    others.map { $0.count == rows * columns && target == nil } ?? true,
    "a product of \(rows) by \(columns) added to \(others!.shape)")
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
      base: result.pointer, offsets: .strided(columns),
      accumulates: target != nil || others != nil,
      sums: others.map { UnsafePointer($0.pointer) }, sumStride: columns, bias: bias?.pointer))
  return withExtendedLifetime(others) { result }
}

/// A right operand packed whole, for products that use it many times. Everything here runs on the calling thread.
struct PackedOperand {
  let inner: Int
  let columns: Int
  private let left: LeftOperand.Layout
  private let storage: Storage
  /// Its strips, block after block of the inner dimension.
  var pointer: UnsafePointer<Float> { UnsafePointer(storage.pointer) }

  /// Room for an operand of this shape.
  /// - Parameter left: the layout of what is multiplied with it.
  init(inner: Int, columns: Int, for left: LeftOperand.Layout = .rows) {
    self.inner = inner
    self.columns = columns
    self.left = left
    storage = StoragePool.shared.storage(count: inner * MatrixProduct.padded(columns))
  }

  /// - Parameters:
  ///   - right: `[inner, columns]`.
  ///   - left: the layout of what is multiplied with it.
  init(_ right: RightOperand, inner: Int, columns: Int, for left: LeftOperand.Layout = .rows) {
    self.init(inner: inner, columns: columns, for: left)
    pack(right)
  }

  /// Takes another operand of this shape.
  func pack(_ right: RightOperand) {
    let piece = Piece(left: 0, right: 0, length: inner)
    InnerPlan.with(piece, rightStride: right.layout == .rows ? right.stride : 1) { plan in
      for block in plan.blocks {
        MatrixProduct.pack(
          right, block.pieces, columns: 0..<columns, for: left,
          into: storage.pointer + block.start * MatrixProduct.padded(columns))
      }
    }
  }

  /// `target = left * self (+ target)` for the given number of rows.
  func multiply(_ left: LeftOperand, rows: Int, into target: ProductTarget) {
    precondition(left.layout == self.left)
    InnerPlan.with(Piece(left: 0, right: 0, length: inner), rightStride: 0) { plan in
      for block in plan.blocks {
        MatrixProduct.multiply(
          left, block.pieces, firstInner: block.start, inner: block.length, rows: 0..<rows,
          packed: storage.pointer + block.start * MatrixProduct.padded(columns),
          columns: 0..<columns, into: target.part(block, of: plan))
      }
    }
  }

  /// Asks for one of `parts` parts of the packed elements.
  @inline(__always)
  func prefetch(part: Int, of parts: Int) {
    let count = inner &* MatrixProduct.padded(columns)
    let end = (part &+ 1) &* count / parts
    var place = part &* count / parts
    while place < end {
      processor_prefetch_far(storage.pointer + place)
      place &+= 16
    }
  }
}
