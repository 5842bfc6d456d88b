/// The extents of a tensor, outermost first. Up to four dimensions, held inline so that making one costs nothing.
///
/// Pictures and latents are channels last: `[batch, height, width, channels]`.
public struct Shape: Hashable, Sendable {
  public static let maximumRank = 4

  private var extents: SIMD4<Int>
  public let rank: Int

  /// - Precondition: at most four extents, none negative.
  public init(_ extents: [Int]) {
    precondition(extents.count <= Self.maximumRank, "a shape has at most four dimensions")
    var inline = SIMD4<Int>(repeating: 1)
    for index in extents.indices {
      precondition(extents[index] >= 0, "an extent can't be negative")
      inline[index] = extents[index]
    }
    self.extents = inline
    self.rank = extents.count
  }

  public init(_ extents: some Collection<Int>) { self.init(Array(extents)) }

  /// The number of elements; 1 for a scalar.
  public var count: Int { extents[0] * extents[1] * extents[2] * extents[3] }

  /// The innermost extent; 1 for a scalar.
  public var last: Int { rank == 0 ? 1 : extents[rank - 1] }

  /// The product of all extents but the innermost: how many rows the tensor has as a matrix.
  public var rows: Int { last == 0 ? 0 : count / last }

  public subscript(index: Int) -> Int {
    precondition(index >= 0 && index < rank, "dimension \(index) of a shape of rank \(rank)")
    return extents[index]
  }

  public var array: [Int] { (0..<rank).map { extents[$0] } }
}

extension Shape: ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: Int...) { self.init(elements) }
}

extension Shape: CustomStringConvertible {
  public var description: String { "[" + array.map(String.init).joined(separator: ", ") + "]" }
}
