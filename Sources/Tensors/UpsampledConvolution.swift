// Convolutions of 3x3 kernels of a picture twice as high and wide, each of whose pixels stands there four times.
//
// What falls on copies of one pixel is a sum of the kernel's values. Along one direction, with w0, w1, w2 and the pixels x,
//
//     y[2c]     = w0 x[c-1] + (w1 + w2) x[c]        y[2c+1] = (w0 + w1) x[c] + w2 x[c+1]
//
// which are two kernels of two values, and both have the sum s = w0 + w1 + w2 in Winograd's filtering with the points 0, 1 and
// infinity. With e = x[c-1] - x[c] before and f = x[c+1] - x[c] behind an even pixel c, five products make four outputs:
//
//     y[2c-1] = (w0 + w1) e + s x[c]    y[2c] = w0 e + s x[c]    y[2c+1] = w2 f + s x[c]    y[2c+2] = (w1 + w2) f + s x[c]
//
// In two directions these are 25 products for 16 outputs, where F(4x4, 3x3) takes 36, of nine numbers a tile of 2x2 pixels
// rather than 36, and no factor but 1 and -1. The gradient by the input is the adjoint.

import CProcessor

enum UpsampledConvolution {
  /// Products along one direction: of the value before with w0 and w0 + w1, of the pixel with s, of the value behind with w1 + w2 and
  /// w2.
  private static let products = 5
  private static let elements = products * products
  /// What a picture is made of along one direction, before, at and behind an even pixel; which of them each product takes.
  private static let parts = 3
  private static let partOfProduct = [0, 0, 1, 2, 2]
  /// The products that each part is in.
  private static let productsOfPart = (0..<parts).map { part in
    partOfProduct.indices.filter { partOfProduct[$0] == part }
  }
  /// How many channels of the sum are taken at once.
  private static let innerBlock = 64
  /// The most tiles of a task, forward and backward: nine sums of a tile are fewer than 25.
  private static let mostTiles = (forward: 64, backward: 128)
  /// The fewest tiles for which this is faster.
  private static let leastTiles = 16
  /// How many channels ahead of the one that is transformed weights are asked for.
  private static let prefetchDistance = 8

  /// Whether a convolution is done this way.
  /// - Parameters:
  ///   - height, width: of the picture before it is enlarged.
  static func suits(batch: Int, height: Int, width: Int, inputs: Int, outputs: Int) -> Bool {
    Winograd.isUsed && height % 2 == 0 && width % 2 == 0 && inputs % 16 == 0 && outputs % 16 == 0
      && batch * height * width >= 4 * leastTiles
  }

  /// The same of the gradient by the input, which spreads what it reads over more memory: where all of it is in a cache near a core,
  /// other ways are as fast.
  static func suitsGradient(batch: Int, height: Int, width: Int, inputs: Int, outputs: Int) -> Bool
  {
    suits(batch: batch, height: height, width: width, inputs: inputs, outputs: outputs)
      && elements * batch * height * width / 4 * outputs > Winograd.orderedCount
  }

  /// Tiles of a task: some whole pictures, or some rows of tiles of one. Their values stand in a grid that has one row and one
  /// column more than there are tiles.
  private struct Chunk {
    var images: Range<Int>
    var rows: Range<Int>
    /// Of the whole picture.
    var allRows: Int
    var columns: Int

    var gridColumns: Int { columns + 1 }
    var gridRows: Int { rows.count + 1 }
    var gridCount: Int { images.count * gridRows * gridColumns }
    var isFirst: Bool { rows.lowerBound == 0 }
    var isLast: Bool { rows.upperBound == allRows }

    /// Where the tiles stand in the grid, picture by picture, with one row of each picture more where wanted.
    func places(withHalo: Bool) -> [Int32] {
      images.indices.flatMap { image in
        (0..<(rows.count + (withHalo ? 1 : 0))).flatMap { row in
          (0..<columns).map {
            Int32(((image - images.lowerBound) * gridRows + row) * gridColumns + $0)
          }
        }
      }
    }

