// The products of few tiles in registers: of a row of six elements, four tiles at once, in 24 registers of 512 bits. Where
// there are sixteen, of 256 bits, it is two of the elements at once, of half as many columns.

import CProcessor

/// Four vectors that products are added to.
struct FourVectors {
  var (x0, x1, x2, x3): (Vector, Vector, Vector, Vector)

  /// Zeros.
  @_transparent
  init() { (x0, x1, x2, x3) = (Vector(), Vector(), Vector(), Vector()) }

  @_transparent
  init(_ p: UnsafePointer<Float>) {
    (x0, x1, x2, x3) = (load(p), load(p + 16), load(p + 32), load(p + 48))
  }

  /// Adds `v` times each of four numbers.
  @_transparent
  mutating func add(_ v: Vector, _ a: UnsafePointer<Float>) {
    x0.addProduct(v, Vector(repeating: a[0]))
    x1.addProduct(v, Vector(repeating: a[1]))
    x2.addProduct(v, Vector(repeating: a[2]))
    x3.addProduct(v, Vector(repeating: a[3]))
  }

  /// Adds four vectors times `v`, and to others the same four times `w`.
  @_transparent
  mutating func add(
    vectors a: UnsafePointer<Float>, _ v: Vector, to others: inout FourVectors, _ w: Vector
  ) {
    let (a0, a1, a2, a3) = (load(a), load(a + 16), load(a + 32), load(a + 48))
    x0.addProduct(v, a0)
    others.x0.addProduct(w, a0)
    x1.addProduct(v, a1)
    others.x1.addProduct(w, a1)
    x2.addProduct(v, a2)
    others.x2.addProduct(w, a2)
    x3.addProduct(v, a3)
    others.x3.addProduct(w, a3)
  }

  @_transparent
  func put(_ p: UnsafeMutablePointer<Float>) { put(p, stride: 16) }

  @_transparent
  func put(_ p: UnsafeMutablePointer<Float>, stride: Int) {
    store(x0, p)
    store(x1, p + stride)
    store(x2, p + 2 &* stride)
    store(x3, p + 3 &* stride)
  }
}

/// The same of half a vector each, which stand a whole one apart.
struct FourHalves {
  var (x0, x1, x2, x3): (SIMD8<Float>, SIMD8<Float>, SIMD8<Float>, SIMD8<Float>)

  /// Zeros.
  @_transparent
  init() { (x0, x1, x2, x3) = (SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>(), SIMD8<Float>()) }

  @_transparent
  init(_ p: UnsafePointer<Float>) {
    (x0, x1, x2, x3) = (loadHalf(p), loadHalf(p + 16), loadHalf(p + 32), loadHalf(p + 48))
  }

  @_transparent
  mutating func add(_ v: SIMD8<Float>, _ a: UnsafePointer<Float>) {
    x0.addProduct(v, SIMD8(repeating: a[0]))
    x1.addProduct(v, SIMD8(repeating: a[1]))
    x2.addProduct(v, SIMD8(repeating: a[2]))
    x3.addProduct(v, SIMD8(repeating: a[3]))
  }

  @_transparent
  mutating func add(
    vectors a: UnsafePointer<Float>, _ v: SIMD8<Float>, to others: inout FourHalves,
    _ w: SIMD8<Float>
  ) {
    let (a0, a1, a2, a3) = (loadHalf(a), loadHalf(a + 16), loadHalf(a + 32), loadHalf(a + 48))
    x0.addProduct(v, a0)
    others.x0.addProduct(w, a0)
    x1.addProduct(v, a1)
    others.x1.addProduct(w, a1)
    x2.addProduct(v, a2)
    others.x2.addProduct(w, a2)
    x3.addProduct(v, a3)
    others.x3.addProduct(w, a3)
  }

  @_transparent
  func put(_ p: UnsafeMutablePointer<Float>) { put(p, stride: 16) }

