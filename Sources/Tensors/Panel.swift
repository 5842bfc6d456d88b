// The register tiles of the matrix product: eight rows of 48 columns where vectors have 512 bits, six of 16 elsewhere, and twelve
// of up to 8.

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
      var row = rows.lowerBound
      if valid <= 8 {
        let twelves = rows.count / 12 * 12
        if twelves > 0 { tilesOf12(left, row..<(row + twelves)) }
        row += twelves
      }
      let whole = Self.rowsInSixes(rows.upperBound - row)
      if whole > 0 { tilesOf6(Row16.self, left, row..<(row + whole)) }
      row += whole
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
      let twelves = valid <= 8 ? rows.count / 12 * 12 : 0
      if twelves > 0 { packedTilesOf12(packed, rows.lowerBound..<(rows.lowerBound + twelves)) }
      if twelves < rows.count {
        packedTilesOf6(Row16.self, packed + twelves &* inner, rows.lowerBound + twelves)
      }
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
  private func packedTilesOf6<R: TileRow>(
    _: R.Type, _ packed: UnsafePointer<Float>, _ first: Int
  ) {
    var (row, a) = (first, packed)
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

  /// Twice as many rows of up to eight columns, as the last ones of a head of attention.
  @inline(never)
  private func tilesOf12(_ left: LeftOperand, _ range: Range<Int>) {
    var row = range.lowerBound
    while row < range.upperBound {
      @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
        left.base + left.offsets[row &+ i]
      }
      var (r0, r1, r2, r3, r4, r5) = (Row8(), Row8(), Row8(), Row8(), Row8(), Row8())
      var (r6, r7, r8, r9, r10, r11) = (Row8(), Row8(), Row8(), Row8(), Row8(), Row8())
      let (s0, s1, s2, s3, s4, s5) = (start(0), start(1), start(2), start(3), start(4), start(5))
      let (s6, s7, s8, s9) = (start(6), start(7), start(8), start(9))
      let (s10, s11) = (start(10), start(11))
      var b = strip
      for piece in pieces {
        var k = piece.left
        let end = k &+ piece.length
        while k < end {
          let v = loadHalf(b)
          r0.add(s0[k], v)
          r1.add(s1[k], v)
          r2.add(s2[k], v)
          r3.add(s3[k], v)
          r4.add(s4[k], v)
          r5.add(s5[k], v)
          r6.add(s6[k], v)
          r7.add(s7[k], v)
          r8.add(s8[k], v)
          r9.add(s9[k], v)
          r10.add(s10[k], v)
          r11.add(s11[k], v)
          b += Row16.stride
          k &+= 1
        }
      }
      finish12(row, (r0, r1, r2, r3, r4, r5), (r6, r7, r8, r9, r10, r11))
      row &+= 12
    }
  }

  @inline(never)
  private func packedTilesOf12(_ packed: UnsafePointer<Float>, _ range: Range<Int>) {
    var (row, a) = (range.lowerBound, packed)
    let second = 6 &* inner
    while row < range.upperBound {
      var (r0, r1, r2, r3, r4, r5) = (Row8(), Row8(), Row8(), Row8(), Row8(), Row8())
      var (r6, r7, r8, r9, r10, r11) = (Row8(), Row8(), Row8(), Row8(), Row8(), Row8())
      var (b, k) = (strip, 0)
      while k < inner {
        let v = loadHalf(b)
        r0.add(a[0], v)
        r1.add(a[1], v)
        r2.add(a[2], v)
        r3.add(a[3], v)
        r4.add(a[4], v)
        r5.add(a[5], v)
        r6.add(a[second], v)
        r7.add(a[second &+ 1], v)
        r8.add(a[second &+ 2], v)
        r9.add(a[second &+ 3], v)
        r10.add(a[second &+ 4], v)
        r11.add(a[second &+ 5], v)
        a += 6
        b += Row16.stride
        k &+= 1
      }
      finish12(row, (r0, r1, r2, r3, r4, r5), (r6, r7, r8, r9, r10, r11))
      row &+= 12
      a += second
    }
  }

  @_transparent
  private func finish12(
    _ row: Int, _ first: (Row8, Row8, Row8, Row8, Row8, Row8),
    _ second: (Row8, Row8, Row8, Row8, Row8, Row8)
  ) {
    finish(first.0, row)
    finish(first.1, row &+ 1)
    finish(first.2, row &+ 2)
    finish(first.3, row &+ 3)
    finish(first.4, row &+ 4)
    finish(first.5, row &+ 5)
    finish(second.0, row &+ 6)
    finish(second.1, row &+ 7)
    finish(second.2, row &+ 8)
    finish(second.3, row &+ 9)
    finish(second.4, row &+ 10)
    finish(second.5, row &+ 11)
  }

  /// Stores a row of up to eight columns.
  @_transparent
  private func finish(_ accumulators: Row8, _ row: Int) {
    guard valid == 8 else {
      return finish(
        Row16(x: Vector(lowHalf: accumulators.x, highHalf: SIMD8())), row)
    }
    var sums = accumulators.x
    if target.accumulates { sums += loadHalf(target.addend(row, column)) }
    if let bias = target.bias { sums += loadHalf(bias + column) }
    storeHalf(sums, target.base + (target.offsets[row] &+ column))
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
  /// Adds `a` times the `width` floats at `b`.
  mutating func add(_ a: Float, _ b: UnsafePointer<Float>)
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

/// Half of a row of a tile.
private struct Row8 {
  var x = SIMD8<Float>()

  @_transparent
  mutating func add(_ a: Float, _ v: SIMD8<Float>) {
    x.addProduct(SIMD8(repeating: a), v)
  }
}
