// Products that are given away part by part, each while it is in a cache: the gradients by weights, whose parts Adam takes.

import CProcessor

/// A rectangle of a tensor.
public struct PartPlace {
  /// Where its first element stands in the tensor, and how far apart its rows begin there, in elements.
  public var offset: Int
  public var stride: Int
  public var rows: Int
  public var columns: Int
}

/// A rectangle of a tensor that a kernel has just made.
public struct TensorPart {
  public var place: PartPlace
  /// Its elements, for as long as whoever gets them takes, and how far apart its rows begin here.
  var values: UnsafePointer<Float>
  var valueStride: Int
  /// Whether the memory that is read when it is taken was asked for; see ``PartTaker``.
  var wasAskedFor = false
}

/// Takes a tensor in parts, in any order and on any thread.
public struct PartTaker {
  let take: (TensorPart) -> Void
  /// Three tensors of the same shape that `take` goes through: the first, and how far in floats the others are from it.
  private let tensors: (first: UnsafePointer<Float>, others: (Int, Int))?

  /// - Parameter tensors: those that `take` reads at a part's place. A kernel may ask for their memory while it makes the part.
  init(reading tensors: (Tensor, Tensor, Tensor)? = nil, _ take: @escaping (TensorPart) -> Void) {
    self.take = take
    self.tensors = tensors.map { first, second, third in
      let base = first.pointer
      return (UnsafePointer(base), (second.pointer - base, third.pointer - base))
    }
  }

  public init(_ take: @escaping (TensorPart) -> Void) { self.init(reading: nil, take) }

  /// Takes a whole tensor.
  func takeAll(_ tensor: Tensor) {
    Parallel.forEachRange(of: tensor.count, grain: elementGrain) { range in
      take(
        TensorPart(
          place: PartPlace(
            offset: range.lowerBound, stride: range.count, rows: 1, columns: range.count),
          values: UnsafePointer(tensor.pointer) + range.lowerBound, valueStride: range.count))
    }
  }

  /// The memory that is read when a part is taken.
  func lines(_ place: PartPlace) -> LinesAhead {
    guard let tensors else { return .none }
    return LinesAhead(
      tensors.first + place.offset, rows: place.rows, stride: place.stride, run: place.columns,
      others: tensors.others)
  }
}

extension MatrixProduct {
  /// How many floats a thread packs for a product that is given away in parts; as many may be in a third-level cache.
  private static let packedCount = 640 << 10
  /// The shortest inner dimension that leaves time to ask for what takes a part while it is made.
  private static let leastInnerOfAsking = 32
  /// The most columns of such a part.
  private static let partColumns = 768
  /// The most rows and columns that are added up block by block of a long inner dimension: with a block of strips and one of rows
  /// they take 1.1 MB of a second-level cache.
  private static let (mostSummedRows, mostSummedColumns) = (320, 384)
  /// The rows of these that are given away at once, while the last block is added.
  private static let rowsOfSummedPart = 32

  /// The product with a left operand of columns, given away part by part while each is in a cache: the whole is never
  /// stored. The sums are those of ``run(rows:columns:pieces:left:right:into:)``, added up in the same order.
  ///
  /// - Parameters:
  ///   - offset: where the product begins in the tensor whose parts are given; its rows are `columns` apart.
  static func runInParts(
    rows: Int, columns: Int, inner: Int, left: LeftOperand, right: RightOperand, offset: Int = 0,
    _ taker: PartTaker
  ) {
    precondition(left.layout == .columns && inner > 0)
    guard rows > 0, columns > 0 else { return }
    InnerPlan.with(
      Piece(left: 0, right: 0, length: inner),
      rightStride: right.layout == .rows ? right.stride : 1
    ) { plan in
      runInParts(
        rows: rows, columns: columns, plan: plan, left: left, right: right, offset: offset,
        taker)
    }
  }