  @_transparent
  func put(_ p: UnsafeMutablePointer<Float>, stride: Int) {
    storeHalf(x0, p)
    storeHalf(x1, p + stride)
    storeHalf(x2, p + 2 &* stride)
    storeHalf(x3, p + 3 &* stride)
  }
}

/// The first half of the transform of kernels `[3][3][16]`, along their columns.
private protocol HalfTransform {
  func column(_ w: UnsafePointer<Float>) -> Vector
}

private struct EndOfKernel: HalfTransform {
  @_transparent
  func column(_ w: UnsafePointer<Float>) -> Vector { load(w) }
}

private struct KernelAtPoint: HalfTransform {
  private let point: Vector
  private let square: Vector

  @_transparent
  init(_ point: Float) {
    self.point = Vector(repeating: point)
    square = Vector(repeating: point * point)
  }

  @_transparent
  func column(_ w: UnsafePointer<Float>) -> Vector {
    load(w).addingProduct(load(w + 96), square).addingProduct(load(w + 48), point)
  }
}

extension FewTiles {
  // MARK: - With registers of 512 bits

  /// Adds the products of a row of elements of a group of tiles with sixteen columns.
  ///
  /// - Parameters:
  ///   - taps: kernels, `[count][9][16]`.
  ///   - left: transformed inputs, `[count / 4][6][4][tile]`.
  ///   - sums: `[6][tile][16]`.
  @inline(__always)
  static func multiply(
    _ taps: UnsafePointer<Float>, row: Int, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    switch row {
    case 0: multiplyEnd(taps, left, count, into: sums, rows)
    case 1: multiplyPoint(Winograd.near, taps, left, count, into: sums, rows)
    case 2: multiplyPoint(-Winograd.near, taps, left, count, into: sums, rows)
    case 3: multiplyPoint(Winograd.far, taps, left, count, into: sums, rows)
    case 4: multiplyPoint(-Winograd.far, taps, left, count, into: sums, rows)
    default: multiplyEnd(taps + 6 * 16, left, count, into: sums, rows)
    }
  }

  /// A row at 0 or infinity, which is that of the first or the last three taps.
  @inline(never)
  private static func multiplyEnd(
    _ taps: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    multiplySix(taps, left, count, into: sums, rows, half: EndOfKernel())
  }

  @inline(never)
  private static func multiplyPoint(
    _ point: Float, _ taps: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    multiplySix(taps, left, count, into: sums, rows, half: KernelAtPoint(point))
  }

  @inline(__always)
  private static func multiplySix<H: HalfTransform>(
    _ taps: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead, half: H
  ) {
    var (r0, r1, r2) = (FourVectors(sums), FourVectors(sums + 64), FourVectors(sums + 128))
    var (r3, r4, r5) = (FourVectors(sums + 192), FourVectors(sums + 256), FourVectors(sums + 320))
    var (w, a, k, rows) = (taps, left, 0, rows)
    while k < count {
      for _ in 0..<4 {
        rows.ask(step: k)
        let (w0, w1, w2) = (half.column(w), half.column(w + 16), half.column(w + 32))
        r0.add(w0, a)
        r5.add(w2, a + 5 &* elementStride)
        let even = w0.addingProduct(w2, Vector(repeating: Winograd.near * Winograd.near))
        r1.add(even.addingProduct(w1, Vector(repeating: Winograd.near)), a + elementStride)
        r2.add(even.addingProduct(w1, Vector(repeating: -Winograd.near)), a + 2 &* elementStride)
        let others = w0.addingProduct(w2, Vector(repeating: Winograd.far * Winograd.far))
        r3.add(others.addingProduct(w1, Vector(repeating: Winograd.far)), a + 3 &* elementStride)
        r4.add(others.addingProduct(w1, Vector(repeating: -Winograd.far)), a + 4 &* elementStride)
        w += KernelStrips.kernelCount
        a += group
        k &+= 1
      }
      a += quadCount - elementStride
    }
    r0.put(sums)
    r1.put(sums + 64)
    r2.put(sums + 128)
    r3.put(sums + 192)
    r4.put(sums + 256)
    r5.put(sums + 320)
  }

