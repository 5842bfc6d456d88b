// Attention over many heads, forward and backward, without ever holding the whole matrix of weights: a task owns one
// head of one picture and goes through its queries in blocks, and the backward computes the weights again.

import CProcessor
import Glibc

/// How many floats of attention weights a task holds at once.
private let weightBuffer = 1 << 17

/// How many tasks attention is cut into where it has fewer heads.
private let leastTasks = 8

/// How many tasks its forward is cut into where each then has so many queries or more: a core that others slow down gets fewer.
private let (wantedTasks, leastOfPart) = (32, 512)

private func queriesPerBlock(_ keys: Int) -> Int {
  max(8, min(96, weightBuffer / max(1, keys)) / 8 * 8)
}

/// The head `head` of picture `image` of a tensor `[batch, tokens, heads * width]`, as an operand.
private struct HeadView {
  let base: UnsafeMutablePointer<Float>
  let stride: Int

  init(_ tensor: Tensor, image: Int, head: Int, heads: Int) {
    stride = tensor.shape.last
    base = tensor.pointer + image * tensor.shape[1] * stride + head * (stride / heads)
  }

  /// The only head of a matrix `[tokens, width]`, from one of its rows on.
  init(_ matrix: Tensor, from row: Int) {
    stride = matrix.shape.last
    base = matrix.pointer + row * stride
  }

  /// Copies its first rows to where another's begin, or to some row of it.
  func copy(_ rows: Int, width: Int, to other: HeadView, at start: Int = 0) {
    for row in 0..<rows {
      (other.base + (start + row) * other.stride).update(from: base + row * stride, count: width)
    }
  }

  func left(from row: Int = 0) -> LeftOperand {
    LeftOperand(base: UnsafePointer(base + row * stride), layout: .rows, offsets: .strided(stride))
  }
  func right(_ layout: RightOperand.Layout, from row: Int = 0) -> RightOperand {
    RightOperand(base: UnsafePointer(base + row * stride), layout: layout, stride: stride)
  }
  func target(from row: Int = 0, accumulates: Bool = false) -> ProductTarget {
    ProductTarget(base: base + row * stride, offsets: .strided(stride), accumulates: accumulates)
  }
  /// Asks for a row: no prefetcher of a processor sees the next coming of short rows that are far apart.
  @inline(__always)
  func prefetch(_ row: Int, width: Int) {
    let line = base + row &* stride
    var column = 0
    while column < width {
      processor_prefetch_far(line + column)
      column &+= 16
    }
  }
}

/// The first key that query `query` can't see.
@inline(__always)
private func visibleKeys(query: Int, keys: Int, causal: Bool) -> Int {
  causal ? min(keys, query + 1) : keys
}

