// Tensors of half precision, for weights that only wait: kernels work on a copy in single precision.

import Synchronization

/// Floats of half precision (IEEE 754 binary16), in half the memory of a `Tensor`.
public final class HalfTensor: @unchecked Sendable {
  public let shape: Shape
  private let storage: Storage
  /// The largest count of any: what is widened is put into buffers for so many, so that one after the other takes the same
  /// one, whatever their sizes.
  private static let largest = Atomic<Int>(0)

  private var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(storage.pointer) }

  /// A tensor's elements, rounded to the nearest. Nil where one is not finite or too large, over 65504.
  public init?(rounding tensor: Tensor) {
    shape = tensor.shape
    storage = StoragePool.shared.storage(count: (tensor.count + 1) / 2)
    let (source, target) = (UnsafeRawPointer(tensor.pointer), pointer)
    let vectors = tensor.count / 8
    var isHeld = true
    for index in 0..<vectors {
      let half = SIMD8<Float16>(
        source.loadUnaligned(fromByteOffset: 32 * index, as: SIMD8<Float>.self))
      target.storeBytes(of: half, toByteOffset: 16 * index, as: SIMD8<Float16>.self)
      // All bits of the exponent are set of what is too large or not a number.
      let bits = unsafeBitCast(half, to: SIMD8<UInt16>.self) & 0x7c00
      if any(bits .== 0x7c00) { isHeld = false }
    }
    for index in (8 * vectors)..<tensor.count {
      let half = Float16(tensor.pointer[index])
      target.storeBytes(of: half, toByteOffset: 2 * index, as: Float16.self)
      if !half.isFinite { isHeld = false }
    }
    if !isHeld { return nil }
    Self.largest.max(shape.count, ordering: .relaxed)
  }

  /// The elements in single precision, which holds them exactly.
  public func widened() -> Tensor {
    let room = Self.largest.load(ordering: .relaxed)
    let result = Tensor(shape: shape, storage: StoragePool.shared.storage(count: room))
    let (source, target) = (UnsafeRawPointer(pointer), UnsafeMutableRawPointer(result.pointer))
    Parallel.forEachRange(of: (shape.count + 7) / 8, grain: elementGrain / 8) { range in
      for index in range where 8 * index + 8 <= shape.count {
        let half = source.loadUnaligned(fromByteOffset: 16 * index, as: SIMD8<Float16>.self)
        target.storeBytes(of: SIMD8<Float>(half), toByteOffset: 32 * index, as: SIMD8<Float>.self)
      }
    }
    for index in (shape.count / 8 * 8)..<shape.count {
      let half = source.loadUnaligned(fromByteOffset: 2 * index, as: Float16.self)
      result.pointer[index] = Float(half)
    }
    return result
  }
}
