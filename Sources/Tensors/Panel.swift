// The register tiles of the matrix product: eight rows of 48 columns where vectors have 512 bits, or four of 80; elsewhere four of
// 24, which take fewer instructions than six of 16, and six of 16 where a left operand is packed or too few columns are left.

import CProcessor

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
  /// From a row of the strip to the next, if it isn't packed. With registers of 512 bits and a packed left operand.
  var stripStride: Int?

  /// After how many elements of the inner dimension a tile asks for memory.
  static let innerBetween = 8

  /// - Parameter asking: with registers of 512 bits; elsewhere nothing is asked.
  @inline(__always)
  func run<A: Asking>(width: Int, left: LeftOperand, _ asking: inout A) {
    if processor_target_has_avx512() != 0 {
      // Up to four rows that are left over would waste half of a tile of eight.
      let whole = rows.count & 7 <= 4 ? rows.count & ~7 : rows.count
      switch width {
      case 80: tilesOf4(Row80.self, left, &asking)
      case 48 where valid <= PairedRow40.width: tiles(PairedRow40.self, left, whole, &asking)
      case 48: tiles(Row48.self, left, whole, &asking)
      case 32: tiles(Row32.self, left, whole, &asking)
      default: tiles(Row16.self, left, whole, &asking)
      }
    } else if left.layout == .fewColumns {
      if width == 24 {
        fewColumnsTilesOf4(Row24.self, left)
      } else {
        fewColumnsTilesOf4(Row16.self, left)
      }
    } else if width == 24 {
      wideTilesOf4(left)
    } else {
      let whole = rows.lowerBound + Self.rowsInSixes(rows.count)
      if whole > rows.lowerBound { tilesOf6(Row16.self, left, rows.lowerBound..<whole) }
      for row in stride(from: whole, to: rows.upperBound, by: 4) { tileOf4(Row16.self, left, row) }
    }
  }

  /// How many of some rows go into tiles of six; the others go into one or two of four.
  @inline(__always)
  private static func rowsInSixes(_ count: Int) -> Int {
    switch count % 6 {
    case 0, 5: count
    case 1, 2: count >= 6 ? count - 6 - count % 6 : 0
    default: count - count % 6
    }
  }

  @inline(__always)
  private func tiles<R: TileRow, A: Asking>(
    _: R.Type, _ left: LeftOperand, _ whole: Int, _ asking: inout A
  ) {
    if whole > 0 { tilesOf8(R.self, left, rows.lowerBound..<(rows.lowerBound + whole), &asking) }
    if whole < rows.count { tileOf4(R.self, left, rows.lowerBound + whole) }
  }

  /// - Parameters:
  ///   - packed: the rows in groups of `tileRows`, each `[inner][tileRows]`.
  ///   - stride: from an element of the inner dimension to the next, if the rows are a single group of eight.
  @inline(__always)
  func run<A: Asking>(
    width: Int, packed: UnsafePointer<Float>, stride: Int = 8, _ asking: inout A
  ) {
    if processor_target_has_avx512() != 0 {
      switch width {
      case 48 where valid <= Row40.width: packedTilesOf8(Row40.self, packed, stride, &asking)
      case 48: packedTilesOf8(Row48.self, packed, stride, &asking)
      case 32: packedTilesOf8(Row32.self, packed, stride, &asking)
      default: packedTilesOf8(Row16.self, packed, stride, &asking)
      }
    } else {
      packedTilesOf6(Row16.self, packed)
    }
  }

  @inline(never)
  private func tilesOf8<R: TileRow, A: Asking>(
    _: R.Type, _ left: LeftOperand, _ range: Range<Int>, _ asking: inout A
  ) {
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
          asking.ask()
          let end = A.isSilent ? piece.length : min(piece.length, k &+ Self.innerBetween)
          while k &+ R.depth <= end {
            r0.add(a0 + k, b)
            r1.add(a1 + k, b)
            r2.add(a2 + k, b)
            r3.add(a3 + k, b)
            r4.add(a4 + k, b)
            r5.add(a5 + k, b)
            r6.add(a6 + k, b)
            r7.add(a7 + k, b)
            b += R.stride
            k &+= R.depth
          }
          if R.depth > 1, k < end {
            r0.addLast(a0[k], b)
            r1.addLast(a1[k], b)
            r2.addLast(a2[k], b)
            r3.addLast(a3[k], b)
            r4.addLast(a4[k], b)
            r5.addLast(a5[k], b)
            r6.addLast(a6[k], b)
            r7.addLast(a7[k], b)
            b += R.width
            k &+= 1
          }
        }
      }
      finish8(row, r0, r1, r2, r3, r4, r5, r6, r7)
      row &+= 8
    }
  }

  /// Four rows of so many columns that eight have no room in the registers, until there are none. The left operand has one piece.
  @inline(never)
  private func tilesOf4<R: TileRow, A: Asking>(_: R.Type, _ left: LeftOperand, _ asking: inout A) {
    let last = rows.upperBound &- 1
    var row = rows.lowerBound
    while row < rows.upperBound {
      @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
        left.base + left.offsets[min(row &+ i, last)]
      }
      var (r0, r1, r2, r3) = (R(), R(), R(), R())
      let (a0, a1, a2, a3) = (start(0), start(1), start(2), start(3))
      var b = strip
      var k = 0
      while k < inner {
        asking.ask()
        let end = A.isSilent ? inner : min(inner, k &+ Self.innerBetween)
        while k < end {
          r0.add(a0[k], b)
          r1.add(a1[k], b)
          r2.add(a2[k], b)
          r3.add(a3[k], b)
          b += R.stride
          k &+= 1
        }
      }
      finish4(row, r0, r1, r2, r3)
      row &+= 4
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
      while k &+ R.depth <= piece.length {
        r0.add(a0 + k, b)
        r1.add(a1 + k, b)
        r2.add(a2 + k, b)
        r3.add(a3 + k, b)
        b += R.stride
        k &+= R.depth
      }
      if R.depth > 1, k < piece.length {
        r0.addLast(a0[k], b)
        r1.addLast(a1[k], b)
        r2.addLast(a2[k], b)
        r3.addLast(a3[k], b)
        b += R.width
      }
    }
    finish(r0, row)
    finish(r1, row &+ 1)
    finish(r2, row &+ 2)
    finish(r3, row &+ 3)
  }

  @inline(never)
  private func packedTilesOf8<R: TileRow, A: Asking>(
    _: R.Type, _ packed: UnsafePointer<Float>, _ stride: Int, _ asking: inout A
  ) {
    let stripStride = stripStride ?? R.stride
    var (row, a) = (rows.lowerBound, packed)
    while row < rows.upperBound {
      var (r0, r1, r2, r3) = (R(), R(), R(), R())
      var (r4, r5, r6, r7) = (R(), R(), R(), R())
      var b = strip
      var k = 0
      while k < inner {
        asking.ask()
        let end = A.isSilent ? inner : min(inner, k &+ Self.innerBetween)
        while k < end {
          r0.add(a[0], b)
          r1.add(a[1], b)
          r2.add(a[2], b)
          r3.add(a[3], b)
          r4.add(a[4], b)
          r5.add(a[5], b)
          r6.add(a[6], b)
          r7.add(a[7], b)
          a += stride
          b += stripStride
          k &+= 1
        }
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

  /// Four rows of 24 columns, until there are none.
  @inline(never)
  private func wideTilesOf4(_ left: LeftOperand) {
    // Rows that don't exist read the last one that does.
    let last = rows.upperBound &- 1
    @_transparent func offset(_ row: Int) -> Int { left.offsets[min(row, last)] }
    var row = rows.lowerBound
    while row < rows.upperBound {
      var (r0, r1, r2, r3) = (Row24(), Row24(), Row24(), Row24())
      let first = offset(row)
      let (a0, a1) = (left.base + first, left.base + offset(row &+ 1))
      let (a2, a3) = (left.base + offset(row &+ 2), left.base + offset(row &+ 3))
      // The next rows come from the second-level cache meanwhile; most often they lie as far from these as the first does.
      let next = offset(row &+ 4) &- first
      var b = strip
      for piece in pieces {
        var k = piece.left
        let end = k &+ piece.length
        while k &+ 4 <= end {
          if k & 12 == 0 {
            let ahead = k &+ next
            processor_prefetch(a0 + ahead)
            processor_prefetch(a1 + ahead)
            processor_prefetch(a2 + ahead)
            processor_prefetch(a3 + ahead)
          }
          Row24.add((a0[k], a1[k], a2[k], a3[k]), b, &r0, &r1, &r2, &r3)
          Row24.add((a0[k &+ 1], a1[k &+ 1], a2[k &+ 1], a3[k &+ 1]), b + 24, &r0, &r1, &r2, &r3)
          Row24.add((a0[k &+ 2], a1[k &+ 2], a2[k &+ 2], a3[k &+ 2]), b + 48, &r0, &r1, &r2, &r3)
          Row24.add((a0[k &+ 3], a1[k &+ 3], a2[k &+ 3], a3[k &+ 3]), b + 72, &r0, &r1, &r2, &r3)
          b += 96
          k &+= 4
        }
        while k < end {
          Row24.add((a0[k], a1[k], a2[k], a3[k]), b, &r0, &r1, &r2, &r3)
          b += 24
          k &+= 1
        }
      }
      finish4(row, r0, r1, r2, r3)
      row &+= 4
    }
  }

  /// Four rows of a left operand of few columns, until there are none.
  @inline(never)
  private func fewColumnsTilesOf4<R: TileRow>(_: R.Type, _ left: LeftOperand) {
    let stride = left.offsets.stride
    for row in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: 4) {
      var (r0, r1, r2, r3) = (R(), R(), R(), R())
      var (a, b) = (left.base + row, strip)
      for _ in 0..<inner {
        R.add((a[0], a[1], a[2], a[3]), b, &r0, &r1, &r2, &r3)
        a += stride
        b += R.stride
      }
      finish4(row, r0, r1, r2, r3)
    }
  }

  /// Whether a tile of so many rows has all of them and all columns. Where the inner dimension is short, storing takes as
  /// long as the products, so such tiles are stored without a question a row.
  @_transparent
  private func isWhole(_ row: Int, _ count: Int, _ width: Int) -> Bool {
    valid == width && row &+ count <= rows.upperBound
  }

  /// Stores a row of a whole tile.
  @_transparent
  private func put<R: TileRow>(_ accumulators: R, _ row: Int) {
    var sums = accumulators
    if target.accumulates { sums.add(target.addend(row, column)) }
    if let bias = target.bias { sums.add(bias + column) }
    let line = target.base + (target.offsets[row] &+ column)
    sums.store(line, streamed: target.streams)
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
  private func finish4<R: TileRow>(_ row: Int, _ r0: R, _ r1: R, _ r2: R, _ r3: R) {
    if isWhole(row, 4, R.width) {
      put(r0, row)
      put(r1, row &+ 1)
      put(r2, row &+ 2)
      put(r3, row &+ 3)
      return
    }
    finish(r0, row)
    finish(r1, row &+ 1)
    finish(r2, row &+ 2)
    finish(r3, row &+ 3)
  }

  @_transparent
  private func finish6<R: TileRow>(
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
      line, valid: valid, adding: target.accumulates ? target.addend(row, column) : nil,
      bias: target.bias.map { $0 + column })
  }
}

/// The accumulators of one row of a tile.
protocol TileRow {
  static var width: Int { get }
  /// From a row of a packed strip to the next.
  static var stride: Int { get }
  init()
  /// How many elements of the inner dimension stand in a row of a packed strip.
  static var depth: Int { get }
  /// Adds `a` times the `width` floats at `b`.
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>)
  /// Adds the products of `depth` elements with those of a row of a packed strip.
  mutating func add(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>)
  /// The same of the last, where the inner dimension is no multiple of `depth`.
  mutating func addLast(_ a: Float, _ b: UnsafePointer<Float>)
  /// Adds each of four times the `width` floats at `b` to a row of its own.
  static func add(
    _ a: (Float, Float, Float, Float), _ b: UnsafePointer<Float>, _ r0: inout Self,
    _ r1: inout Self,
    _ r2: inout Self, _ r3: inout Self)
  /// Adds as many others, one to each.
  mutating func add(_ others: UnsafePointer<Float>)
  /// Stores all `width` of them, past the caches where wanted and where they are whole lines.
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?)
}

