// Products of few rows with a right operand of rows, as of the lower levels of a large denoiser: what they take is mostly the
// time in which the right operand comes from memory.
//
// It is read where it lies, four rows at a time and many columns of each, for memory is fastest in order; the next four are asked
// for meanwhile. The product's rows stay in a cache, and each gets the four added to it: an update of rank 4.

import CProcessor

enum RankUpdates {
  /// The most rows for which this is faster than packing the right operand, where that comes from memory, and where a cache holds it.
  private static var mostRows: Int { processor_target_has_avx512() != 0 ? 160 : 96 }
  private static let mostCachedRows = 16
  /// How many rows of the right operand are read at once.
  private static let rank = 4
  /// How many columns are added to at once: of four rows, half of the registers of 512 bits hold four vectors each.
  private static var stepWidth: Int { processor_target_has_avx512() != 0 ? 64 : 16 }

  static func suits(
    rows: Int, columns: Int, pieces: [Piece], left: LeftOperand, right: RightOperand
  ) -> Bool {
    guard left.layout == .rows, right.layout == .rows, columns % 16 == 0,
      pieces.allSatisfy({ $0.length % rank == 0 })
    else { return false }
    return rows <= mostCachedRows
      || rows <= mostRows
        && pieces.reduce(0) { $0 + $1.length } * columns > MatrixProduct.cachedCount
  }

  /// The most columns of a task: those of all rows stay in the first-level cache, more or less. The more there are, the better
  /// memory is read.
  private static func mostColumns(rows: Int) -> Int {
    let isWide = processor_target_has_avx512() != 0
    return switch rows {
    case ...16: 640
    case ...48: isWide ? 128 : 96
    case ...96: isWide ? 128 : 64
    default: 64
    }
  }

  /// `target = left * right (+ target) (+ bias)`, cut into tasks by the shape alone.
  static func run(
    rows: Int, columns: Int, plan: InnerPlan, left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    let isShort = rows * columns * plan.inner <= MatrixProduct.serialLimit
    let packed = StoragePool.shared.storage(count: plan.inner * rows)
    let blocks = plan.blocks
    Parallel.forEachRange(of: blocks.count, grain: isShort ? blocks.count : 1) { range in
      for index in range {
        let block = blocks[index]
        pack(left, block.pieces, rows: rows, into: packed.pointer + block.start * rows)
      }
    }
    let cut = ColumnTasks(
      columns: columns, wanted: isShort ? 1 : 2,
      mostStrips: isShort ? .max : mostColumns(rows: rows) / stepWidth, width: stepWidth)
    Parallel.forEach(cut.count) { task in
      let here = cut[task]
      guard !here.isEmpty else { return }
      let width = here.count
      let sums = StoragePool.shared.storage(count: rows * width)
      sums.pointer.update(repeating: 0, count: rows * width)
      var factors = UnsafePointer(packed.pointer)
      for block in blocks {
        for piece in block.pieces {
          update(
            sums.pointer, width, rows: rows, factors,
            right.base + (piece.right + here.lowerBound), right.stride, count: piece.length)
          factors += piece.length * rows
        }
      }
      for row in 0..<rows {
        let line = target.base + target.offsets[row]
        for column in stride(from: here.lowerBound, to: here.upperBound, by: 16) {
          var sum = load(sums.pointer + (row * width + column - here.lowerBound))
          if target.accumulates { sum += load(target.addend(row, column)) }
          if let bias = target.bias { sum += load(bias + column) }
          store(sum, line + column)
        }
      }
    }
  }

  /// The left operand's elements as they are used: `[inner / rank][rows][rank]`.
  private static func pack(
    _ left: LeftOperand, _ pieces: UnsafeBufferPointer<Piece>, rows: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    var place = UnsafeMutableRawPointer(target)
    for piece in pieces {
      for k in stride(from: 0, to: piece.length, by: rank) {
        for row in 0..<rows {
          let line = UnsafeRawPointer(left.base + (left.offsets[row] &+ piece.left &+ k))
          place.storeBytes(of: line.loadUnaligned(as: SIMD4<Float>.self), as: SIMD4<Float>.self)
          place += rank * MemoryLayout<Float>.stride
        }
      }
    }
  }

  /// Adds the products with `count` rows of the right operand to sums of `width` columns.
  /// - Parameter factors: `[count / rank][rows][rank]`.
  @inline(never)
  private static func update(
    _ sums: UnsafeMutablePointer<Float>, _ width: Int, rows: Int, _ factors: UnsafePointer<Float>,
    _ right: UnsafePointer<Float>, _ stride: Int, count: Int
  ) {
    var (first, b, k) = (factors, right, 0)
    while k < count {
      var column = 0
      if stepWidth > OneVector.width {
        while column &+ stepWidth <= width {
          update(FourVectors.self, sums + column, width, rows: rows, first, b + column, stride)
          column &+= stepWidth
        }
      }
      while column < width {
        update(OneVector.self, sums + column, width, rows: rows, first, b + column, stride)
        column &+= OneVector.width
      }
      first += rank &* rows
      b += rank &* stride
      k &+= rank
    }
  }

  /// An update of rank 4 of some columns.
  @inline(__always)
  private static func update<C: RunOfVectors>(
    _: C.Type, _ sums: UnsafeMutablePointer<Float>, _ width: Int, rows: Int,
    _ factors: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ stride: Int
  ) {
    var ahead = right + rank &* stride
    for _ in 0..<rank {
      for column in Swift.stride(from: 0, to: C.width, by: 16) {
        processor_prefetch_far(ahead + column)
      }
      ahead += stride
    }
    let (b0, b1) = (C(right), C(right + stride))
    let (b2, b3) = (C(right + 2 &* stride), C(right + 3 &* stride))
    var (a, place) = (factors, sums)
    for _ in 0..<rows {
      var sum = C(UnsafePointer(place))
      sum.add(a[0], b0)
      sum.add(a[1], b1)
      sum.add(a[2], b2)
      sum.add(a[3], b3)
      sum.put(place)
      a += rank
      place += width
    }
  }
}

/// Contiguous vectors in registers.
private protocol RunOfVectors {
  static var width: Int { get }
  init(_ p: UnsafePointer<Float>)
  /// Adds `a` times the others.
  mutating func add(_ a: Float, _ others: Self)
  func put(_ p: UnsafeMutablePointer<Float>)
}

private struct OneVector: RunOfVectors {
  var x: Vector
  static var width: Int { 16 }

  @_transparent
  init(_ p: UnsafePointer<Float>) { x = load(p) }

  @_transparent
  mutating func add(_ a: Float, _ others: Self) { x.addProduct(Vector(repeating: a), others.x) }

  @_transparent
  func put(_ p: UnsafeMutablePointer<Float>) { store(x, p) }
}

extension FourVectors: RunOfVectors {
  static var width: Int { 64 }

  @_transparent
  mutating func add(_ a: Float, _ others: Self) {
    let a = Vector(repeating: a)
    x0.addProduct(a, others.x0)
    x1.addProduct(a, others.x1)
    x2.addProduct(a, others.x2)
    x3.addProduct(a, others.x3)
  }
}