  /// Half transformed weights of a row of elements, `[3][16]` for each channel, channels `stride` apart.
  struct HalfRow {
    var base: UnsafePointer<Float>
    var stride: Int
  }

  /// Half transformed weights of a row of elements, in the kernels themselves or put into memory.
  ///
  /// - Parameters:
  ///   - taps: kernels, `[count][9][16]`.
  ///   - target: room for `[count][3][16]`.
  @inline(__always)
  static func transformRow(
    _ row: Int, _ taps: UnsafePointer<Float>, _ count: Int,
    into target: UnsafeMutablePointer<Float>
  ) -> HalfRow {
    switch row {
    case 0: return HalfRow(base: taps, stride: KernelStrips.kernelCount)
    case 1: transformRow(at: Winograd.near, taps, count, into: target)
    case 2: transformRow(at: -Winograd.near, taps, count, into: target)
    case 3: transformRow(at: Winograd.far, taps, count, into: target)
    case 4: transformRow(at: -Winograd.far, taps, count, into: target)
    default: return HalfRow(base: taps + 6 * 16, stride: KernelStrips.kernelCount)
    }
    return HalfRow(base: UnsafePointer(target), stride: 48)
  }

  @inline(never)
  private static func transformRow(
    at point: Float, _ taps: UnsafePointer<Float>, _ count: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    let half = KernelAtPoint(point)
    for k in 0..<count {
      let (w, place) = (taps + k &* KernelStrips.kernelCount, target + k &* 48)
      store(half.column(w), place)
      store(half.column(w + 16), place + 16)
      store(half.column(w + 32), place + 32)
    }
  }