  private static func runInParts(
    rows: Int, columns: Int, plan: InnerPlan, left: LeftOperand, right: RightOperand, offset: Int,
    _ taker: PartTaker
  ) {
    if processor_target_has_avx512() != 0, plan.blocks.count > 1 {
      return runInSummedParts(
        rows: rows, columns: columns, plan: plan, left: left, right: right, offset: offset, taker)
    }
    let inner = plan.inner
    // What takes a part goes through tensors of many times a cache's size. While a part is made, these are asked for, in so small
    // parts that all stays in the second-level cache. A short inner dimension leaves no time for that: memory is fastest in
    // order then, and a part has a few rows, whole or in long pieces, though the strips come from the third-level cache for each.
    let asks = processor_target_has_avx512() != 0 && inner >= leastInnerOfAsking
    let cut = ColumnTasks(
      columns: columns, wanted: 1,
      mostStrips: asks
        ? partColumns / stripWidth : max(mostStrips(.columns), packedCount / inner / stripWidth))
    let mostRows = 2 * tileRows
    // Of like size, and of small matrices enough for the threads.
    let wanted = rows * columns * inner > serialLimit ? (4 + cut.count - 1) / cut.count : 1
    let least = max((rows + mostRows - 1) / mostRows, min(wanted, rows / tileRows))
    let rowsEach = ((rows + least - 1) / least + tileRows - 1) / tileRows * tileRows
    let rowChunks = (rows + rowsEach - 1) / rowsEach
    // A thread packs what it multiplies itself, for it would take longer to write where the others have read. It has rows of its
    // own, and goes through them with some columns after others, so that it holds no more than these packed.
    let tasks = SharedTasks(rows: rowChunks, columns: cut.count)
    let packed = LaneValues<(chunk: Int, strips: Storage)>()
    func strips(of chunk: Int) -> UnsafePointer<Float> {
      if let own = packed.own, own.chunk == chunk { return UnsafePointer(own.strips.pointer) }
      let storage =
        packed.own?.strips ?? StoragePool.shared.storage(count: plan.inner * padded(cut.most))
      for block in plan.blocks {
        pack(
          right, block.pieces, columns: cut[chunk], for: left.layout,
          into: storage.pointer + block.start * padded(cut[chunk].count))
      }
      packed.own = (chunk, storage)
      return UnsafePointer(storage.pointer)
    }
    Parallel.forEach(tasks.count) { task in
      guard let (rowChunk, chunk) = tasks[task] else { return }
      let here = cut[chunk]
      guard !here.isEmpty else { return }
      let strips = strips(of: chunk)
      let (some, width) = (
        (rowChunk * rowsEach)..<min(rows, (rowChunk + 1) * rowsEach), padded(here.count)
      )
      let values = StoragePool.shared.storage(count: some.count * width)
      let target = ProductTarget(
        base: values.pointer - (some.lowerBound * width + here.lowerBound),
        offsets: .strided(width))
      let part = PartPlace(
        offset: offset + some.lowerBound * columns + here.lowerBound, stride: columns,
        rows: some.count, columns: here.count)
      var lines = asks ? taker.lines(part) : .none
      lines.spread(
        over: Self.asks(rows: some.count, columns: here.count, inner: inner, left.layout))
      for block in plan.blocks {
        multiply(
          left, block.pieces, firstInner: block.start, inner: block.length, rows: some,
          packed: strips + block.start * width, columns: here, into: target.part(block, of: plan),
          meanwhile: &lines)
      }
      withExtendedLifetime(values) {
        taker.take(
          TensorPart(
            place: part, values: values.pointer, valueStride: width, wasAskedFor: asks))
      }
    }
  }

  /// The same of a long inner dimension, block by block: what a thread adds up stays in its second-level cache, and so do the
  /// strips of a block, of which the whole inner dimension has too many. While the last block is added, some rows after others
  /// are given away.
  private static func runInSummedParts(
    rows: Int, columns: Int, plan: InnerPlan, left: LeftOperand, right: RightOperand, offset: Int,
    _ taker: PartTaker
  ) {
    let cut = ColumnTasks(
      columns: columns, wanted: 1, mostStrips: mostSummedColumns / stripWidth)
    let share = (rows + rowShares - 1) / rowShares
    let chunksOfShare = (share + mostSummedRows - 1) / mostSummedRows
    let rowsEach =
      ((share + chunksOfShare - 1) / chunksOfShare + tileRows - 1) / tileRows * tileRows
    let rowChunks = (rows + rowsEach - 1) / rowsEach
    // Neighbouring tasks, which a thread does one after the other, have the same rows.
    Parallel.forEach(rowChunks * cut.count) { task in
      let (rowChunk, here) = (task / cut.count, cut[task % cut.count])
      guard !here.isEmpty else { return }
      let some = (rowChunk * rowsEach)..<min(rows, (rowChunk + 1) * rowsEach)
      let width = padded(here.count)
      let strips = StoragePool.shared.storage(count: innerBlock * width)
      let sums = StoragePool.shared.storage(count: some.count * width)
      let target = ProductTarget(
        base: sums.pointer - (some.lowerBound * width + here.lowerBound), offsets: .strided(width))
      for (index, block) in plan.blocks.enumerated() {
        pack(right, block.pieces, columns: here, for: left.layout, into: strips.pointer)
        func add(_ rows: Range<Int>, meanwhile lines: inout LinesAhead) {
          multiply(
            left, block.pieces, firstInner: block.start, inner: block.length, rows: rows,
            packed: strips.pointer, columns: here, into: target.part(block, of: plan),
            meanwhile: &lines)
        }
        guard index + 1 == plan.blocks.count else {
          var nothing = LinesAhead.none
          add(some, meanwhile: &nothing)
          continue
        }
        for first in stride(from: some.lowerBound, to: some.upperBound, by: rowsOfSummedPart) {
          let last = first..<min(some.upperBound, first + rowsOfSummedPart)
          let place = PartPlace(
            offset: offset + first * columns + here.lowerBound, stride: columns, rows: last.count,
            columns: here.count)
          var lines = taker.lines(place)
          lines.spread(
            over: asks(
              rows: last.count, columns: here.count, inner: block.length, left.layout))
          add(last, meanwhile: &lines)
          taker.take(
            TensorPart(
              place: place, values: sums.pointer + (first - some.lowerBound) * width,
              valueStride: width, wasAskedFor: true))
        }
      }
      withExtendedLifetime((strips, sums)) {}
    }
  }
}

/// `leftᵀ * right`, given away in parts.
///
/// - Parameters:
///   - left: seen as a matrix `[inner, rows]`.
///   - right: a matrix `[inner, columns]`.
///   - taker: gets the parts of `[rows, columns]`, each element once.
/// - Precondition: the inner extents are equal.
public func transposedMatrixProduct(_ left: Tensor, _ right: Tensor, inParts taker: PartTaker) {
  let (inner, rows, columns) = (left.shape.rows, left.shape.last, right.shape.last)
  precondition(
    inner == right.shape.rows, "a product of \(left.shape), transposed, and \(right.shape)")
  MatrixProduct.runInParts(
    rows: rows, columns: columns, inner: inner,
    left: LeftOperand(base: left.pointer, layout: .columns, offsets: .strided(rows)),
    right: RightOperand(base: right.pointer, layout: .rows, stride: columns), taker)
}