    static func all(batch: Int, height: Int, width: Int, mostTiles: Int) -> [Chunk] {
      let (rows, columns) = (height / 2, width / 2)
      let imagesEach = max(1, mostTiles / (rows * columns))
      let rowsEach = min(rows, max(1, mostTiles / columns))
      return stride(from: 0, to: batch, by: imagesEach).flatMap { image in
        stride(from: 0, to: rows, by: rowsEach).map { row in
          Chunk(
            images: image..<min(batch, image + imagesEach), rows: row..<min(rows, row + rowsEach),
            allRows: rows, columns: columns)
        }
      }
    }
  }

  // MARK: - Weights

  /// The sums of three values that the products have.
  @_transparent
  private static func sums(_ w: (Vector, Vector, Vector)) -> (
    Vector, Vector, Vector, Vector, Vector
  ) {
    let behind = w.1 + w.2
    return (w.0, w.0 + w.1, w.0 + behind, behind, w.2)
  }

  /// The 25 sums of a kernel of sixteen columns, whose nine taps lie `tapStride` apart.
  @inline(__always)
  private static func sumTaps(
    _ taps: UnsafePointer<Float>, tapStride: Int, into target: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    @_transparent func column(_ p: UnsafePointer<Float>) -> (
      Vector, Vector, Vector, Vector, Vector
    ) {
      sums((load(p), load(p + 3 &* tapStride), load(p + 6 &* tapStride)))
    }
    @_transparent func put(_ row: Int, _ w: (Vector, Vector, Vector)) {
      let all = sums(w)
      let place = target + row &* products &* stride
      store(all.0, place)
      store(all.1, place + stride)
      store(all.2, place + 2 &* stride)
      store(all.3, place + 3 &* stride)
      store(all.4, place + 4 &* stride)
    }
    let (a, b, c) = (column(taps), column(taps + tapStride), column(taps + 2 &* tapStride))
    put(0, (a.0, b.0, c.0))
    put(1, (a.1, b.1, c.1))
    put(2, (a.2, b.2, c.2))
    put(3, (a.3, b.3, c.3))
    put(4, (a.4, b.4, c.4))
  }

