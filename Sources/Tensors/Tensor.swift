import CProcessor
import Synchronization

/// A dense float32 array of up to five dimensions, always contiguous, innermost dimension last.
///
/// A tensor is a reference to pooled memory and a shape. What computes with tensors makes new ones; the few operations
/// that change one in place say so. Pictures and latents are channels last, `[batch, height, width, channels]`, which
/// makes a 1x1 convolution, a linear layer and attention plain matrix products.
public struct Tensor: Sendable {
  public let shape: Shape
  public let storage: Storage

  /// A tensor whose elements are not set yet.
  public init(uninitialized shape: Shape) {
    self.shape = shape
    self.storage = StoragePool.shared.storage(count: shape.count)
  }

  public init(zeros shape: Shape) {
    self.init(repeating: 0, shape)
  }

  public init(repeating value: Float, _ shape: Shape) {
    self.init(uninitialized: shape)
    pointer.update(repeating: value, count: count)
  }

  /// - Precondition: as many values as the shape has elements.
  public init(_ values: some Collection<Float>, _ shape: Shape) {
    precondition(values.count == shape.count, "\(values.count) values for the shape \(shape)")
    self.init(uninitialized: shape)
    let target = UnsafeMutableBufferPointer(start: pointer, count: count)
    _ = target.update(fromContentsOf: values)
  }

  /// A scalar.
  public init(_ value: Float) {
    self.init([value], [])
  }

  init(shape: Shape, storage: Storage) {
    self.shape = shape
    self.storage = storage
  }

  public var count: Int { shape.count }

  /// The first element. Valid while this tensor, or another of the same storage, lives.
  public var pointer: UnsafeMutablePointer<Float> { storage.pointer }

  public var array: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

  /// Whether kernels store this tensor past the caches: it is of 4 MB or more, which no second-level cache holds. A line that
  /// another core has read before takes 10 ns to be written again, or 28 where the cores share no cache, and past the caches 2.
  /// An Intel processor has one third-level cache for all cores, and there it pays from 16 MB on.
  var isStreamed: Bool { Self.isStreamed(count: count) }

  static func isStreamed(count: Int) -> Bool {
    count >= leastStreamed.load(ordering: .relaxed) && Parallel.threads > 1
  }

  /// How many elements a tensor has at least that is streamed. Never changed but by tests.
  static let leastStreamed = Atomic(processor_is_intel() != 0 ? 1 << 22 : 1 << 20)

  /// The one element of a tensor of one element.
  public var scalar: Float {
    precondition(count == 1, "a scalar of a tensor of shape \(shape)")
    return pointer[0]
  }

  /// The same elements in another shape. Shares memory.
  /// - Precondition: as many elements as before.
  public func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.count == count, "the shape \(self.shape) can't be seen as \(shape)")
    return Tensor(shape: shape, storage: storage)
  }

  /// The same elements in memory of their own.
  public func copy() -> Tensor {
    let result = Tensor(uninitialized: shape)
    result.pointer.update(from: pointer, count: count)
    return result
  }

  /// The range `rows` of the outermost dimension, in memory of its own.
  /// - Precondition: `rows` lies within the outermost dimension.
  public func slice(_ rows: Range<Int>) -> Tensor {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= shape[0], "\(rows) of \(shape)")
    let stride = shape[0] == 0 ? 0 : count / shape[0]
    let result = Tensor(uninitialized: Shape([rows.count] + shape.array.dropFirst()))
    result.pointer.update(from: pointer + rows.lowerBound * stride, count: result.count)
    return result
  }

  /// The tensors one after the other along the outermost dimension.
  /// - Precondition: at least one, and all but the outermost extents are equal.
  public init(concatenating tensors: [Tensor]) {
    let inner = tensors[0].shape.array.dropFirst()
    precondition(
      tensors.allSatisfy { $0.shape.array.dropFirst() == inner }, "unequal inner extents")
    self.init(uninitialized: Shape([tensors.reduce(0) { $0 + $1.shape[0] }] + inner))
    var offset = 0
    for tensor in tensors {
      (pointer + offset).update(from: tensor.pointer, count: tensor.count)
      offset += tensor.count
    }
  }

  /// Whether every element is a finite number.
  public var isFinite: Bool {
    // A sum of x * 0 is 0 exactly when every x is finite, and vectorises, which a test of each element does not.
    var sum = SIMD16<Float>()
    let vectors = count / 16
    for index in 0..<vectors {
      let value = UnsafeRawPointer(pointer + index * 16).loadUnaligned(as: SIMD16<Float>.self)
      sum += value * SIMD16(repeating: 0)
    }
    var rest: Float = 0
    for index in (vectors * 16)..<count { rest += pointer[index] * 0 }
    return sum.sum() + rest == 0
  }
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    let shown = array.prefix(8).map { "\($0)" }.joined(separator: ", ")
    return "Tensor\(shape) [\(shown)\(count > 8 ? ", …" : "")]"
  }
}
