/// The extents of a tensor, outermost first. Up to five dimensions, held inline so that making one costs nothing.
///
/// Pictures and latents are channels last: `[batch, height, width, channels]`.
public struct Shape: Hashable, Sendable {
  public static let maximumRank = 5

  /// 1 beyond the rank. Not a vector: a closure that captures a shape would want memory of a vector's alignment, which takes
  /// several times as long to get.
  private var (e0, e1, e2, e3, e4) = (1, 1, 1, 1, 1)
  public let rank: Int

  /// - Precondition: at most five extents, none negative.
  public init(_ extents: [Int]) {
    precondition(extents.count <= Self.maximumRank, "a shape has at most five dimensions")
    precondition(extents.allSatisfy { $0 >= 0 }, "an extent can't be negative")
    rank = extents.count
    if rank > 0 { e0 = extents[0] }
    if rank > 1 { e1 = extents[1] }
    if rank > 2 { e2 = extents[2] }
    if rank > 3 { e3 = extents[3] }
    if rank > 4 { e4 = extents[4] }
  }

  public init(_ extents: some Collection<Int>) { self.init(Array(extents)) }

  /// The number of elements; 1 for a scalar.
  public var count: Int { e0 * e1 * e2 * e3 * e4 }

  /// The innermost extent; 1 for a scalar.
  public var last: Int { rank == 0 ? 1 : self[rank - 1] }

  /// The product of all extents but the innermost: how many rows the tensor has as a matrix.
  public var rows: Int { last == 0 ? 0 : count / last }

  public subscript(index: Int) -> Int {
    precondition(index >= 0 && index < rank, "dimension \(index) of a shape of rank \(rank)")
    return switch index {
    case 0: e0
    case 1: e1
    case 2: e2
    case 3: e3
    default: e4
    }
  }

  public var array: [Int] { (0..<rank).map { self[$0] } }

  /// The same with another innermost extent.
  /// - Precondition: not a scalar's.
  public func replacingLast(_ extent: Int) -> Shape {
    precondition(rank > 0 && extent >= 0, "a last extent of \(extent) for \(self)")
    var shape = self
    switch rank {
    case 1: shape.e0 = extent
    case 2: shape.e1 = extent
    case 3: shape.e2 = extent
    case 4: shape.e3 = extent
    default: shape.e4 = extent
    }
    return shape
  }
}

extension Shape: ExpressibleByArrayLiteral {
  public init(arrayLiteral elements: Int...) { self.init(elements) }
}

extension Shape: CustomStringConvertible {
  public var description: String { "[" + array.map(String.init).joined(separator: ", ") + "]" }
}