@inline(__always)
private func finish(
  _ value: Vector, _ line: UnsafeMutablePointer<Float>, _ offset: Int, valid: Int,
  adding others: UnsafePointer<Float>?, bias: UnsafePointer<Float>?
) {
  let left = valid &- offset
  if left >= 16 {
    var sum = value
    if let others { sum += load(others + offset) }
    if let bias { sum += load(bias + offset) }
    Tensors.store(sum, line + offset)
  } else {
    guard left > 0 else { return }
    var sum = value
    if let others { sum += loadPartial(others + offset, left) }
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

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x += load(others)
    y += load(others + 16)
    z += load(others + 32)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    Tensors.store(x, line, streamed: streamed)
    Tensors.store(y, line + 16, streamed: streamed)
    Tensors.store(z, line + 32, streamed: streamed)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, adding: others, bias: bias)
    finish(y, line, 16, valid: valid, adding: others, bias: bias)
    finish(z, line, 32, valid: valid, adding: others, bias: bias)
  }
}

/// As many columns as leave four rows room in 32 registers. Strips so wide read a left operand less often, but have room in the
/// first-level cache only where the inner dimension is short.
struct Row80: TileRow {
  var (x0, x1, x2, x3, x4) = (Vector(), Vector(), Vector(), Vector(), Vector())
  @inline(__always) static var width: Int { 80 }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    let a = Vector(repeating: a)
    x0.addProduct(a, load(b))
    x1.addProduct(a, load(b + 16))
    x2.addProduct(a, load(b + 32))
    x3.addProduct(a, load(b + 48))
    x4.addProduct(a, load(b + 64))
  }

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x0 += load(others)
    x1 += load(others + 16)
    x2 += load(others + 32)
    x3 += load(others + 48)
    x4 += load(others + 64)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    Tensors.store(x0, line, streamed: streamed)
    Tensors.store(x1, line + 16, streamed: streamed)
    Tensors.store(x2, line + 32, streamed: streamed)
    Tensors.store(x3, line + 48, streamed: streamed)
    Tensors.store(x4, line + 64, streamed: streamed)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(x0, line, 0, valid: valid, adding: others, bias: bias)
    finish(x1, line, 16, valid: valid, adding: others, bias: bias)
    finish(x2, line, 32, valid: valid, adding: others, bias: bias)
    finish(x3, line, 48, valid: valid, adding: others, bias: bias)
    finish(x4, line, 64, valid: valid, adding: others, bias: bias)
  }
}

