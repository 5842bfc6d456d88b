// The vector type that kernels are written in, and the functions on it that the standard library lacks.
//
// They are transparent, not merely inlined: the optimiser stops inlining in large kernels, and a call in a loop over
// vectors passes them through memory.

import CProcessor

/// Sixteen floats: one AVX-512 register, or two of AVX2.
typealias Vector = SIMD16<Float>

/// How far apart blocks of `count` floats are put that a kernel uses at once, as the elements of a transform or the rows of a
/// tile: at a multiple of 4 KiB, or of a small part of it, they would fight for the same places of the first-level cache.
@_transparent
func spread(_ count: Int) -> Int { count + 16 }

@_transparent
func load(_ pointer: UnsafePointer<Float>) -> Vector {
  UnsafeRawPointer(pointer).loadUnaligned(as: Vector.self)
}

@_transparent
func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: Vector.self)
}

@_transparent
func loadHalf(_ pointer: UnsafePointer<Float>) -> SIMD8<Float> {
  UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
}

@_transparent
func storeHalf(_ vector: SIMD8<Float>, _ pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: SIMD8<Float>.self)
}

/// Stores at a multiple of 64 bytes, past the caches where wanted; see ``Tensor/isStreamed``.
@_transparent
func store(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, streamed: Bool) {
  if streamed { processor_stream(pointer, vector) } else { store(vector, pointer) }
}

/// The first `count` floats at `pointer`, then zeros.
@_transparent
func loadPartial(_ pointer: UnsafePointer<Float>, _ count: Int) -> Vector {
  // In halves, not lane by lane: a lane chosen at run time sends the vector through memory.
  var (vector, offset) = (Vector(), 0)
  if count & 8 != 0 {
    vector.lowHalf = UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
    offset = 8
  }
  var eight = SIMD8<Float>()
  var rest = offset
  if count & 4 != 0 {
    eight.lowHalf = UnsafeRawPointer(pointer + rest).loadUnaligned(as: SIMD4<Float>.self)
    rest += 4
  }
  var four = SIMD4<Float>()
  var last = rest
  if count & 2 != 0 {
    four.lowHalf = UnsafeRawPointer(pointer + last).loadUnaligned(as: SIMD2<Float>.self)
    last += 2
  }
  if count & 1 != 0 {
    if count & 2 != 0 { four.z = pointer[last] } else { four.x = pointer[last] }
  }
  if count & 4 != 0 { eight.highHalf = four } else { eight.lowHalf = four }
  if count & 8 != 0 { vector.highHalf = eight } else { vector.lowHalf = eight }
  return vector
}

@_transparent
func storePartial(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, _ count: Int) {
  var target = UnsafeMutableRawPointer(pointer)
  var eight = vector.lowHalf
  if count & 8 != 0 {
    target.storeBytes(of: eight, as: SIMD8<Float>.self)
    target += 32
    eight = vector.highHalf
  }
  var four = eight.lowHalf
  if count & 4 != 0 {
    target.storeBytes(of: four, as: SIMD4<Float>.self)
    target += 16
    four = eight.highHalf
  }
  var two = four.lowHalf
  if count & 2 != 0 {
    target.storeBytes(of: two, as: SIMD2<Float>.self)
    target += 8
    two = four.highHalf
  }
  if count & 1 != 0 { target.storeBytes(of: two.x, as: Float.self) }
}