/// Scaled dot-product attention: `softmax(queries * keysᵀ / sqrt(width)) * values`, head by head.
///
/// - Parameters:
///   - queries: `[batch, queries, heads * width]`.
///   - keys: `[batch, keys, heads * width]`.
///   - values: the shape of `keys`.
///   - causal: whether a query sees only the keys up to its own place.
/// - Returns: the shape of `queries`, and for the backward the logarithms of the sums of exponentials,
///   `[batch, heads, queries]`.
public func attention(
  queries: Tensor, keys: Tensor, values: Tensor, heads: Int, causal: Bool = false
) -> (Tensor, logSums: Tensor) {
  let (batch, queryCount, keyCount) = (queries.shape[0], queries.shape[1], keys.shape[1])
  let width = queries.shape.last / heads
  let scale = 1 / Float(width).squareRoot()
  let result = Tensor(uninitialized: queries.shape)
  let logSums = Tensor(uninitialized: [batch, heads, queryCount])
  let block = queriesPerBlock(keyCount)
  // Of few heads, as the autoencoder's one, several tasks share the queries.
  let blocks = (queryCount + block - 1) / block
  let parts = min(
    blocks,
    max(
      1, leastTasks / (batch * heads), min(wantedTasks / (batch * heads), queryCount / leastOfPart))
  )
  let rowsEach = (blocks + parts - 1) / parts * block
  let length = MatrixProduct.padded(keyCount)
  let rowStride = spread(length)
  let ofLane = LaneValues<(head: Int, keys: PackedOperand, values: PackedOperand, room: Tensor)>()
  forEachHead(batch * heads, parts: parts) { numbers in
    // Rows of whole vectors, so that no row needs its last elements one by one, and each row's sum and largest score.
    var own =
      ofLane.own ?? (
        -1, PackedOperand(inner: width, columns: keyCount),
        PackedOperand(inner: keyCount, columns: width),
        Tensor(uninitialized: [block, rowStride + 18])
      )
    let (packedKeys, packedValues, room) = (own.keys, own.values, own.room)
    let weights = room.pointer
    let (sums, tops) = (weights + block * rowStride, weights + block * (rowStride + 1))
    let largest = weights + block * (rowStride + 2)
    let findsLargest = !causal && ScoreTiles.suits(packedKeys)
    for number in numbers {
      let (task, part) = (number / parts, number % parts)
      let (image, head) = (task / heads, task % heads)
      func view(_ tensor: Tensor) -> HeadView {
        HeadView(tensor, image: image, head: head, heads: heads)
      }
      let (theQueries, theResult) = (view(queries), view(result))
      if own.head != task {
        packedKeys.pack(view(keys).right(.columns))
        packedValues.pack(view(values).right(.rows))
        own.head = task
      }
      for start in stride(
        from: part * rowsEach, to: min(queryCount, (part + 1) * rowsEach), by: block)
      {
        let rows = min(block, queryCount - start)
        let queriesHere = theQueries.left(from: start)
        if findsLargest {
          ScoreTiles(queriesHere, rows: rows, packedKeys).store(
            in: weights, rowStride, tops: largest)
        } else {
          packedKeys.multiply(
            queriesHere, rows: rows,
            into: ProductTarget(base: weights, offsets: .strided(rowStride)))
        }
        for row in 0..<rows {
          let line = weights + row * rowStride
          let visible = visibleKeys(query: start + row, keys: keyCount, causal: causal)
          tops[row] =
            scale
            * (findsLargest ? load(largest + row * 16).largest : largestOf(line, count: visible))
          sums[row] = exponentials(
            line, visible: visible, length: length, scale: scale, largest: tops[row])
        }
        packedValues.multiply(
          LeftOperand(
            base: UnsafePointer(weights), layout: .rows, offsets: .strided(rowStride)),
          rows: rows, into: theResult.target(from: start))
        finish(
          theResult, from: start, rows, width: width, sums: sums, tops: tops,
          logSums: logSums.pointer + (task * queryCount + start))
      }
    }
    ofLane.own = own
  }
  return (result, logSums)
}

/// Calls `body` with ranges that cover the parts of all heads: of many whole heads, some are done one after the other with the
/// same buffers.
private func forEachHead(_ heads: Int, parts: Int, _ body: (Range<Int>) -> Void) {
  Parallel.forEachRange(
    of: heads * parts, grain: parts > 1 ? 1 : max(1, min(4, heads / leastTasks)), body)
}

/// Divides weighted sums of values by the sums of the weights, which takes less than dividing each weight.
/// - Parameter logSums: gets the logarithms of the sums, of exponentials that are not relative to the largest score.
@inline(never)
private func finish(
  _ result: HeadView, from start: Int, _ rows: Int, width: Int, sums: UnsafePointer<Float>,
  tops: UnsafePointer<Float>, logSums: UnsafeMutablePointer<Float>
) {
  for (row, n) in VectorRuns(0..<rows) {
    write(read(tops + row, n) + logarithm(read(sums + row, n)), logSums + row, n)
  }
  for row in 0..<rows {
    let line = result.base + (start + row) * result.stride
    let share = Vector(repeating: 1 / sums[row])
    for (j, n) in VectorRuns(0..<width) { write(read(line + j, n) * share, line + j, n) }
  }
}

/// The logarithm of e to the base 2: exponentials are powers of 2 here.
let log2e: Float = 1.442_695_04

/// The largest of some scores.
@inline(never)
private func largestOf(_ line: UnsafePointer<Float>, count: Int) -> Float {
  let lowest = Vector(repeating: -.infinity)
  // Several, for each comparison waits for the one before.
  var (a, b, c, d) = (lowest, lowest, lowest, lowest)
  var j = 0
  while j &+ 64 <= count {
    a = a.larger(load(line + j))
    b = b.larger(load(line + j + 16))
    c = c.larger(load(line + j + 32))
    d = d.larger(load(line + j + 48))
    j &+= 64
  }
  while j < count {
    a = a.larger(load(line + j).first(count &- j, otherwise: -.infinity))
    j &+= 16
  }
  return a.larger(b).larger(c.larger(d)).largest
}

