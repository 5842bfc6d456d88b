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
  processor_target_has_avx512() != 0
    ? processor_load_first(pointer, count) : loadPartialInHalves(pointer, count)
}

/// Stores the first `count` floats.
@_transparent
func storePartial(_ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, _ count: Int) {
  if processor_target_has_avx512() != 0 {
    processor_store_first(pointer, vector, count)
  } else {
    storePartialInHalves(vector, pointer, count)
  }
}

// Without AVX-512. Not inlined: kernels with a copy of these for each read and write are too large for the compiler to make loops of.

@inline(never)
func loadPartialInHalves(_ pointer: UnsafePointer<Float>, _ count: Int) -> Vector {
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

@inline(never)
func storePartialInHalves(
  _ vector: Vector, _ pointer: UnsafeMutablePointer<Float>, _ count: Int
) {
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
  /// This plus a product, rounded once; see `processor_add_product`.
  @_transparent
  func addingProduct(_ a: Self, _ b: Self) -> Self { processor_add_product(self, a, b) }

  @_transparent
  mutating func addProduct(_ a: Self, _ b: Self) { self = processor_add_product(self, a, b) }

  /// The first `count` lanes, and `value` in the others.
  @_transparent
  func first(_ count: Int, otherwise value: Float) -> Self {
    processor_where_less(
      laneNumbers, Vector(repeating: Float(count)), self, Vector(repeating: value))
  }
}

/// Consecutive runs of a range, of at most sixteen elements: where each begins, and how many there are. For loops, whose bodies,
/// unlike those of closures, are never functions that are called for each vector.
struct VectorRuns: Sequence, IteratorProtocol {
  private var index: Int
  private let end: Int

  @_transparent
  init(_ range: Range<Int>) { (index, end) = (range.lowerBound, range.upperBound) }

  @_transparent
  mutating func next() -> (Int, Int)? {
    guard index < end else { return nil }
    let start = index
    index &+= 16
    return (start, Swift.min(16, end &- start))
  }
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
  func larger(_ other: Self) -> Self { processor_larger(self, other) }

  /// The smaller of each pair of lanes.
  @_transparent
  func smaller(_ other: Self) -> Self { processor_smaller(self, other) }
}

extension SIMD8 where Scalar == Float {
  @_transparent
  func addingProduct(_ a: Self, _ b: Self) -> Self { processor_add_half_product(self, a, b) }

  @_transparent
  mutating func addProduct(_ a: Self, _ b: Self) { self = processor_add_half_product(self, a, b) }

  @_transparent
  func larger(_ other: Self) -> Self { replacing(with: other, where: other .> self) }
}

extension SIMD4 where Scalar == Float {
  @_transparent
  func larger(_ other: Self) -> Self { replacing(with: other, where: other .> self) }
}

/// Added to a number below 2^22, it rounds it to the nearest whole number, which then stands in the low bits: 1.5 * 2^23.
@_transparent
private var roundingShift: Vector { Vector(repeating: 12_582_912) }

/// 2^f of each lane, within 2e-7 of it, for f from -1/2 to 1/2: the polynomial of degree 5 of the least relative error with
/// 2^0 = 1. A NaN stays one.
@_transparent
private func powerOfTwo(fraction f: Vector) -> Vector {
  var p = Vector(repeating: 1.326_472_7e-3)
  p = Vector(repeating: 9.671_513e-3).addingProduct(p, f)
  p = Vector(repeating: 5.550_733_6e-2).addingProduct(p, f)
  p = Vector(repeating: 0.240_222_42).addingProduct(p, f)
  p = Vector(repeating: 0.693_147).addingProduct(p, f)
  return Vector(repeating: 1).addingProduct(p, f)
}

/// 2^(n + f) of each lane, within 2e-7 of it, with the whole number n from -126 to 127.
/// - Parameters:
///   - shifted: n, as a sum with `roundingShift`.
///   - f: from -1/2 to 1/2; a NaN stays one.
@_transparent
private func powerOfTwo(shifted: Vector, _ f: Vector) -> Vector {
  let exponents =
    (unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23) &+ SIMD16(repeating: 127 << 23)
  // A product, not a sum of bits, for the sake of NaN.
  return powerOfTwo(fraction: f) * unsafeBitCast(exponents, to: Vector.self)
}

/// e^x of each lane, to within 3e-7 of it; 0 below -87.33 and about 2.4e38 above 88.37.
@_transparent
func exponential(_ x: Vector) -> Vector {
  let lowest = Vector(repeating: -87.33)
  let bounded = x.smaller(Vector(repeating: 88.37)).larger(lowest)
  // log2(e) in two parts: the first is a float, and products with it are not rounded before n is taken away.
  let (log2e, rest) = (Vector(repeating: 1.442_695_02), Vector(repeating: 1.925_963e-8))
  let shifted = roundingShift.addingProduct(bounded, log2e)
  let n = shifted - roundingShift
  let f = (-n).addingProduct(bounded, log2e).addingProduct(bounded, rest)
  return processor_where_less(x, lowest, Vector(), powerOfTwo(shifted: shifted, f))
}

/// 2^x of each lane for x up to 127, within 2e-7 of it; 2^-64 for what is below -64.
///
/// That is where a weight of attention, the largest of which is 1, no longer changes a sum. What smaller ones would be multiplied
/// with might make numbers below the smallest normal one, which some processors take a hundred times as long for: on an Intel Xeon
/// these took a quarter of the embedded base's backward.
///
/// In fewer operations than ``exponential(_:)``, for attention, where a score takes one: the base is 2, so that the range is
/// reduced without rounding, and the exponent is added to the bits of the fraction's power. A NaN stays one: those of arithmetic end
/// in zeros, which are what is added to them.
@_transparent
func powerOfTwo(_ x: Vector) -> Vector {
  let bounded = x.larger(Vector(repeating: -64))
  let shifted = bounded + roundingShift
  let fraction = powerOfTwo(fraction: bounded - (shifted - roundingShift))
  let bits =
    unsafeBitCast(fraction, to: SIMD16<Int32>.self)
    &+ (unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23)
  return unsafeBitCast(bits, to: Vector.self)
}

/// The natural logarithm of each lane of positive normal numbers, to within 2e-7 of it or of 1.
///
/// With x = 2^n m, m from 2/3 to 4/3, it is n log(2) + 2 artanh((m - 1) / (m + 1)): the terms of artanh's series that are left out are
/// below 1e-8.
@_transparent
func logarithm(_ x: Vector) -> Vector {
  let bits = unsafeBitCast(x, to: SIMD16<Int32>.self)
  let n = (bits &- SIMD16(repeating: 0x3f2a_aaab)) &>> 23
  let m = unsafeBitCast(bits &- (n &<< 23), to: Vector.self)
  let s = (m - Vector(repeating: 1)) / (m + Vector(repeating: 1))
  let square = s * s
  var series = Vector(repeating: 2.0 / 9)
  series = Vector(repeating: 2.0 / 7).addingProduct(series, square)
  series = Vector(repeating: 2.0 / 5).addingProduct(series, square)
  series = Vector(repeating: 2.0 / 3).addingProduct(series, square)
  let power =
    unsafeBitCast(n &+ SIMD16(repeating: 0x4b40_0000), to: Vector.self) - roundingShift
  return (s + s).addingProduct(series * square, s)
    .addingProduct(power, Vector(repeating: 0.693_147_181))
}

/// 1 / (1 + e^-x) of each lane.
@_transparent
func sigmoid(_ x: Vector) -> Vector {
  Vector(repeating: 1) / (Vector(repeating: 1) + exponential(-x))
}

/// The error function of each lane, to within 3e-7 of it.
///
/// Up to |x| = 1 it is x times a polynomial of x^2, and from there to 4, where it rounds to 1, what is left to 1 is 2 to the
/// power of a polynomial of |x|: those of least error, which tools/fit_error_function.py finds.
@_transparent
func errorFunction(_ x: Vector) -> Vector {
  let magnitude = x.larger(-x)
  let bounded = magnitude.smaller(Vector(repeating: 4))
  var power = Vector(repeating: -0.001_659_701_78)
  power = Vector(repeating: 0.021_320_270_4).addingProduct(power, bounded)
  power = Vector(repeating: -0.127_871_933).addingProduct(power, bounded)
  power = Vector(repeating: -0.944_228_181).addingProduct(power, bounded)
  power = Vector(repeating: -1.612_122_8).addingProduct(power, bounded)
  power = Vector(repeating: -0.003_854_497_88).addingProduct(power, bounded)
  let shifted = power + roundingShift
  let left = powerOfTwo(shifted: shifted, power - (shifted - roundingShift))
  let tail = Vector(repeating: 1) - left
  let signed = processor_where_less(x, Vector(), -tail, tail)

  let square = x * x
  var ratio = Vector(repeating: 7.853_888_1e-5)
  ratio = Vector(repeating: -0.000_801_020_258).addingProduct(ratio, square)
  ratio = Vector(repeating: 0.005_188_328_84).addingProduct(ratio, square)
  ratio = Vector(repeating: -0.026_853_812_7).addingProduct(ratio, square)
  ratio = Vector(repeating: 0.112_835_852).addingProduct(ratio, square)
  ratio = Vector(repeating: -0.376_126_258).addingProduct(ratio, square)
  ratio = Vector(repeating: 1.128_379_17).addingProduct(ratio, square)
  return processor_where_less(magnitude, Vector(repeating: 1), x * ratio, signed)
}