/// The numbers 0 to 15, one in each lane. Floats, for a comparison of integers goes lane by lane, through memory.
@_transparent
var laneNumbers: Vector { Vector(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }

extension SIMD16 where Scalar == Float {
  /// The first `count` lanes, and `value` in the others.
  @_transparent
  func first(_ count: Int, otherwise value: Float) -> Self {
    replacing(with: value, where: laneNumbers .>= Vector(repeating: Float(count)))
  }
}

/// Calls `body(offset, count)` for consecutive runs of at most sixteen elements.
@inline(__always)
func forEachVector(_ range: Range<Int>, _ body: (Int, Int) -> Void) {
  var index = range.lowerBound
  while index &+ 16 <= range.upperBound {
    body(index, 16)
    index &+= 16
  }
  if index < range.upperBound { body(index, range.upperBound &- index) }
}

@_transparent
func read(_ pointer: UnsafePointer<Float>, _ count: Int) -> Vector {
  count == 16 ? load(pointer) : loadPartial(pointer, count)
}

@_transparent
func write(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, _ count: Int) {
  if count == 16 { store(vector, pointer) } else { storePartial(vector, pointer, count) }
}

/// Writes past the caches what fills a line, if wanted; see ``Tensor/isStreamed``.
@_transparent
func write(
  _ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, _ count: Int, streamed: Bool
) {
  if streamed, count == 16, UInt(bitPattern: pointer) & 63 == 0 {
    processor_stream(pointer, vector)
  } else {
    write(vector, pointer, count)
  }
}

extension SIMD16 where Scalar == Float {
  /// The sum of the lanes, halving, which is both faster and more exact than one after the other.
  @_transparent
  var total: Float {
    let eight = lowHalf + highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
  }

  @_transparent
  var largest: Float {
    let eight = lowHalf.larger(highHalf)
    let four = eight.lowHalf.larger(eight.highHalf)
    return Swift.max(Swift.max(four.x, four.y), Swift.max(four.z, four.w))
  }
}

// For each type by itself: a comparison in an extension of the protocol goes lane by lane.

extension SIMD16 where Scalar == Float {
  /// The larger of each pair of lanes.
  @_transparent
  func larger(_ other: Self) -> Self { replacing(with: other, where: other .> self) }

  /// The smaller of each pair of lanes.
  @_transparent
  func smaller(_ other: Self) -> Self { replacing(with: other, where: other .< self) }
}

extension SIMD8 where Scalar == Float {
  @_transparent
  func larger(_ other: Self) -> Self { replacing(with: other, where: other .> self) }
}

extension SIMD4 where Scalar == Float {
  @_transparent
  func larger(_ other: Self) -> Self { replacing(with: other, where: other .> self) }
}

/// e^x of each lane, to within 2 units in the last place; 0 below -87.3 and about 2.4e38 above 88.37.
///
/// Range reduction to |r| <= ln(2)/2 and the polynomial of Cephes' `expf` (Moshier), as vector code.
@_transparent
func exponential(_ x: Vector) -> Vector {
  let highest = Vector(repeating: 88.37)
  let lowest = Vector(repeating: -87.33)
  let clamped = x.smaller(highest).larger(lowest)
  // Adding 1.5 * 2^23 rounds to the nearest whole number, which then stands in the low bits.
  let magic = Vector(repeating: 12_582_912)
  let shifted = magic.addingProduct(clamped, Vector(repeating: 1.442_695_04))
  let n = shifted - magic
  var r = clamped.addingProduct(n, Vector(repeating: -0.693_359_375))
  r = r.addingProduct(n, Vector(repeating: 2.121_944_4e-4))
  var p = Vector(repeating: 1.987_569_15e-4)
  p = Vector(repeating: 1.398_199_95e-3).addingProduct(p, r)
  p = Vector(repeating: 8.333_451_9e-3).addingProduct(p, r)
  p = Vector(repeating: 4.166_579_6e-2).addingProduct(p, r)
  p = Vector(repeating: 1.666_666_55e-1).addingProduct(p, r)
  p = Vector(repeating: 5.000_000_1e-1).addingProduct(p, r)
  p = (r + Vector(repeating: 1)).addingProduct(p, r * r)
  let bits = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23
  let scaled = unsafeBitCast(unsafeBitCast(p, to: SIMD16<Int32>.self) &+ bits, to: Vector.self)
  // A NaN must stay one: the comparisons above would have replaced it by a bound.
  let flushed = scaled.replacing(with: 0, where: x .< lowest)
  return flushed.replacing(with: x, where: x .!= x)
}

/// 2^x of each lane for x up to 127, within 2e-7 of it; 0 for what is below -64.
///
/// That is where a weight of attention, the largest of which is 1, no longer changes a sum. What it would be multiplied with might
/// make numbers below the smallest normal one, which some processors take a hundred times as long for: on an Intel Xeon these
/// took a quarter of the embedded base's backward.
///
/// In half the operations of ``exponential(_:)``, for attention, where a score takes one: the base is 2, so that the range is
/// reduced without rounding. The polynomial has the least relative error of degree 5 on |f| <= 1/2 with 2^0 = 1.
@_transparent
func powerOfTwo(_ x: Vector) -> Vector {
  let bounded = x.larger(Vector(repeating: -64))
  // As in `exponential`: the nearest whole number stands in the low bits.
  let magic = Vector(repeating: 12_582_912)
  let shifted = bounded + magic
  let f = bounded - (shifted - magic)
  var p = Vector(repeating: 1.326_472_7e-3)
  p = Vector(repeating: 9.671_513e-3).addingProduct(p, f)
  p = Vector(repeating: 5.550_733_6e-2).addingProduct(p, f)
  p = Vector(repeating: 0.240_222_42).addingProduct(p, f)
  p = Vector(repeating: 0.693_147).addingProduct(p, f)
  p = Vector(repeating: 1).addingProduct(p, f)
  // A product, not a sum of bits: a NaN stays one.
  let exponents =
    (unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23) &+ SIMD16(repeating: 127 << 23)
  return (p * unsafeBitCast(exponents, to: Vector.self))
    .replacing(with: 0, where: x .< Vector(repeating: -64))
}

/// 1 / (1 + e^-x) of each lane.
@_transparent
func sigmoid(_ x: Vector) -> Vector {
  Vector(repeating: 1) / (Vector(repeating: 1) + exponential(-x))
}

/// The error function of each lane, absolute error under 1.5e-7 before rounding.
///
/// Abramowitz and Stegun 7.1.26 would do for the value; its relative error near 0 is poor, so below |x| = 1 the
/// Maclaurin series is summed instead.
@_transparent
func errorFunction(_ x: Vector) -> Vector {
  let magnitude = x.replacing(with: -x, where: x .< 0)
  let t =
    Vector(repeating: 1)
    / Vector(repeating: 1).addingProduct(magnitude, Vector(repeating: 0.327_591_1))
  var p = Vector(repeating: 1.061_405_429)
  p = Vector(repeating: -1.453_152_027).addingProduct(p, t)
  p = Vector(repeating: 1.421_413_741).addingProduct(p, t)
  p = Vector(repeating: -0.284_496_736).addingProduct(p, t)
  p = Vector(repeating: 0.254_829_592).addingProduct(p, t)
  let tail = Vector(repeating: 1) - p * t * exponential(-(magnitude * magnitude))
  let signed = tail.replacing(with: -tail, where: x .< 0)

  // 2 / sqrt(pi) * sum of (-1)^n x^(2n+1) / (n! (2n+1)), ten terms: below 1e-8 for |x| <= 1.
  let square = x * x
  var series = Vector(repeating: -1.0 / 6_894_720)
  series = Vector(repeating: 1.0 / 685_440).addingProduct(series, square)
  series = Vector(repeating: -1.0 / 75_600).addingProduct(series, square)
  series = Vector(repeating: 1.0 / 9_360).addingProduct(series, square)
  series = Vector(repeating: -1.0 / 1_320).addingProduct(series, square)
  series = Vector(repeating: 1.0 / 216).addingProduct(series, square)
  series = Vector(repeating: -1.0 / 42).addingProduct(series, square)
  series = Vector(repeating: 1.0 / 10).addingProduct(series, square)
  series = Vector(repeating: -1.0 / 3).addingProduct(series, square)
  series = Vector(repeating: 1).addingProduct(series, square)
  let near = x * series * Vector(repeating: 1.128_379_167)
  return signed.replacing(with: near, where: magnitude .< 1)
}