/// Replaces scores by the exponentials of their scaled distances to the largest, and those from `visible` on by 0.
/// - Parameters:
///   - length: of the line, a multiple of 16.
///   - largest: the largest of the visible ones, scaled.
/// - Returns: the sum of the exponentials.
@inline(never)
private func exponentials(
  _ line: UnsafeMutablePointer<Float>, visible: Int, length: Int, scale: Float, largest: Float
) -> Float {
  let whole = visible & ~15
  let rest = visible &- whole
  let (origin, factor) = (Vector(repeating: -largest * log2e), Vector(repeating: scale * log2e))
  var sum = Vector()
  var j = 0
  while j < whole {
    let value = powerOfTwo(origin.addingProduct(load(line + j), factor))
    sum += value
    store(value, line + j)
    j &+= 16
  }
  if rest > 0 {
    let value = powerOfTwo(origin.addingProduct(load(line + whole), factor))
      .first(rest, otherwise: 0)
    sum += value
    store(value, line + whole)
    j &+= 16
  }
  while j < length {
    store(Vector(), line + j)
    j &+= 16
  }
  return sum.total
}

/// How many queries and keys the backward of attention takes at once: their weights, and the gradients by these, stay in
/// the second-level cache while the five products with them are made.
private let (queryBlock, keyBlock) = (256, 96)