  /// Adds the products of a row of elements of two groups of tiles with sixteen columns, half of the elements after the other: the
  /// second half of the weights' transform serves eight tiles then.
  ///
  /// - Parameters:
  ///   - half: half transformed weights.
  ///   - left, sums: of either group.
  @inline(__always)
  static func multiplyPair(
    _ half: HalfRow, _ left: (UnsafePointer<Float>, UnsafePointer<Float>),
    _ count: Int, into sums: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>),
    _ rows: (KernelsAhead, KernelsAhead)
  ) {
    multiplyFirst(half, left.0, left.1, count, into: sums.0, sums.1, rows.0)
    multiplyLast(half, left.0, left.1, count, into: sums.0, sums.1, rows.1)
  }

  /// The elements at 0 and at the near points.
  @inline(never)
  private static func multiplyFirst(
    _ half: HalfRow, _ left: UnsafePointer<Float>, _ others: UnsafePointer<Float>,
    _ count: Int, into sums: UnsafeMutablePointer<Float>, _ otherSums: UnsafeMutablePointer<Float>,
    _ rows: KernelsAhead
  ) {
    multiplyThree(
      half, end: 0, point: Winograd.near, elements: (0, 1, 2), left, others, count, into: sums,
      otherSums, rows)
  }

  /// The elements at the far points and at infinity.
  @inline(never)
  private static func multiplyLast(
    _ half: HalfRow, _ left: UnsafePointer<Float>, _ others: UnsafePointer<Float>,
    _ count: Int, into sums: UnsafeMutablePointer<Float>, _ otherSums: UnsafeMutablePointer<Float>,
    _ rows: KernelsAhead
  ) {
    multiplyThree(
      half, end: 32, point: Winograd.far, elements: (5, 3, 4), left, others, count, into: sums,
      otherSums, rows)
  }

  /// Three of the elements of a row: one that is a column of the half transformed weights, and those at a point and at minus it.
  @inline(__always)
  private static func multiplyThree(
    _ half: HalfRow, end: Int, point: Float, elements: (Int, Int, Int),
    _ left: UnsafePointer<Float>, _ others: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ otherSums: UnsafeMutablePointer<Float>,
    _ rows: KernelsAhead
  ) {
    let (e0, e1, e2) = (elements.0 &* 64, elements.1 &* 64, elements.2 &* 64)
    var (r0, r1, r2) = (FourVectors(sums + e0), FourVectors(sums + e1), FourVectors(sums + e2))
    var (s0, s1, s2) = (
      FourVectors(otherSums + e0), FourVectors(otherSums + e1), FourVectors(otherSums + e2)
    )
    let (l0, l1, l2) = (
      elements.0 &* elementStride, elements.1 &* elementStride, elements.2 &* elementStride
    )
    var (w, a, b, k, rows) = (half.base, left, others, 0, rows)
    while k < count {
      for _ in 0..<4 {
        rows.ask(step: k)
        let v0 = load(w + end)
        r0.add(v0, a + l0)
        s0.add(v0, b + l0)
        let (even, odd) = (
          load(w).addingProduct(load(w + 32), Vector(repeating: point * point)), load(w + 16)
        )
        let v1 = even.addingProduct(odd, Vector(repeating: point))
        r1.add(v1, a + l1)
        s1.add(v1, b + l1)
        let v2 = even.addingProduct(odd, Vector(repeating: -point))
        r2.add(v2, a + l2)
        s2.add(v2, b + l2)
        w += half.stride
        a += group
        b += group
        k &+= 1
      }
      a += quadCount - elementStride
      b += quadCount - elementStride
    }
    r0.put(sums + e0)
    r1.put(sums + e1)
    r2.put(sums + e2)
    s0.put(otherSums + e0)
    s1.put(otherSums + e1)
    s2.put(otherSums + e2)
  }

  // MARK: - With registers of 256 bits

  /// The same with half transformed weights, `[count][3][16]`.
  /// - Parameter nothing: what all loops but the first ask for.
  @inline(__always)
  static func multiply(
    _ half: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead, then nothing: KernelsAhead
  ) {
    for column in [0, 8] {
      multiplyOuter(
        half + column, left, count, into: sums + column, column == 0 ? rows : nothing)
      multiplyNear(half + column, left, count, into: sums + column, nothing)
      multiplyFar(half + column, left, count, into: sums + column, nothing)
    }
  }

  /// The elements at 0 and at infinity, of eight columns.
  @inline(never)
  private static func multiplyOuter(
    _ half: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    var (r0, r5) = (FourHalves(sums), FourHalves(sums + 320))
    var (w, a, k, rows) = (half, left, 0, rows)
    while k < count {
      for _ in 0..<4 {
        rows.ask(step: k)
        r0.add(loadHalf(w), a)
        r5.add(loadHalf(w + 32), a + 5 &* elementStride)
        w += 48
        a += group
        k &+= 1
      }
      a += quadCount - elementStride
    }
    r0.put(sums)
    r5.put(sums + 320)
  }

  /// The elements at a point and at minus it, of eight columns.
  @inline(__always)
  private static func multiplyPair(
    _ point: Float, _ half: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    var (plus, minus) = (FourHalves(sums), FourHalves(sums + 64))
    let (factor, square) = (SIMD8(repeating: point), SIMD8(repeating: point * point))
    var (w, a, k, rows) = (half, left, 0, rows)
    while k < count {
      for _ in 0..<4 {
        rows.ask(step: k)
        let even = loadHalf(w).addingProduct(loadHalf(w + 32), square)
        let odd = loadHalf(w + 16) * factor
        plus.add(even + odd, a)
        minus.add(even - odd, a + elementStride)
        w += 48
        a += group
        k &+= 1
      }
      a += quadCount - elementStride
    }
    plus.put(sums)
    minus.put(sums + 64)
  }

  @inline(never)
  private static func multiplyNear(
    _ half: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    multiplyPair(Winograd.near, half, left + elementStride, count, into: sums + 64, rows)
  }

  @inline(never)
  private static func multiplyFar(
    _ half: UnsafePointer<Float>, _ left: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ rows: KernelsAhead
  ) {
    multiplyPair(Winograd.far, half, left + 3 &* elementStride, count, into: sums + 192, rows)
  }

  // MARK: - The gradient by the weights

  /// The six elements of a row, of one channel of the input.
  private struct SixVectors {
    var (x0, x1, x2, x3, x4, x5) = (Vector(), Vector(), Vector(), Vector(), Vector(), Vector())

    /// Adds the products with a tile's six elements.
    @_transparent
    mutating func add(
      _ m: (Vector, Vector, Vector, Vector, Vector, Vector), _ a: UnsafePointer<Float>
    ) {
      x0.addProduct(m.0, Vector(repeating: a[0]))
      x1.addProduct(m.1, Vector(repeating: a[elementStride]))
      x2.addProduct(m.2, Vector(repeating: a[2 &* elementStride]))
      x3.addProduct(m.3, Vector(repeating: a[3 &* elementStride]))
      x4.addProduct(m.4, Vector(repeating: a[4 &* elementStride]))
      x5.addProduct(m.5, Vector(repeating: a[5 &* elementStride]))
    }

    /// Gᵀ u without the factors.
    @_transparent
    func put(_ p: UnsafeMutablePointer<Float>) {
      let taps = weightsAdjoint((x0, x1, x2, x3, x4, x5))
      store(taps.0, p)
      store(taps.1, p + 16)
      store(taps.2, p + 32)
    }
  }

  /// Gᵀ u without the factors of `scale`.
  @_transparent
  private static func weightsAdjoint(
    _ u: (Vector, Vector, Vector, Vector, Vector, Vector)
  ) -> (Vector, Vector, Vector) {
    let (s, d) = (u.1 + u.2, u.1 - u.2)
    let (p, q) = (u.3 + u.4, u.3 - u.4)
    let (near, far) = (Vector(repeating: Winograd.near), Vector(repeating: Winograd.far))
    return (
      u.0 + s + p,
      near * d + far * q,
      u.5 + Vector(repeating: Winograd.near * Winograd.near) * s
        + Vector(repeating: Winograd.far * Winograd.far) * p
    )
  }

  /// Half of the gradient of four channels of the input and sixteen columns, from a row of elements.
  ///
  /// - Parameters:
  ///   - left: transformed inputs, `[group][6][channel][tile]`, groups `groupStride` apart.
  ///   - right: transformed gradients, `[6][tile][16]`, elements `rightStride` apart.
  ///   - half: `[channel][3][16]`, channels 288 apart.
  @inline(never)
  private static func multiplySix(
    _ left: UnsafePointer<Float>, groupStride: Int, _ right: UnsafePointer<Float>,
    _ rightStride: Int, tiles: Int, into half: UnsafeMutablePointer<Float>
  ) {
    var (r0, r1, r2, r3) = (SixVectors(), SixVectors(), SixVectors(), SixVectors())
    var (a, m) = (left, right)
    @inline(__always)
    func add(_ tile: Int) {
      let m = m + tile &* 16
      let six = (
        load(m), load(m + rightStride), load(m + 2 &* rightStride),
        load(m + 3 &* rightStride), load(m + 4 &* rightStride), load(m + 5 &* rightStride)
      )
      r0.add(six, a + tile)
      r1.add(six, a + (group &+ tile))
      r2.add(six, a + (2 &* group &+ tile))
      r3.add(six, a + (3 &* group &+ tile))
    }
    var rest = tiles
    while rest >= group {
      add(0)
      add(1)
      add(2)
      add(3)
      a += groupStride
      m += group &* 16
      rest &-= group
    }
    for tile in 0..<rest { add(tile) }
    r0.put(half)
    r1.put(half + 288)
    r2.put(half + 576)
    r3.put(half + 864)
  }

  /// Three of the elements of a row, of one channel of the input.
  private struct ThreeVectors {
    var (x0, x1, x2) = (Vector(), Vector(), Vector())

    @_transparent
    mutating func add(_ m: (Vector, Vector, Vector), _ a: UnsafePointer<Float>) {
      x0.addProduct(m.0, Vector(repeating: a[0]))
      x1.addProduct(m.1, Vector(repeating: a[elementStride]))
      x2.addProduct(m.2, Vector(repeating: a[2 &* elementStride]))
    }

    /// What the elements at 0 and the near points add to Gᵀ u.
    @_transparent
    func putNear(_ p: UnsafeMutablePointer<Float>) {
      let (s, d) = (x1 + x2, x1 - x2)
      store(x0 + s, p)
      store(d * Vector(repeating: Winograd.near), p + 16)
      store(s * Vector(repeating: Winograd.near * Winograd.near), p + 32)
    }

    /// The same of those at the far points and infinity, added to what is there.
    @_transparent
    func addFar(_ p: UnsafeMutablePointer<Float>) {
      let (s, d) = (x0 + x1, x0 - x1)
      store(load(p) + s, p)
      store(load(p + 16) + d * Vector(repeating: Winograd.far), p + 16)
      store(
        load(p + 32) + x2 + s * Vector(repeating: Winograd.far * Winograd.far), p + 32)
    }
  }

  /// The same as `multiplySix` of two channels, in halves of the row.
  @inline(never)
  private static func multiplyThrees(
    _ left: UnsafePointer<Float>, groupStride: Int, _ right: UnsafePointer<Float>,
    _ rightStride: Int, tiles: Int, into half: UnsafeMutablePointer<Float>
  ) {
    @inline(__always)
    func sums(_ element: Int) -> (ThreeVectors, ThreeVectors) {
      var (r0, r1) = (ThreeVectors(), ThreeVectors())
      for first in stride(from: 0, to: tiles, by: group) {
        var a = left + ((first / group) &* groupStride &+ element &* elementStride)
        var m = right + (element &* rightStride &+ first &* 16)
        for _ in 0..<min(group, tiles &- first) {
          let three = (load(m), load(m + rightStride), load(m + 2 &* rightStride))
          r0.add(three, a)
          r1.add(three, a + group)
          a += 1
          m += 16
        }
      }
      return (r0, r1)
    }
    let near = sums(0)
    near.0.putNear(half)
    near.1.putNear(half + 288)
    let far = sums(3)
    far.0.addFar(half)
    far.1.addFar(half + 288)
  }

  /// Floats of a half transformed gradient, of a row and sixteen columns.
  static let halfGradientCount = 288

  /// The gradient of some rows and sixteen columns, all taps.
  ///
  /// - Parameters:
  ///   - left: transformed inputs, as `gather` puts them.
  ///   - right: transformed gradients, `[element][group][tile][16]`.
  ///   - rows: a multiple of four.
  ///   - half: room for ``halfGradientCount`` floats for each row.
  ///   - target: `[row][9][16]`.
  @inline(never)
  static func multiplyGradients(
    _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, rows: Int, tiles: Int,
    by half: UnsafeMutablePointer<Float>, into target: UnsafeMutablePointer<Float>
  ) {
    let groups = (tiles &+ group &- 1) / group
    let rightStride = groups &* group &* 16
    let groupStride = quadCount
    var a = left
    for row in 0..<6 {
      let elements = right + row &* 6 &* rightStride
      for first in stride(from: 0, to: rows, by: 4) {
        let place = half + (first &* 288 &+ row &* 48)
        if processor_target_has_avx512() != 0 {
          multiplySix(
            a, groupStride: groupStride, elements, rightStride, tiles: tiles, into: place)
        } else {
          for pair in [0, 2] {
            multiplyThrees(
              a + pair &* group, groupStride: groupStride, elements, rightStride, tiles: tiles,
              into: place + pair &* 288)
          }
        }
        a += groups &* groupStride
      }
    }
    for row in 0..<rows {
      let line = target + row &* KernelStrips.kernelCount
      for column in 0..<3 {
        let p = UnsafePointer(half) + (row &* 288 &+ column &* 16)
        let taps = weightsAdjoint(
          (load(p), load(p + 48), load(p + 96), load(p + 144), load(p + 192), load(p + 240)))
        store(taps.0, line + column &* 16)
        store(taps.1, line + (3 &+ column) &* 16)
        store(taps.2, line + (6 &+ column) &* 16)
      }
    }
  }
}