  /// The sums of some inner channels and one strip of columns, packed for the product: `[25][inner][strip width]`.
  ///
  /// - Parameter transposed: whether the inner channels are the outputs and the columns the inputs.
  @inline(never)
  private static func packWeights(
    _ w: KernelStrips, transposed: Bool, inner: Range<Int>, columns: Range<Int>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    let (size, width) = (KernelStrips.kernelCount, columns.count)
    let stride = spread(inner.count * width)
    guard transposed else {
      for column in Swift.stride(from: 0, to: width, by: 16) {
        var taps = w.kernel(input: inner.lowerBound, output: columns.lowerBound + column)
        var place = packed + column
        for _ in inner {
          for tap in 0..<9 { processor_prefetch(taps + (prefetchDistance &* size &+ tap &* 16)) }
          sumTaps(taps, tapStride: 16, into: place, stride: stride)
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
            transpose16x16(source + tap * 16, size, into: turned + tap * 256, 16)
          }
          for k in 0..<16 {
            sumTaps(
              turned + k * 16, tapStride: 256,
              into: place + (block - inner.lowerBound + k) * width, stride: stride)
          }
        }
      }
    }
  }

  // MARK: - Tiles

  /// Some values of each place of a chunk's grid, `[block of channels][number][place][channel]`.
  private struct GridValues {
    let storage: Storage
    let numberStride: Int
    let blockStride: Int

    /// - Parameter numbers: how many values a place has.
    init(_ chunk: Chunk, numbers: Int, channels: Int) {
      numberStride = spread(chunk.gridCount * innerBlock)
      blockStride = numbers * numberStride
      storage = StoragePool.shared.storage(
        count: (channels + innerBlock - 1) / innerBlock * blockStride)
    }

    func pointer(block: Int, number: Int) -> UnsafeMutablePointer<Float> {
      storage.pointer + (block * blockStride + number * numberStride)
    }
  }

  /// Calls `body` with each place of a chunk's grid, and with the pixels of the square of `count` by `count` that begins one before it,
  /// in both directions: those that don't exist are zeros.
  /// - Parameter step: pixels from a place to the next.
  private static func forEachPlace(
    _ x: Tensor, _ chunk: Chunk, step: Int, count: Int,
    _ body: (_ place: Int, _ pixels: UnsafePointer<UnsafePointer<Float>>) -> Void
  ) {
    let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
    withScratch(channels) { zeros in
      zeros.update(repeating: 0, count: channels)
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: count * count) {
        pixels in
        var place = 0
        for image in chunk.images {
          for row in 0..<chunk.gridRows {
            for column in 0..<chunk.gridColumns {
              for i in 0..<count {
                let y = (chunk.rows.lowerBound + row) * step - 1 + i
                for j in 0..<count {
                  let xs = column * step - 1 + j
                  let exists = y >= 0 && y < height && xs >= 0 && xs < width
                  pixels[i * count + j] = UnsafePointer(
                    exists ? x.pointer + ((image * height + y) * width + xs) * channels : zeros)
                }
              }
              body(place, UnsafePointer(pixels.baseAddress!))
              place += 1
            }
          }
        }
      }
    }
  }

  /// What nine pixels are made of, `[3][3]`: before, at and behind the middle one, in both directions.
  private static func transformPixels(_ x: Tensor, _ chunk: Chunk) -> GridValues {
    let channels = x.shape[3]
    let values = GridValues(chunk, numbers: parts * parts, channels: channels)
    forEachPlace(x, chunk, step: 2, count: 3) { place, pixels in
      for channel in stride(from: 0, to: channels, by: innerBlock) {
        splitPixels(
          pixels, channel, count: min(innerBlock, channels - channel),
          into: values.pointer(block: channel / innerBlock, number: 0) + place * innerBlock,
          stride: values.numberStride)
      }
    }
    return values
  }

  @inline(never)
  private static func splitPixels(
    _ pixels: UnsafePointer<UnsafePointer<Float>>, _ first: Int, count: Int,
    into target: UnsafeMutablePointer<Float>, stride: Int
  ) {
    @_transparent func split(_ d: (Vector, Vector, Vector)) -> (Vector, Vector, Vector) {
      (d.0 - d.1, d.1, d.2 - d.1)
    }
    let (p0, p1, p2) = (pixels[0] + first, pixels[1] + first, pixels[2] + first)
    let (p3, p4, p5) = (pixels[3] + first, pixels[4] + first, pixels[5] + first)
    let (p6, p7, p8) = (pixels[6] + first, pixels[7] + first, pixels[8] + first)
    var channel = 0
    while channel < count {
      let a = split((load(p0 + channel), load(p3 + channel), load(p6 + channel)))
      let b = split((load(p1 + channel), load(p4 + channel), load(p7 + channel)))
      let c = split((load(p2 + channel), load(p5 + channel), load(p8 + channel)))
      @_transparent func put(_ row: Int, _ d: (Vector, Vector, Vector)) {
        let three = split(d)
        let place = target + (3 &* row &* stride &+ channel)
        store(three.0, place)
        store(three.1, place + stride)
        store(three.2, place + 2 &* stride)
      }
      put(0, (a.0, b.0, c.0))
      put(1, (a.1, b.1, c.1))
      put(2, (a.2, b.2, c.2))
      channel &+= 16
    }
  }

  /// What sixteen pixels of the gradient give to the products, `[5][5]`: the adjoint of ``putOutputs``.
  private static func transformGradients(_ gradient: Tensor, _ chunk: Chunk) -> GridValues {
    let channels = gradient.shape[3]
    let values = GridValues(chunk, numbers: elements, channels: channels)
    forEachPlace(gradient, chunk, step: 4, count: 4) { place, pixels in
      for channel in stride(from: 0, to: channels, by: innerBlock) {
        spreadGradients(
          pixels, channel, count: min(innerBlock, channels - channel),
          into: values.pointer(block: channel / innerBlock, number: 0) + place * innerBlock,
          stride: values.numberStride)
      }
    }
    return values
  }

  @inline(never)
  private static func spreadGradients(
    _ pixels: UnsafePointer<UnsafePointer<Float>>, _ first: Int, count: Int,
    into target: UnsafeMutablePointer<Float>, stride: Int
  ) {
    typealias Five = (Vector, Vector, Vector, Vector, Vector)
    /// Of outputs 2c - 1 to 2c + 2.
    @_transparent func give(_ d: (Vector, Vector, Vector, Vector)) -> Five {
      (d.1, d.0, (d.0 + d.1) + (d.2 + d.3), d.3, d.2)
    }
    var channel = 0
    while channel < count {
      let offset = first &+ channel
      @_transparent func column(_ j: Int) -> Five {
        give(
          (
            load(pixels[j] + offset), load(pixels[4 &+ j] + offset),
            load(pixels[8 &+ j] + offset), load(pixels[12 &+ j] + offset)
          ))
      }
      let (a, b, c, d) = (column(0), column(1), column(2), column(3))
      @_transparent func put(_ row: Int, _ y: (Vector, Vector, Vector, Vector)) {
        let five = give(y)
        let place = target + (products &* row &* stride &+ channel)
        store(five.0, place)
        store(five.1, place + stride)
        store(five.2, place + 2 &* stride)
        store(five.3, place + 3 &* stride)
        store(five.4, place + 4 &* stride)
      }
      put(0, (a.0, b.0, c.0, d.0))
      put(1, (a.1, b.1, c.1, d.1))
      put(2, (a.2, b.2, c.2, d.2))
      put(3, (a.3, b.3, c.3, d.3))
      put(4, (a.4, b.4, c.4, d.4))
      channel &+= 16
    }
  }

  // MARK: - Convolutions

  /// Calls `multiply` for each block of inner channels of each strip of a task's columns, and `finish` after the last one.
  private static func forEachStrip(
    _ w: KernelStrips, transposed: Bool, columns: Range<Int>, foreseen: Int, widest: Int,
    packed: UnsafeMutablePointer<Float>,
    multiply: (
      _ columns: Range<Int>, _ inner: Range<Int>, _ lines: (_ element: Int) -> LinesAhead
    ) -> Void, finish: (_ columns: Range<Int>) -> Void
  ) {
    let inner = transposed ? w.outputs : w.inputs
    let isLarge = w.count > MatrixProduct.cachedCount
    var column = columns.lowerBound
    while column < columns.upperBound {
      let width = Winograd.stripWidth(remaining: columns.upperBound - column, most: widest)
      let strip = column..<(column + width)
      for start in stride(from: 0, to: inner, by: innerBlock) {
        let block = start..<min(inner, start + innerBlock)
        packWeights(w, transposed: transposed, inner: block, columns: strip, into: packed)
        // What is packed next comes from memory while the products keep the processor busy.
        let isLast = block.upperBound == inner
        let next =
          isLast
          ? 0..<min(inner, innerBlock)
          : block.upperBound..<min(inner, block.upperBound + innerBlock)
        let nextColumn = isLast ? column + width : column
        let nextColumns = nextColumn..<max(nextColumn, min(foreseen, nextColumn + width))
        multiply(strip, block) { element in
          guard isLarge, !nextColumns.isEmpty else { return .none }
          return w.lines(
            transposed: transposed, inner: next, columns: nextColumns, part: element, of: elements)
        }
      }
      finish(strip)
      column += width
    }
  }

  /// How a convolution is cut into tasks: chunks of tiles by some columns each.
  private struct Cut {
    let chunks: [Chunk]
    let columns: ColumnTasks
    let widest: Int

    init(chunks: [Chunk], inner: Int, columns count: Int, numbers: Int) {
      self.chunks = chunks
      let isLarge = numbers * chunks[0].gridCount * inner > Winograd.orderedCount
      widest = isLarge ? Winograd.widestStrip : MatrixProduct.stripWidth
      columns = ColumnTasks(
        columns: count, wanted: (8 + chunks.count - 1) / chunks.count,
        width: count % (2 * widest) == 0 ? widest : MatrixProduct.stripWidth)
    }

    /// Runs tasks, each with its chunk, the values of its grid, which a thread makes once for all tasks of a chunk that it runs
    /// one after another, its columns, and the end of those that the thread most likely goes on with.
    func run(
      values: (Chunk) -> GridValues,
      _ body: (
        _ chunk: Chunk, _ values: GridValues, _ columns: Range<Int>, _ foreseen: Int
      ) -> Void
    ) {
      let made = LaneValues<(chunk: Int, values: GridValues)>()
      Parallel.forEach(chunks.count * columns.count) { task in
        let (chunk, group) = (task / columns.count, task % columns.count)
        guard !columns[group].isEmpty else { return }
        if made.own?.chunk != chunk { made.own = (chunk, values(chunks[chunk])) }
        let next = group + 1 < columns.count ? columns[group + 1] : columns[group]
        body(chunks[chunk], made.own!.values, columns[group], next.upperBound)
      }
    }
  }

  /// See ``upsampledConvolution(_:_:bias:)``.
  static func convolution(_ x: Tensor, _ w: KernelStrips, bias: Tensor?) -> Tensor {
    let (batch, height, width) = (x.shape[0], x.shape[1], x.shape[2])
    let (inputs, outputs) = (w.inputs, w.outputs)
    let result = Tensor(uninitialized: [batch, 2 * height, 2 * width, outputs])
    let cut = Cut(
      chunks: Chunk.all(batch: batch, height: height, width: width, mostTiles: mostTiles.forward),
      inner: inputs, columns: outputs, numbers: parts * parts)
    cut.run(values: { transformPixels(x, $0) }) { chunk, values, columns, foreseen in
      let plain = offsets(chunk.places(withHalo: false), innerBlock)
      // The last of four outputs takes its s x from the tile below, which may be another task's.
      let halo = offsets(chunk.places(withHalo: !chunk.isLast), innerBlock)
      let sumStride = spread(halo.count * cut.widest)
      let packed = StoragePool.shared.storage(count: elements * spread(innerBlock * cut.widest))
      let sums = StoragePool.shared.storage(count: elements * sumStride)
      forEachStrip(
        w, transposed: false, columns: columns, foreseen: foreseen, widest: cut.widest,
        packed: packed.pointer
      ) { strip, inner, lines in
        for y in 0..<parts {
          for x in 0..<parts {
            let part = values.pointer(block: inner.lowerBound / innerBlock, number: y * parts + x)
            for i in productsOfPart[y] {
              for j in productsOfPart[x] {
                // The products of the first output take the value before the next tile.
                let shift = (i == 1 ? chunk.gridColumns : 0) + (j == 1 ? 1 : 0)
                (i == 2 ? halo : plain).withUnsafeBufferPointer { places in
                  let element = i * products + j
                  var ahead = lines(element)
                  ahead.spread(
                    over: MatrixProduct.asks(
                      rows: places.count, stripWidth: strip.count, inner: inner.count))
                  MatrixProduct.multiply(
                    LeftOperand(
                      base: part + shift * innerBlock, layout: .rows,
                      offsets: .listed(places.baseAddress!)),
                    inner: inner.count, rows: places.count,
                    strip: packed.pointer + element * spread(inner.count * strip.count),
                    width: strip.count,
                    into: ProductTarget(
                      base: sums.pointer + element * sumStride, offsets: .strided(strip.count),
                      accumulates: inner.lowerBound > 0), meanwhile: &ahead)
                }
              }
            }
          }
        }
      } finish: { strip in
        putOutputs(
          sums.pointer, stride: sumStride, chunk,
          bias: bias.map { UnsafePointer($0.pointer) + strip.lowerBound }, into: result, strip)
      }
      withExtendedLifetime(values) {}
    }
    return result
  }

  private static func offsets(_ places: [Int32], _ stride: Int) -> [Int32] {
    places.map { $0 * Int32(stride) }
  }

  /// Adds up the products of each tile and column of a strip, with the bias, into the picture: beside s x, of four outputs from 2c on,
  /// products 0, 4, 3 and 1, the last of which is output 2 (c + 2) - 1 and has s x of the next tile.
  /// - Parameter sums: `[25][tiles][strip width]`, elements `stride` apart.
  @inline(never)
  private static func putOutputs(
    _ sums: UnsafePointer<Float>, stride: Int, _ chunk: Chunk, bias: UnsafePointer<Float>?,
    into result: Tensor, _ strip: Range<Int>
  ) {
    let (height, width, channels) = (result.shape[1], result.shape[2], result.shape[3])
    let isStreamed = result.isStreamed
    let rowsOfImage = (plain: chunk.rows.count, halo: chunk.rows.count + (chunk.isLast ? 0 : 1))
    for image in chunk.images {
      for row in 0..<chunk.rows.count {
        for column in 0..<chunk.columns {
          let number = image - chunk.images.lowerBound
          let tile = (number * rowsOfImage.plain + row) * chunk.columns + column
          let tileOfHalo = (number * rowsOfImage.halo + row) * chunk.columns + column
          let hasRight = column + 1 < chunk.columns
          let hasBelow = row + 1 < rowsOfImage.halo
          let place =
            result.pointer
            + ((image * height + (chunk.rows.lowerBound + row) * 4) * width + column * 4)
            * channels + strip.lowerBound
          for first in Swift.stride(from: 0, to: strip.count, by: 16) {
            let shift = bias.map { load($0 + first) } ?? Vector()
            /// The outputs along a row, of one row of products.
            @_transparent func along(_ i: Int, _ tile: Int) -> (Vector, Vector, Vector, Vector) {
              let p = sums + (i &* products &* stride &+ tile &* strip.count &+ first)
              let middle = load(p + 2 &* stride)
              let next = hasRight ? load(p + 2 &* stride + strip.count) : Vector()
              return (
                load(p) + middle, load(p + 4 &* stride) + middle, load(p + 3 &* stride) + middle,
                load(p + stride) + next
              )
            }
            @_transparent func put(
              _ r: Int, _ a: (Vector, Vector, Vector, Vector),
              _ b: (Vector, Vector, Vector, Vector)
            ) {
              let line = place + (r &* width &* channels &+ first)
              store(a.0 + b.0, line, streamed: isStreamed)
              store(a.1 + b.1, line + channels, streamed: isStreamed)
              store(a.2 + b.2, line + 2 &* channels, streamed: isStreamed)
              store(a.3 + b.3, line + 3 &* channels, streamed: isStreamed)
            }
            let middle = along(2, tileOfHalo)
            let shifted = (
              middle.0 + shift, middle.1 + shift, middle.2 + shift, middle.3 + shift
            )
            put(0, along(0, tile), shifted)
            put(1, along(4, tile), shifted)
            put(2, along(3, tile), shifted)
            let last = along(1, tile)
            if hasBelow {
              let below = along(2, tileOfHalo &+ chunk.columns)
              put(3, last, (below.0 + shift, below.1 + shift, below.2 + shift, below.3 + shift))
            } else {
              put(3, last, (shift, shift, shift, shift))
            }
          }
        }
      }
    }
  }

  /// See ``upsampledConvolutionInputGradient(_:_:)``.
  static func inputGradient(_ gradient: Tensor, _ w: KernelStrips) -> Tensor {
    let (batch, height, width) = (
      gradient.shape[0], gradient.shape[1] / 2, gradient.shape[2] / 2
    )
    let (inputs, outputs) = (w.inputs, w.outputs)
    let result = Tensor(uninitialized: [batch, height, width, inputs])
    let cut = Cut(
      chunks: Chunk.all(batch: batch, height: height, width: width, mostTiles: mostTiles.backward),
      inner: outputs, columns: inputs, numbers: elements)
    cut.run(values: { transformGradients(gradient, $0) }) { chunk, values, columns, foreseen in
      let sumStride = spread(chunk.gridCount * cut.widest)
      let packed = StoragePool.shared.storage(count: elements * spread(innerBlock * cut.widest))
      let sums = StoragePool.shared.storage(count: parts * parts * sumStride)
      let plain = chunk.places(withHalo: false)
      let halo = chunk.places(withHalo: true)
      let (plainValues, haloValues) = (offsets(plain, innerBlock), offsets(halo, innerBlock))
      forEachStrip(
        w, transposed: true, columns: columns, foreseen: foreseen, widest: cut.widest,
        packed: packed.pointer
      ) { strip, inner, lines in
        if inner.lowerBound == 0 {
          sums.pointer.update(repeating: 0, count: parts * parts * sumStride)
        }
        let (plainSums, haloSums) = (offsets(plain, strip.count), offsets(halo, strip.count))
        for i in 0..<products {
          // The values before have a row more than there are tiles, whose product with w0 is nought at the end of the picture, as that
          // with w0 + w1 is at its beginning.
          let hasHalo = i == 0 && !chunk.isLast || i == 1 && !chunk.isFirst
          let firstRow = i == 1 && chunk.isFirst ? 1 : 0
          let (rows, targets) = hasHalo ? (haloValues, haloSums) : (plainValues, plainSums)
          for j in 0..<products {
            let shift = firstRow * chunk.gridColumns + (j == 1 ? 1 : 0)
            let element = i * products + j
            let part = partOfProduct[i] * parts + partOfProduct[j]
            var ahead = lines(element)
            ahead.spread(
              over: MatrixProduct.asks(
                rows: rows.count, stripWidth: strip.count, inner: inner.count))
            rows.withUnsafeBufferPointer { rows in
              targets.withUnsafeBufferPointer { targets in
                MatrixProduct.multiply(
                  LeftOperand(
                    base: values.pointer(block: inner.lowerBound / innerBlock, number: element)
                      + shift * innerBlock, layout: .rows, offsets: .listed(rows.baseAddress!)),
                  inner: inner.count, rows: rows.count,
                  strip: packed.pointer + element * spread(inner.count * strip.count),
                  width: strip.count,
                  into: ProductTarget(
                    base: sums.pointer + (part * sumStride + shift * strip.count),
                    offsets: .listed(targets.baseAddress!), accumulates: true),
                  meanwhile: &ahead)
              }
            }
          }
        }
      } finish: { strip in
        putInputs(sums.pointer, stride: sumStride, chunk, into: result, strip)
      }
      withExtendedLifetime(values) {}
    }
    return result
  }

  /// The adjoint of ``splitPixels``: puts what each tile and column of a strip gives to its four pixels.
  /// - Parameter sums: `[3][3][place][strip width]`, parts `stride` apart.
  @inline(never)
  private static func putInputs(
    _ sums: UnsafePointer<Float>, stride: Int, _ chunk: Chunk, into result: Tensor,
    _ strip: Range<Int>
  ) {
    let (height, width, channels) = (result.shape[1], result.shape[2], result.shape[3])
    for image in chunk.images {
      for row in 0..<chunk.rows.count {
        for column in 0..<chunk.columns {
          let grid =
            ((image - chunk.images.lowerBound) * chunk.gridRows + row) * chunk.gridColumns + column
          let place =
            result.pointer
            + ((image * height + (chunk.rows.lowerBound + row) * 2) * width + column * 2)
            * channels + strip.lowerBound
          for first in Swift.stride(from: 0, to: strip.count, by: 16) {
            /// What a part of a row of places gives to its even and its odd pixel.
            @_transparent func along(_ part: Int, _ place: Int) -> (Vector, Vector) {
              let p = sums + (part &* parts &* stride &+ place &* strip.count &+ first)
              let behind = load(p + 2 &* stride)
              return (load(p + stride) - load(p) - behind, behind + load(p + strip.count))
            }
            let (before, middle, behind) = (along(0, grid), along(1, grid), along(2, grid))
            let below = along(0, grid &+ chunk.gridColumns)
            let line = place + first
            store(middle.0 - before.0 - behind.0, line)
            store(middle.1 - before.1 - behind.1, line + channels)
            let next = line + width &* channels
            store(behind.0 + below.0, next)
            store(behind.1 + below.1, next + channels)
          }
        }
      }
    }
  }
}