extension TileRow {
  static var stride: Int { width }
  @inline(__always) static var depth: Int { 1 }

  @_transparent
  mutating func add(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) { add(a[0], b) }

  @_transparent
  mutating func addLast(_ a: Float, _ b: UnsafePointer<Float>) { add(a, b) }

  @_transparent
  static func add(
    _ a: (Float, Float, Float, Float), _ b: UnsafePointer<Float>, _ r0: inout Self,
    _ r1: inout Self, _ r2: inout Self, _ r3: inout Self
  ) {
    r0.add(a.0, b)
    r1.add(a.1, b)
    r2.add(a.2, b)
    r3.add(a.3, b)
  }
}

/// The first 40 columns of a strip of 48, as many as a head of attention often has: half a vector may take half as long as a whole
/// one.
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

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x += load(others)
    y += load(others + 16)
    z += UnsafeRawPointer(others + 32).loadUnaligned(as: SIMD8<Float>.self)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    Tensors.store(x, line, streamed: streamed)
    Tensors.store(y, line + 16, streamed: streamed)
    UnsafeMutableRawPointer(line + 32).storeBytes(of: z, as: SIMD8<Float>.self)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, adding: others, bias: bias)
    finish(y, line, 16, valid: valid, adding: others, bias: bias)
    finish(
      Vector(lowHalf: z, highHalf: SIMD8()), line, 32, valid: valid, adding: others,
      bias: bias)
  }
}

