// Convolutions of 3x3 kernels by Winograd's minimal filtering: a quarter of the multiplications of the direct form.
//
// A picture is cut into tiles of 4x4 outputs, F(4x4, 3x3) of Lavin and Gray ("Fast Algorithms for Convolutional Neural
// Networks", 2016), with the points 0, ±2/3, ±3/2. With d a patch of 6x6 inputs and w the kernel,
//
//     y = Aᵀ [ (G w Gᵀ) * (Bᵀ d B) ] A
//
// where * goes element by element; the sums over input channels are 36 matrix products, one for each element.
// Channels are last, so every transform works on sixteen channels at once.

import CProcessor

/// Convolutions of stride 1 with 3x3 kernels in a frame of one zero.
package enum Winograd {
  /// Whether any convolution is done this way. Never off but to compare with the direct form.
  @TaskLocal package static var isUsed = true

  /// Outputs of a tile along one direction.
  static let tile = 4
  /// Elements of a transformed tile.
  static let elements = 36

  /// The most tiles that a task transforms and multiplies at once.
  private static let mostTilesPerChunk = 64
  /// The fewest, where more tasks are wanted: each packs the weights anew.
  private static let leastTilesPerChunk = 16
  /// How many tasks a convolution is cut into at least, if it has tiles enough.
  private static let leastTasks = 4
  /// How many channels ahead of the one that is transformed weights are asked for.
  private static let prefetchDistance = 8
  /// How many channels of the sum are taken at once: their transformed weights stay in the second-level cache.
  private static let innerBlock = 64
  /// From how many elements of tiles on they are put in the order in which they are multiplied.
  static let orderedCount = 1 << 19
  /// The most columns that are multiplied at once with tiles that no second-level cache holds: each strip reads these again. The
  /// products and the transformed weights of so many want a second-level cache of 2 MB.
  static let widestStrip =
    processor_target_has_avx512() != 0 && processor_second_cache_bytes() >= 2 << 20
    ? Row80.width : MatrixProduct.stripWidth

  /// Whether a convolution is done this way: the channels fill vectors, and there are so many tiles that the products
  /// saved outweigh the transforms of the weights.
  static func suits(
    batch: Int, height: Int, width: Int, inputs: Int, outputs: Int, _ geometry: ConvolutionGeometry,
    leastTiles: Int = 4
  ) -> Bool {
    isUsed && geometry == ConvolutionGeometry(kernel: 3) && inputs % 16 == 0 && outputs % 16 == 0
      && min(height, width) >= tile
      && batch * Tiling.count(height) * Tiling.count(width) >= leastTiles
  }

  /// The tiles of a batch of pictures, in order of picture, row and column.
  struct Tiling {
    let height: Int
    let width: Int
    let rows: Int
    let columns: Int
    let count: Int

    init(batch: Int, height: Int, width: Int) {
      self.height = height
      self.width = width
      rows = Self.count(height)
      columns = Self.count(width)
      count = batch * rows * columns
    }

    static func count(_ extent: Int) -> Int { (extent + tile - 1) / tile }

    /// Picture, first row and first column of a tile's outputs.
    func origin(_ index: Int) -> (image: Int, y: Int, x: Int) {
      (
        index / (rows * columns), index / columns % rows * tile, index % columns * tile
      )
    }
  }

  // MARK: - Transforms of six elements

  typealias Six = (Vector, Vector, Vector, Vector, Vector, Vector)

  /// The points beside 0 and infinity are plus and minus these two, each other's inverses, as Alam, Anderson, Barabasz
  /// and Gregg choose them ("Winograd Convolution for Deep Neural Networks: Efficient Point Selection", 2022): they round
  /// half as much as 1 and 2 do, and the product of their squares is 1.
  @_transparent
  static var near: Float { 2.0 / 3 }
  @_transparent
  static var far: Float { 3.0 / 2 }

  /// What a kernel's values at the near and the far points are divided by: the product of the distances to the others.
  @_transparent
  static var nearScale: Float { 1 / (2 * near * near * (near * near - far * far)) }
  @_transparent
  static var farScale: Float { 1 / (2 * far * far * (far * far - near * near)) }

  /// a + factor b, rounded once.
  @_transparent
  private static func sum(_ a: Vector, _ factor: Float, _ b: Vector) -> Vector {
    a.addingProduct(Vector(repeating: factor), b)
  }

  /// Bᵀ d: with the coefficients of the product of all (x - point) but one.
  @_transparent
  private static func input(_ d: Six) -> Six {
    let (even, odd) = (sum(d.4, -far * far, d.2), sum(d.3, -far * far, d.1))
    let (others, odds) = (sum(d.4, -near * near, d.2), sum(d.3, -near * near, d.1))
    let squares = near * near + far * far
    return (
      sum(d.0 + d.4, -squares, d.2),
      sum(even, near, odd), sum(even, -near, odd),
      sum(others, far, odds), sum(others, -far, odds),
      sum(d.1 + d.5, -squares, d.3)
    )
  }

  /// Aᵀ m: from the values at the points to coefficients.
  @_transparent
  private static func output(_ m: Six) -> (Vector, Vector, Vector, Vector) {
    let (s, d) = (m.1 + m.2, m.1 - m.2)
    let (p, q) = (m.3 + m.4, m.3 - m.4)
    return (
      m.0 + s + p,
      sum(Vector(repeating: near) * d, far, q),
      sum(Vector(repeating: near * near) * s, far * far, p),
      sum(sum(m.5, near * near * near, d), far * far * far, q)
    )
  }

  /// A y, the adjoint of `output`.
  @_transparent
  private static func outputAdjoint(_ y: (Vector, Vector, Vector, Vector)) -> Six {
    let (even, odd) = (sum(y.0, near * near, y.2), sum(y.1, near * near, y.3))
    let (others, odds) = (sum(y.0, far * far, y.2), sum(y.1, far * far, y.3))
    return (
      y.0,
      sum(even, near, odd), sum(even, -near, odd),
      sum(others, far, odds), sum(others, -far, odds),
      y.3
    )
  }

  /// G w.
  @_transparent
  static func weights(_ w: (Vector, Vector, Vector)) -> Six {
    let even = Vector(repeating: nearScale) * sum(w.0, near * near, w.2)
    let others = Vector(repeating: farScale) * sum(w.0, far * far, w.2)
    return (
      w.0,
      sum(even, nearScale * near, w.1), sum(even, -nearScale * near, w.1),
      sum(others, farScale * far, w.1), sum(others, -farScale * far, w.1),
      w.2
    )
  }

  /// Gᵀ u, the adjoint of `weights`.
  @_transparent
  private static func weightsAdjoint(_ u: Six) -> (Vector, Vector, Vector) {
    let (s, d) = (u.1 + u.2, u.1 - u.2)
    let (p, q) = (u.3 + u.4, u.3 - u.4)
    return (
      sum(sum(u.0, nearScale, s), farScale, p),
      sum(Vector(repeating: nearScale * near) * d, farScale * far, q),
      sum(sum(u.5, nearScale * near * near, s), farScale * far * far, p)
    )
  }

  @_transparent
  private static func six(_ p: UnsafePointer<Float>, _ stride: Int) -> Six {
    (
      load(p), load(p + stride), load(p + 2 &* stride), load(p + 3 &* stride),
      load(p + 4 &* stride), load(p + 5 &* stride)
    )
  }

  @_transparent
  static func put(
    _ v: Six, _ p: UnsafeMutablePointer<Float>, _ stride: Int, streamed: Bool = false
  ) {
    store(v.0, p, streamed: streamed)
    store(v.1, p + stride, streamed: streamed)
    store(v.2, p + 2 &* stride, streamed: streamed)
    store(v.3, p + 3 &* stride, streamed: streamed)
    store(v.4, p + 4 &* stride, streamed: streamed)
    store(v.5, p + 5 &* stride, streamed: streamed)
  }

  /// Puts the first half of each at one place and the second at another.
  @_transparent
  static func putHalves(
    _ v: Six, _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>,
    _ stride: Int
  ) {
    @_transparent func put(_ vector: Vector, _ element: Int) {
      storeHalf(vector.lowHalf, first + element &* stride)
      storeHalf(vector.highHalf, second + element &* stride)
    }
    put(v.0, 0)
    put(v.1, 1)
    put(v.2, 2)
    put(v.3, 3)
    put(v.4, 4)
    put(v.5, 5)
  }

  /// Bᵀ d B of sixteen channels.
  /// - Parameters:
  ///   - patch: 6x6 pixels, rows `rowStride` apart and columns `columnStride`.
  ///   - target: 36 elements, `stride` apart.
  @inline(never)
  static func transformInput(
    _ patch: UnsafePointer<Float>, rowStride: Int, columnStride: Int, channels: Int,
    into target: UnsafeMutablePointer<Float>, stride: Int, streamed: Bool = false
  ) {
    var channel = 0
    while channel < channels {
      @_transparent func column(_ number: Int) -> Six {
        input(six(patch + (number &* columnStride &+ channel), rowStride))
      }
      let (a, b, c) = (column(0), column(1), column(2))
      let (d, e, f) = (column(3), column(4), column(5))
      @_transparent func put(_ row: Int, _ elements: Six) {
        Winograd.put(
          input(elements), target + (row &* 6 &* stride &+ channel), stride, streamed: streamed)
      }
      put(0, (a.0, b.0, c.0, d.0, e.0, f.0))
      put(1, (a.1, b.1, c.1, d.1, e.1, f.1))
      put(2, (a.2, b.2, c.2, d.2, e.2, f.2))
      put(3, (a.3, b.3, c.3, d.3, e.3, f.3))
      put(4, (a.4, b.4, c.4, d.4, e.4, f.4))
      put(5, (a.5, b.5, c.5, d.5, e.5, f.5))
      channel &+= 16
    }
  }

  /// A y Aᵀ of sixteen channels at a time: `[4 x 4 pixels]` to 36 elements.
  @inline(never)
  static func transformOutputGradient(
    _ patch: UnsafePointer<Float>, rowStride: Int, columnStride: Int, channels: Int,
    into target: UnsafeMutablePointer<Float>, stride: Int, streamed: Bool = false
  ) {
    var channel = 0
    while channel < channels {
      @_transparent func column(_ number: Int) -> Six {
        let p = patch + (number &* columnStride &+ channel)
        return outputAdjoint(
          (load(p), load(p + rowStride), load(p + 2 &* rowStride), load(p + 3 &* rowStride)))
      }
      let (a, b, c, d) = (column(0), column(1), column(2), column(3))
      @_transparent func put(_ row: Int, _ y: (Vector, Vector, Vector, Vector)) {
        Winograd.put(
          outputAdjoint(y), target + (row &* 6 &* stride &+ channel), stride, streamed: streamed)
      }
      put(0, (a.0, b.0, c.0, d.0))
      put(1, (a.1, b.1, c.1, d.1))
      put(2, (a.2, b.2, c.2, d.2))
      put(3, (a.3, b.3, c.3, d.3))
      put(4, (a.4, b.4, c.4, d.4))
      put(5, (a.5, b.5, c.5, d.5))
      channel &+= 16
    }
  }

  /// How transformed tiles lie in memory: `[block][36][tiles][channels of the block]`.
  struct TileLayout {
    /// Of a block; the last may have fewer.
    let channels: Int
    let tiles: Int

    /// From an element to the next of a block of so many channels.
    func elementStride(_ channels: Int) -> Int { spread(tiles * channels) }
    var blockStride: Int { elements * elementStride(channels) }
    /// How many floats so many channels take.
    func count(_ all: Int) -> Int { (all + channels - 1) / channels * blockStride }
  }

  /// Transforms the tiles of `range`, of inputs or of gradients of outputs.
  ///
  /// - Parameters:
  ///   - extent: 6 for patches that begin a pixel before their tile, 4 for the tiles themselves.
  ///   - target: where tile `first` goes.
  private static func transformTiles(
    _ x: Tensor, _ tiling: Tiling, _ range: Range<Int>, extent: Int,
    into target: UnsafeMutablePointer<Float>, from first: Int, _ layout: TileLayout,
    streamed: Bool = false
  ) {
    let channels = x.shape[3]
    let (height, width) = (tiling.height, tiling.width)
    let before = extent == 6 ? 1 : 0
    withScratch(extent * extent * channels) { framed in
      for index in range {
        let (image, top, left) = tiling.origin(index)
        let (y, x0) = (top - before, left - before)
        let inside = y >= 0 && x0 >= 0 && y + extent <= height && x0 + extent <= width
        var patch = UnsafePointer(x.pointer) + ((image * height + y) * width + x0) * channels
        var rowStride = width * channels
        if !inside {
          let (first, last) = (max(0, -x0), min(extent, width - x0))
          for row in 0..<extent {
            let line = framed + row * extent * channels
            guard y + row >= 0, y + row < height else {
              line.update(repeating: 0, count: extent * channels)
              continue
            }
            line.update(repeating: 0, count: first * channels)
            (line + first * channels).update(
              from: patch + (row * rowStride + first * channels), count: (last - first) * channels)
            (line + last * channels).update(repeating: 0, count: (extent - last) * channels)
          }
          patch = UnsafePointer(framed)
          rowStride = extent * channels
        }
        for channel in Swift.stride(from: 0, to: channels, by: layout.channels) {
          let some = min(layout.channels, channels - channel)
          let place = target + (channel / layout.channels * layout.blockStride)
          let transform = extent == 6 ? transformInput : transformOutputGradient
          transform(
            patch + channel, rowStride, channels, some, place + (index - first) * some,
            layout.elementStride(some), streamed)
        }
      }
    }
  }

  /// G w Gᵀ of sixteen columns: nine taps `tapStride` apart to 36 elements `stride` apart.
  @inline(__always)
  private static func transformWeights(
    _ taps: UnsafePointer<Float>, tapStride: Int, into target: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    @_transparent func column(_ p: UnsafePointer<Float>) -> Six {
      weights((load(p), load(p + 3 &* tapStride), load(p + 6 &* tapStride)))
    }
    let (a, b, c) = (column(taps), column(taps + tapStride), column(taps + 2 &* tapStride))
    put(weights((a.0, b.0, c.0)), target, stride)
    put(weights((a.1, b.1, c.1)), target + 6 &* stride, stride)
    put(weights((a.2, b.2, c.2)), target + 12 &* stride, stride)
    put(weights((a.3, b.3, c.3)), target + 18 &* stride, stride)
    put(weights((a.4, b.4, c.4)), target + 24 &* stride, stride)
    put(weights((a.5, b.5, c.5)), target + 30 &* stride, stride)
  }

  /// The transformed weights of some inner channels and one strip of columns, packed for the product:
  /// `[36][inner][strip width]`.
  ///
  /// - Parameter rotated: whether the kernel is that of the gradient by the input: turned by half a turn, with inputs and
  ///   outputs exchanged, so that the inner channels are the outputs and the columns the inputs.
  @inline(never)
  private static func packWeights(
    _ w: KernelStrips, rotated: Bool, inner: Range<Int>, columns: Range<Int>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    let (size, width) = (KernelStrips.kernelCount, columns.count)
    let stride = spread(inner.count * width)
    guard rotated else {
      for column in Swift.stride(from: 0, to: width, by: 16) {
        var taps = w.kernel(input: inner.lowerBound, output: columns.lowerBound + column)
        var place = packed + column
        for _ in inner {
          for tap in 0..<9 { processor_prefetch(taps + (prefetchDistance &* size &+ tap &* 16)) }
          transformWeights(taps, tapStride: 16, into: place, stride: stride)
          taps += size
          place += width
        }
      }
      return
    }
    withScratch(9 * 256) { turned in
      for column in Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: 16) {
        let place = packed + (column - columns.lowerBound)
        for block in Swift.stride(from: inner.lowerBound, to: inner.upperBound, by: 16) {
          let source = w.kernel(input: column, output: block)
          for tap in 0..<9 {
            let ahead = source + (w.stripStride &+ tap &* 256)
            for line in 0..<16 { processor_prefetch(ahead + line &* 16) }
            transpose16x16(source + (8 - tap) * 16, size, into: turned + tap * 256, 16)
          }
          for k in 0..<16 {
            transformWeights(
              turned + k * 16, tapStride: 256,
              into: place + (block - inner.lowerBound + k) * width, stride: stride)
          }
        }
      }
    }
  }

  // MARK: - Convolutions

  /// The width of the next strip of so many columns: few strips, and none of 16 columns if it can be helped, which take a load for
  /// each multiply-add.
  static func stripWidth(remaining columns: Int, most: Int) -> Int {
    guard most == Row80.width else { return MatrixProduct.stripWidth(remaining: columns) }
    switch (columns + 15) / 16 {
    case 4: return 32
    case 6: return 48
    case 5...: return Row80.width
    default: return MatrixProduct.stripWidth(remaining: columns)
    }
  }

  /// The convolution, or with `rotated` its gradient by the input.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inner channels]`.
  ///   - w: the weights.
  static func convolution(
    _ x: Tensor, _ w: KernelStrips, bias: Tensor?, rotated: Bool, widestStrip: Int = widestStrip
  ) -> Tensor {
    let tiling = Tiling(batch: x.shape[0], height: x.shape[1], width: x.shape[2])
    if FewTiles.suits(tiling, w) {
      return FewTiles.convolution(x, w, bias: bias, rotated: rotated, tiling)
    }
    let (inner, outputs) = rotated ? (w.outputs, w.inputs) : (w.inputs, w.outputs)
    let result = Tensor(uninitialized: [x.shape[0], x.shape[1], x.shape[2], outputs])

    let strips = (outputs + MatrixProduct.stripWidth - 1) / MatrixProduct.stripWidth
    // Few output channels make few tasks by themselves: a convolution of one strip would run on one thread alone.
    let wanted = (leastTasks + strips - 1) / strips
    let each = ((tiling.count + wanted - 1) / wanted + 7) / 8 * 8
    let tilesPerChunk = min(mostTilesPerChunk, max(leastTilesPerChunk, each))
    let chunks = (tiling.count + tilesPerChunk - 1) / tilesPerChunk
    func tiles(_ chunk: Int) -> Range<Int> {
      (chunk * tilesPerChunk)..<min(tiling.count, (chunk + 1) * tilesPerChunk)
    }
    func isOrdered(tiles: Int) -> Bool {
      elements * tiles * inner > orderedCount && !suitsRows(tiles: tiles, inner: inner)
    }
    let widest = isOrdered(tiles: tiles(0).count) ? widestStrip : MatrixProduct.stripWidth
    let cut = ColumnTasks(
      columns: outputs, wanted: (8 + chunks - 1) / chunks,
      width: outputs % (2 * widest) == 0 ? widest : MatrixProduct.stripWidth)
    let groups = cut.count

    let isLarge = w.count > MatrixProduct.cachedCount
    // The chunk that a thread works on. Of few tiles, which are one chunk, each thread transforms all.
    let transformed = LaneValues<(chunk: Int, tiles: Storage)>()
    // What a second-level cache doesn't hold lies in memory in the order in which it is multiplied, a block of channels after another;
    // by rows of elements all channels are multiplied with one.
    func layout(_ tiles: Int) -> TileLayout {
      TileLayout(channels: isOrdered(tiles: tiles) ? innerBlock : inner, tiles: tiles)
    }
    func transform(_ chunk: Int) -> UnsafePointer<Float> {
      let own = transformed.own
      if let own, own.chunk == chunk { return UnsafePointer(own.tiles.pointer) }
      let storage =
        own?.tiles
        ?? StoragePool.shared.storage(count: layout(tilesPerChunk).count(inner))
      let tiles = tiles(chunk)
      transformTiles(
        x, tiling, tiles, extent: 6, into: storage.pointer, from: tiles.lowerBound,
        layout(tiles.count))
      transformed.own = (chunk, storage)
      return UnsafePointer(storage.pointer)
    }

    Parallel.forEach(chunks * groups) { task in
      let (chunk, group) = (task / groups, task % groups)
      let tiles = tiles(chunk)
      let left = transform(chunk)
      if suitsRows(tiles: tiles.count, inner: inner) {
        return convolveByRows(
          left, w, bias: bias, rotated: rotated, tiling, tiles, columns: cut[group], into: result)
      }
      let packed = StoragePool.shared.storage(count: elements * spread(innerBlock * widest))
      let products = StoragePool.shared.storage(count: elements * spread(tiles.count * widest))
      let (first, last) = (cut[group].lowerBound, cut[group].upperBound)
      // The thread most likely goes on with the next group.
      let foreseen = group + 1 == groups ? last : cut[group + 1].upperBound
      var column = first
      while column < last {
        let width = stripWidth(remaining: last - column, most: widest)
        for start in stride(from: 0, to: inner, by: innerBlock) {
          let block = start..<min(inner, start + innerBlock)
          packWeights(
            w, rotated: rotated, inner: block, columns: column..<(column + width),
            into: packed.pointer)
          // What is packed next comes from memory while the products keep the processor busy.
          let next =
            block.upperBound < inner
            ? (block.upperBound, column) : (0, column + width)
          let nextColumns = next.1..<min(foreseen, next.1 + width)
          let layout = layout(tiles.count)
          let (number, offset) = (start / layout.channels, start % layout.channels)
          let channels = min(layout.channels, inner - number * layout.channels)
          let elementStride = layout.elementStride(channels)
          for element in 0..<elements {
            var lines = LinesAhead.none
            if isLarge, !nextColumns.isEmpty {
              lines = w.lines(
                transposed: rotated, inner: next.0..<min(inner, next.0 + innerBlock),
                columns: nextColumns, part: element, of: elements)
              lines.spread(
                over: MatrixProduct.asks(
                  rows: tiles.count, stripWidth: width, inner: block.count))
            }
            let operand = LeftOperand(
              base: left + (number * layout.blockStride + element * elementStride + offset),
              layout: .rows, offsets: .strided(channels))
            let target = ProductTarget(
              base: products.pointer + element * spread(tiles.count * width),
              offsets: .strided(width), accumulates: start > 0)
            MatrixProduct.multiply(
              operand, inner: block.count, rows: tiles.count,
              strip: packed.pointer + element * spread(block.count * width), width: width,
              into: target, meanwhile: &lines)
          }
        }
        transformProducts(
          products.pointer, tiling, tiles, width: width, stride: spread(tiles.count * width),
          bias: bias.map { UnsafePointer($0.pointer) + column }, into: result, column: column)
        column += width
      }
    }
    return result
  }

  /// Aᵀ m A of each tile and column of a strip, with the bias, into the picture.
  /// - Parameter products: `[36][tiles][width]`, elements `stride` apart.
  @inline(never)
  static func transformProducts(
    _ products: UnsafePointer<Float>, _ tiling: Tiling, _ tiles: Range<Int>, width: Int,
    stride: Int, bias: UnsafePointer<Float>?, into result: Tensor, column: Int
  ) {
    let (channels, isStreamed) = (result.shape[3], result.isStreamed)
    for index in tiles {
      let (image, y, x) = tiling.origin(index)
      let rows = min(tile, tiling.height - y)
      let columns = min(tile, tiling.width - x)
      let place =
        result.pointer + ((image * tiling.height + y) * tiling.width + x) * channels + column
      for j in Swift.stride(from: 0, to: width, by: 16) {
        let source = products + ((index - tiles.lowerBound) &* width &+ j)
        @_transparent func column(_ element: Int) -> (Vector, Vector, Vector, Vector) {
          output(six(source + element &* stride, 6 &* stride))
        }
        let (a, b, c, d, e, f) = (column(0), column(1), column(2), column(3), column(4), column(5))
        let shift = bias.map { load($0 + j) } ?? Vector()
        @_transparent func put(_ row: Int, _ m: Six) {
          guard row < rows else { return }
          let y = output(m)
          let line = place + (row &* tiling.width &* channels &+ j)
          write(y.0 + shift, line, 16, streamed: isStreamed)
          if columns > 1 { write(y.1 + shift, line + channels, 16, streamed: isStreamed) }
          if columns > 2 { write(y.2 + shift, line + 2 &* channels, 16, streamed: isStreamed) }
          if columns > 3 { write(y.3 + shift, line + 3 &* channels, 16, streamed: isStreamed) }
        }
        put(0, (a.0, b.0, c.0, d.0, e.0, f.0))
        put(1, (a.1, b.1, c.1, d.1, e.1, f.1))
        put(2, (a.2, b.2, c.2, d.2, e.2, f.2))
        put(3, (a.3, b.3, c.3, d.3, e.3, f.3))
      }
    }
  }

  /// The gradient by the weights: `Gᵀ [ sum over tiles of (Bᵀ d B) * (A dy Aᵀ) ] G`.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]`.
  ///   - gradient: `[batch, height, width, outputs]`.
  /// - Returns: `[outputs / 16, inputs, 3, 3, 16]`.
  static func weightGradient(_ x: Tensor, _ gradient: Tensor) -> Tensor {
    let result = GradientTarget.result(x, gradient)
    weightGradient(x, gradient) { products, some, block in
      transformWeightGradient(
        products, some, of: block,
        into: GradientTarget(result, rows: some, columns: block.columns))
    }
    return result
  }

  /// The same, given away in parts.
  static func weightGradient(_ x: Tensor, _ gradient: Tensor, inParts taker: PartTaker) {
    weightGradient(x, gradient) { products, some, block in
      GradientTarget.give(some, block.columns, inputs: x.shape[3], to: taker) { target in
        transformWeightGradient(products, some, of: block, into: target)
      }
    }
  }

  /// A part of the gradient by the weights, of all taps.
  private struct GradientBlock {
    var rows: Range<Int>
    var columns: Range<Int>

    /// All of them, of as many rows and columns.
    ///
    /// Rows are whole, for what takes them goes through memory then in order, and a block has so few that its products stay in a
    /// cache. But where the tiles' elements don't, blocks are square, so that these are read less often.
    static func all(rows: Int, columns: Int, tiles: Int) -> [GradientBlock] {
      let isSquare = elements * tiles * columns > 1 << 21
      let columnsEach = isSquare ? MatrixProduct.rowBlock : columns
      let most = min(MatrixProduct.rowBlock, productsCount / (elements * columnsEach))
      let least = (rows + most - 1) / max(most, 1)
      let tile = MatrixProduct.tileRows
      let rowsEach = max(2 * tile, ((rows + least - 1) / least + tile - 1) / tile * tile)
      return stride(from: 0, to: rows, by: rowsEach).flatMap { row in
        stride(from: 0, to: columns, by: columnsEach).map { column in
          GradientBlock(
            rows: row..<min(rows, row + rowsEach),
            columns: column..<min(columns, column + columnsEach))
        }
      }
    }

    /// How many products a block has, at most, if not of the fewest rows.
    private static let productsCount = 1 << 18

    var count: Int { rows.count * columns.count }
  }

  /// - Parameter finish: turns the 36 products of a block into weights, of some of its rows.
  private static func weightGradient(
    _ x: Tensor, _ gradient: Tensor,
    finish: (_ products: UnsafePointer<Float>, _ some: Range<Int>, _ block: GradientBlock) -> Void
  ) {
    let tiling = Tiling(batch: x.shape[0], height: x.shape[1], width: x.shape[2])
    let (inputs, outputs, count) = (x.shape[3], gradient.shape[3], tiling.count)
    // With registers of 512 bits tiles are put where the products want them: sixteen rows side by side, and strips of columns.
    let isPacked = processor_target_has_avx512() != 0
    let leftLayout = TileLayout(channels: isPacked ? 16 : inputs, tiles: count)
    let rightLayout = TileLayout(
      channels: isPacked ? MatrixProduct.stripWidth : outputs, tiles: count)
    let left = StoragePool.shared.storage(count: leftLayout.count(inputs))
    let right = StoragePool.shared.storage(count: rightLayout.count(outputs))
    Parallel.forEachRange(of: count, grain: 8) { range in
      transformTiles(
        x, tiling, range, extent: 6, into: left.pointer, from: 0, leftLayout,
        streamed: Tensor.isStreamed(count: elements * count * inputs))
      transformTiles(
        gradient, tiling, range, extent: 4, into: right.pointer, from: 0, rightLayout,
        streamed: Tensor.isStreamed(count: elements * count * outputs))
    }

    let blocks = GradientBlock.all(rows: inputs, columns: outputs, tiles: count)
    func pack(_ element: Int, _ columns: Range<Int>) -> PackedOperand {
      PackedOperand(
        RightOperand(
          base: UnsafePointer(right.pointer)
            + (element * rightLayout.elementStride(outputs) + columns.lowerBound),
          layout: .rows, stride: outputs), inner: count, columns: columns.count, for: .columns)
    }
    func multiply(
      _ block: GradientBlock, _ element: Int, _ packed: PackedOperand?,
      into products: UnsafeMutablePointer<Float>
    ) {
      let target = ProductTarget(
        base: products + element * spread(block.count), offsets: .strided(block.columns.count))
      guard let packed else {
        return multiplyPacked(
          left.pointer, leftLayout, right.pointer, rightLayout, element, block, into: target)
      }
      packed.multiply(
        LeftOperand(
          base: UnsafePointer(left.pointer)
            + (element * leftLayout.elementStride(inputs) + block.rows.lowerBound),
          layout: .columns, offsets: .strided(inputs)),
        rows: block.rows.count, into: target)
    }
    let room = elements * spread(blocks[0].count)
    if blocks.count >= 3 * Parallel.threads {
      // What all blocks of the same columns are multiplied with is packed once.
      let columns = blocks.prefix { $0.rows == blocks[0].rows }.map(\.columns)
      let packedCount = isPacked ? 0 : columns.count * elements
      let packed = [PackedOperand](unsafeUninitializedCapacity: packedCount) { packed, made in
        made = packedCount
        Parallel.forEach(packedCount) { number in
          (packed.baseAddress! + number).initialize(
            to: pack(number % elements, columns[number / elements]))
        }
      }
      Parallel.forEach(blocks.count) { number in
        let block = blocks[number]
        let products = StoragePool.shared.storage(count: room)
        for element in 0..<elements {
          multiply(
            block, element,
            isPacked ? nil : packed[number % columns.count * elements + element],
            into: products.pointer)
        }
        finish(products.pointer, block.rows, block)
      }
    } else {
      // Few channels make few blocks, too few for the threads: their elements are shared out too.
      let products = StoragePool.shared.storage(count: blocks.count * room)
      let groups = 6
      Parallel.forEach(blocks.count * groups) { task in
        let (number, group) = (task / groups, task % groups)
        for element in (group * elements / groups)..<((group + 1) * elements / groups) {
          multiply(
            blocks[number], element, isPacked ? nil : pack(element, blocks[number].columns),
            into: products.pointer + number * room)
        }
      }
      Parallel.forEach(blocks.count * groups) { task in
        let (number, group) = (task / groups, task % groups)
        let rows = blocks[number].rows
        finish(
          products.pointer + number * room,
          (rows.lowerBound + group * rows.count / groups)..<(rows.lowerBound + (group + 1)
            * rows.count / groups),
          blocks[number])
      }
    }
  }

  /// The products of an element of the tiles of a block, which lie as register tiles of eight rows want them.
  private static func multiplyPacked(
    _ left: UnsafePointer<Float>, _ leftLayout: TileLayout, _ right: UnsafePointer<Float>,
    _ rightLayout: TileLayout, _ element: Int, _ block: GradientBlock, into target: ProductTarget
  ) {
    let (rows, columns) = (block.rows, block.columns)
    let a = left + element * leftLayout.elementStride(leftLayout.channels)
    var silence = Silence()
    for column in stride(from: columns.lowerBound, to: columns.upperBound, by: rightLayout.channels)
    {
      let width = min(rightLayout.channels, columns.upperBound - column)
      let strip =
        right + column / rightLayout.channels * rightLayout.blockStride
        + element * rightLayout.elementStride(width)
      for row in stride(from: rows.lowerBound, to: rows.upperBound, by: MatrixProduct.tileRows) {
        let first = row - rows.lowerBound
        Panel(
          pieces: UnsafeBufferPointer(start: nil, count: 0), inner: leftLayout.tiles, strip: strip,
          valid: width, rows: first..<(first + MatrixProduct.tileRows),
          column: column - columns.lowerBound, target: target
        ).run(
          width: width,
          packed: a
            + (row / leftLayout.channels * leftLayout.blockStride
              + row % leftLayout.channels),
          stride: leftLayout.channels, &silence)
      }
    }
  }

  /// Gᵀ u G of some of the rows of a block.
  /// - Parameter target: where the first of these rows goes, of the block's first columns.
  @inline(never)
  private static func transformWeightGradient(
    _ products: UnsafePointer<Float>, _ some: Range<Int>, of block: GradientBlock,
    into target: GradientTarget
  ) {
    let (columns, stride) = (block.columns.count, spread(block.count))
    for column in Swift.stride(from: 0, to: columns, by: 16) {
      var place = target.from(column: column).base
      for row in some {
        let source = products + ((row - block.rows.lowerBound) * columns + column)
        @_transparent func taps(_ element: Int) -> (Vector, Vector, Vector) {
          weightsAdjoint(six(source + element &* stride, 6 &* stride))
        }
        let (a, b, c, d, e, f) = (taps(0), taps(1), taps(2), taps(3), taps(4), taps(5))
        @_transparent func put(_ tapRow: Int, _ u: Six) {
          let w = weightsAdjoint(u)
          let line = place + tapRow &* 48
          store(w.0, line)
          store(w.1, line + 16)
          store(w.2, line + 32)
        }
        put(0, (a.0, b.0, c.0, d.0, e.0, f.0))
        put(1, (a.1, b.1, c.1, d.1, e.1, f.1))
        put(2, (a.2, b.2, c.2, d.2, e.2, f.2))
        place += KernelStrips.kernelCount
      }
    }
  }
}