/// The gradients of ``attention(queries:keys:values:heads:causal:)`` by queries, keys and values
/// (Dao et al., "FlashAttention", 2022, Algorithm 4).
///
/// With P the weights: `dV = Pᵀ dO`, `dP = dO Vᵀ`, `dS = P * (dP - rowsum(dO * O))`, `dQ = dS K / sqrt(width)`,
/// `dK = dSᵀ Q / sqrt(width)`. Weights are held with a row for each key, so that of the three products with them only one
/// reads columns.
public func attentionGradient(
  _ gradient: Tensor, queries: Tensor, keys: Tensor, values: Tensor, result: Tensor,
  logSums: Tensor, heads: Int, causal: Bool = false
) -> (queries: Tensor, keys: Tensor, values: Tensor) {
  let (batch, queryCount, keyCount) = (queries.shape[0], queries.shape[1], keys.shape[1])
  let width = queries.shape.last / heads
  let scale = 1 / Float(width).squareRoot()
  let queryGradient = Tensor(uninitialized: queries.shape)
  let keyGradient = Tensor(uninitialized: keys.shape)
  let valueGradient = Tensor(uninitialized: values.shape)
  // Scores are made in whole tiles of eight keys.
  let (queriesAtOnce, keysAtOnce) = (
    min(queryBlock, queryCount), (min(keyBlock, keyCount) + 7) / 8 * 8
  )
  let keyBlocks = (keyCount + keyBlock - 1) / keyBlock
  // Also room for what a left operand of few columns has beyond its last row.
  let length = spread(MatrixProduct.padded(queriesAtOnce))
  let plain = RowOffsets.strided(length)
  // With registers of 512 bits the gradient by the queries is made turned, `[width][queries]`: nothing has to be packed for it.
  let isTurned = processor_target_has_avx512() != 0
  // Each block of queries goes through all keys: their rows, which are far apart in the tensors, are put together. Single blocks are
  // taken where they lie, if no tile reads beyond a row.
  let isSingle = queryCount <= queryBlock && keyCount <= keyBlock && width % 8 == 0
  forEachHead(batch * heads, parts: 1) { tasks in
    let room = Tensor(uninitialized: [isSingle ? 0 : 4 * keyCount + queriesAtOnce, width])
    let buffer = Tensor(
      uninitialized: [2 * keysAtOnce + 2 + (isTurned ? MatrixProduct.padded(width) : 0), length])
    let weights = buffer.pointer
    let scores = weights + keysAtOnce * length
    let (origins, shifts) = (scores + keysAtOnce * length, scores + (keysAtOnce + 1) * length)
    let turned = scores + (keysAtOnce + 2) * length
    var packed = PackedQueries(queriesAtOnce, width: width)
    for task in tasks {
      let (image, head) = (task / heads, task % heads)
      func view(_ tensor: Tensor) -> HeadView {
        HeadView(tensor, image: image, head: head, heads: heads)
      }
      func place(_ tensor: Tensor, from row: Int) -> HeadView {
        isSingle ? view(tensor) : HeadView(room, from: row)
      }
      let (theKeys, theValues) = (place(keys, from: 0), place(values, from: keyCount))
      let byKeys = place(keyGradient, from: 2 * keyCount)
      let byValues = place(valueGradient, from: 3 * keyCount)
      let byQueries = place(queryGradient, from: 4 * keyCount)
      if !isSingle {
        view(keys).copy(keyCount, width: width, to: theKeys)
        view(values).copy(keyCount, width: width, to: theValues)
      }
      let keyRows =
        isTurned
        ? []
        : (0..<keyBlocks).map { block in
          PackedOperand(
            theKeys.right(.rows, from: block * keyBlock),
            inner: min(keyBlock, keyCount - block * keyBlock), columns: width, for: .fewColumns)
        }
      let step = ScoreGradient(
        weights: weights, scores: scores, stride: length, scale: scale, origins: origins,
        shifts: shifts)
      for start in stride(from: 0, to: queryCount, by: queryBlock) {
        let count = min(queryBlock, queryCount - start)
        if packed.count != count { packed = PackedQueries(count, width: width) }
        packed.pack(view(queries), gradient: view(gradient), from: start)
        prepare(
          view(gradient), view(result), from: start, count, width: width, scale: scale,
          logSums: logSums.pointer + (task * queryCount + start), origins: origins, shifts: shifts)
        for block in 0..<keyBlocks {
          let first = block * keyBlock
          let keysHere = min(keyBlock, keyCount - first)
          // Of the next block of queries, after the last; of a single block all is at hand.
          let next = keyBlocks == 1 ? nil : (block + 1) % keyBlocks
          func ask(_ key: Int) {
            guard let next else { return }
            let row = min(next * keyBlock + key, keyCount - 1)
            theKeys.prefetch(row, width: width)
            theValues.prefetch(row, width: width)
            byKeys.prefetch(row, width: width)
            byValues.prefetch(row, width: width)
            if !isTurned { keyRows[next].prefetch(part: key, of: keysHere) }
          }
          let (keysLeft, valuesLeft) = (theKeys.left(from: first), theValues.left(from: first))
          if ScoreTiles.suits(packed.columns) {
            ScoreTiles(keysLeft, rows: keysHere, packed.queryColumns).store(
              step, gradients: ScoreTiles(valuesLeft, rows: keysHere, packed.columns), ask)
          } else {
            packed.queryColumns.multiply(
              keysLeft, rows: keysHere, into: ProductTarget(base: weights, offsets: plain))
            packed.columns.multiply(
              valuesLeft, rows: keysHere, into: ProductTarget(base: scores, offsets: plain))
            for key in 0..<keysHere {
              ask(key)
              step.turn(key, columns: count)
            }
          }
          if causal { hide(step, keys: first..<(first + keysHere), from: start, count) }
          if isTurned {
            addTurned(
              theKeys, from: first, keysHere, width: width, scores, length, columns: count,
              into: ProductTarget(base: turned, offsets: plain, accumulates: first > 0))
          } else {
            keyRows[block].multiply(
              LeftOperand(base: UnsafePointer(scores), layout: .fewColumns, offsets: plain),
              rows: count, into: byQueries.target(accumulates: first > 0))
          }
          packed.queryRows.multiply(
            LeftOperand(base: UnsafePointer(scores), layout: .rows, offsets: plain),
            rows: keysHere, into: byKeys.target(from: first, accumulates: start > 0))
          packed.rows.multiply(
            LeftOperand(base: UnsafePointer(weights), layout: .rows, offsets: plain),
            rows: keysHere, into: byValues.target(from: first, accumulates: start > 0))
        }
        if isTurned {
          turn(turned, length, width: width, count, to: view(queryGradient), at: start)
        } else if !isSingle {
          byQueries.copy(count, width: width, to: view(queryGradient), at: start)
        }
      }
      if !isSingle {
        byKeys.copy(keyCount, width: width, to: view(keyGradient))
        byValues.copy(keyCount, width: width, to: view(valueGradient))
      }
    }
    withExtendedLifetime((room, buffer)) {}
  }
  return (queryGradient, keyGradient, valueGradient)
}