/// The same from a strip that holds two elements of the inner dimension side by side, `[2][32]` and then the last eight columns
/// of both, in turns, so that no vector is half empty.
struct PairedRow40: TileRow {
  var (x, y) = (Vector(), Vector())
  /// In even lanes what the first of two elements adds to the last eight columns, in odd ones what the second does.
  var z = Vector()
  @inline(__always) static var width: Int { 40 }
  @inline(__always) static var stride: Int { 80 }
  @inline(__always) static var depth: Int { 2 }

  @_transparent
  mutating func add(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) {
    let (first, second) = (Vector(repeating: a[0]), Vector(repeating: a[1]))
    x.addProduct(first, load(b))
    y.addProduct(first, load(b + 16))
    x.addProduct(second, load(b + 32))
    y.addProduct(second, load(b + 48))
    let both = SIMD8<Double>(repeating: UnsafeRawPointer(a).loadUnaligned(as: Double.self))
    z.addProduct(unsafeBitCast(both, to: Vector.self), load(b + 64))
  }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) { addLast(a, b) }

  /// From a row `[32]` and the last eight columns.
  @_transparent
  mutating func addLast(_ a: Float, _ b: UnsafePointer<Float>) {
    let a = Vector(repeating: a)
    x.addProduct(a, load(b))
    y.addProduct(a, load(b + 16))
    z.evenHalf = z.evenHalf.addingProduct(a.lowHalf, loadHalf(b + 32))
  }

  @_transparent
  private var last: SIMD8<Float> { z.evenHalf + z.oddHalf }

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x += load(others)
    y += load(others + 16)
    z.evenHalf += loadHalf(others + 32)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    Tensors.store(x, line, streamed: streamed)
    Tensors.store(y, line + 16, streamed: streamed)
    storeHalf(last, line + 32)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, adding: others, bias: bias)
    finish(y, line, 16, valid: valid, adding: others, bias: bias)
    finish(
      Vector(lowHalf: last, highHalf: SIMD8()), line, 32, valid: valid, adding: others,
      bias: bias)
  }

  /// Whether a strip of so many columns, of which so many exist, is packed for this.
  @inline(__always)
  static func suits(stripWidth: Int, valid: Int, _ left: LeftOperand.Layout) -> Bool {
    processor_target_has_avx512() != 0 && !left.isPacked && stripWidth == 48 && valid <= width
  }

  /// Packs rows of 33 to 40 columns.
  static func pack(
    _ source: UnsafePointer<Float>, _ stride: Int, _ length: Int, valid: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    func last(_ line: UnsafePointer<Float>) -> SIMD8<Float> { read(line + 32, valid - 32).lowHalf }
    var place = target
    for k in Swift.stride(from: 0, to: length & ~1, by: 2) {
      let (first, second) = (source + k * stride, source + (k + 1) * stride)
      Tensors.store(load(first), place)
      Tensors.store(load(first + 16), place + 16)
      Tensors.store(load(second), place + 32)
      Tensors.store(load(second + 16), place + 48)
      var both = Vector()
      both.evenHalf = last(first)
      both.oddHalf = last(second)
      Tensors.store(both, place + 64)
      place += Self.stride
    }
    if length & 1 != 0 {
      let line = source + (length - 1) * stride
      Tensors.store(load(line), place)
      Tensors.store(load(line + 16), place + 16)
      storeHalf(last(line), place + 32)
    }
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

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x += load(others)
    y += load(others + 16)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    Tensors.store(x, line, streamed: streamed)
    Tensors.store(y, line + 16, streamed: streamed)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, adding: others, bias: bias)
    finish(y, line, 16, valid: valid, adding: others, bias: bias)
  }
}

struct Row16: TileRow {
  var x = Vector()
  static var width: Int { 16 }

  @inline(__always)
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    x.addProduct(Vector(repeating: a), load(b))
  }

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x += load(others)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    Tensors.store(x, line, streamed: streamed)
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(x, line, 0, valid: valid, adding: others, bias: bias)
  }
}

struct Row24: TileRow {
  var (x, y, z) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>())
  static var width: Int { 24 }

  @_transparent
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>) {
    add(a, loadHalf(b), loadHalf(b + 8), loadHalf(b + 16))
  }

  /// With each vector at `b` in one register for the four rows.
  @_transparent
  static func add(
    _ a: (Float, Float, Float, Float), _ b: UnsafePointer<Float>, _ r0: inout Self,
    _ r1: inout Self, _ r2: inout Self, _ r3: inout Self
  ) {
    let (b0, b1, b2) = (loadHalf(b), loadHalf(b + 8), loadHalf(b + 16))
    r0.add(a.0, b0, b1, b2)
    r1.add(a.1, b0, b1, b2)
    r2.add(a.2, b0, b1, b2)
    r3.add(a.3, b0, b1, b2)
  }

  @_transparent
  mutating func add(_ a: Float, _ b0: SIMD8<Float>, _ b1: SIMD8<Float>, _ b2: SIMD8<Float>) {
    let a = SIMD8(repeating: a)
    x.addProduct(a, b0)
    y.addProduct(a, b1)
    z.addProduct(a, b2)
  }

  @_transparent
  mutating func add(_ others: UnsafePointer<Float>) {
    x += loadHalf(others)
    y += loadHalf(others + 8)
    z += loadHalf(others + 16)
  }

  @_transparent
  func store(_ line: UnsafeMutablePointer<Float>, streamed: Bool) {
    // One and a half lines of memory: the half waits in a cache for what the strip beside this one has of it.
    if !streamed {
      storeHalf(x, line)
      storeHalf(y, line + 8)
      storeHalf(z, line + 16)
    } else if UInt(bitPattern: line) & 63 == 0 {
      processor_stream(line, Vector(lowHalf: x, highHalf: y))
      storeHalf(z, line + 16)
    } else {
      storeHalf(x, line)
      processor_stream(line + 8, Vector(lowHalf: y, highHalf: z))
    }
  }

  @inline(__always)
  func store(
    _ line: UnsafeMutablePointer<Float>, valid: Int, adding others: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?
  ) {
    finish(Vector(lowHalf: x, highHalf: y), line, 0, valid: valid, adding: others, bias: bias)
    finish(
      Vector(lowHalf: z, highHalf: SIMD8()), line, 16, valid: valid, adding: others, bias: bias)
  }
}