/// Some queries and the gradients by their results, packed both ways.
private struct PackedQueries {
  let count: Int
  let queryColumns: PackedOperand
  let queryRows: PackedOperand
  let columns: PackedOperand
  let rows: PackedOperand

  init(_ count: Int, width: Int) {
    self.count = count
    queryColumns = PackedOperand(inner: width, columns: count)
    queryRows = PackedOperand(inner: count, columns: width)
    columns = PackedOperand(inner: width, columns: count)
    rows = PackedOperand(inner: count, columns: width)
  }

  func pack(_ queries: HeadView, gradient: HeadView, from start: Int) {
    queryColumns.pack(queries.right(.columns, from: start))
    queryRows.pack(queries.right(.rows, from: start))
    columns.pack(gradient.right(.columns, from: start))
    rows.pack(gradient.right(.rows, from: start))
  }
}

/// What ``ScoreGradient`` takes of some queries.
@inline(never)
private func prepare(
  _ gradient: HeadView, _ result: HeadView, from start: Int, _ count: Int, width: Int,
  scale: Float, logSums: UnsafePointer<Float>, origins: UnsafeMutablePointer<Float>,
  shifts: UnsafeMutablePointer<Float>
) {
  let base = Vector(repeating: -log2e)
  for (query, n) in VectorRuns(0..<count) {
    store(base * read(logSums + query, n), origins + query)
  }
  // Zeros, too, for what the last tile has beyond the last query.
  let rest = MatrixProduct.padded(count) - count
  (shifts + count).update(repeating: 0, count: rest)
  for query in start..<(start + count) {
    shifts[query - start] =
      -scale
      * dot(gradient.base + query * gradient.stride, result.base + query * result.stride, width)
  }
}

/// Adds `keysᵀ * scores`, `[width, columns]`, where both lie row by row.
/// - Parameters:
///   - keys: some rows. Up to seven floats beyond each are read, too.
///   - scores: a row for each of these keys, `length` apart, a multiple of 16.
private func addTurned(
  _ keys: HeadView, from first: Int, _ count: Int, width: Int, _ scores: UnsafePointer<Float>,
  _ length: Int, columns: Int, into target: ProductTarget
) {
  var silence = Silence()
  let rows = UnsafePointer(keys.base + first * keys.stride)
  for column in stride(from: 0, to: columns, by: MatrixProduct.stripWidth) {
    let stripWidth = MatrixProduct.stripWidth(remaining: columns - column)
    for row in stride(from: 0, to: width, by: MatrixProduct.tileRows) {
      Panel(
        pieces: UnsafeBufferPointer(start: nil, count: 0), inner: count, strip: scores + column,
        valid: min(stripWidth, columns - column),
        rows: row..<min(width, row + MatrixProduct.tileRows), column: column, target: target,
        stripStride: length
      ).run(width: stripWidth, packed: rows + row, stride: keys.stride, &silence)
    }
  }
}

/// Turns `[width][count]`, rows `length` apart, into rows of a head from `start` on.
/// - Parameter turned: as many rows as a multiple of 16, all of which are read.
private func turn(
  _ turned: UnsafePointer<Float>, _ length: Int, width: Int, _ count: Int, to head: HeadView,
  at start: Int
) {
  withBlock { block in
    for query in stride(from: 0, to: count, by: 16) {
      for column in stride(from: 0, to: width, by: 16) {
        transpose16x16(turned + (column * length + query), length, into: block, 16)
        for i in 0..<min(16, count - query) {
          let line = head.base + (start + query + i) * head.stride + column
          write(load(block + i * 16), line, min(16, width - column))
        }
      }
    }
  }
}

/// Queries before a key don't see it.
/// - Parameter start: the first of `count` queries.
private func hide(_ step: ScoreGradient, keys: Range<Int>, from start: Int, _ count: Int) {
  for key in keys where key > start {
    let row = (key - keys.lowerBound) * step.stride
    (step.weights + row).update(repeating: 0, count: min(count, key - start))
    (step.scores + row).update(repeating: 0, count: min(count, key - start))
  }
}

private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
  var sum = Vector()
  for (j, n) in VectorRuns(0..<count) { sum.addProduct(read(a + j, n), read(b + j, n)) }
  return sum.total
}
