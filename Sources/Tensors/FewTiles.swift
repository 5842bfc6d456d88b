// Winograd's convolutions of few tiles, as of the lower levels of a denoiser, where each transformed weight is used a few times
// only: to put the transformed weights into memory and to read them again would take as long as the products do.
//
// So the second half of their transform happens in registers, between the load and the products: of six elements that stand in
// a row of a transformed kernel, the products of four tiles are added up at once, in 24 registers of 512 bits. Where there are more
// tiles it is three elements and eight tiles, of weights whose first half is transformed a row or two before.

import CProcessor

/// The convolutions of ``Winograd`` where there are few tiles.
enum FewTiles {
  /// How many tiles are a group, whose numbers lie together.
  static let group = 4
  /// Numbers that belong to a row of six elements of a group of tiles.
  private static let rowCount = 6 * group
  /// The same of sixteen columns of sums.
  private static let rowSize = rowCount * 16
  /// From an element to the next of four channels of transformed inputs, and from these to the next four.
  static let elementStride = 4 * group
  static let quadCount = 4 * rowCount
  /// The most tiles for which this is faster, with weights from a cache and with weights from memory. With registers of 256 bits
  /// each load serves half as many products, so that more tiles pay for transformed weights in memory.
  @inline(__always) private static var mostTiles: Int {
    processor_target_has_avx512() != 0 ? 16 : 8
  }
  @inline(__always) private static var mostTilesFromMemory: Int {
    processor_target_has_avx512() != 0 ? 32 : 8
  }
  /// How many tiles there are where the gradient by the weights is made this way. With registers of 256 bits it pays from four on.
  @inline(__always) private static var tilesOfGradient: ClosedRange<Int> {
    processor_target_has_avx512() != 0 ? 1...16 : 4...12
  }
  /// How many channels of the sum are multiplied with all columns of a task before the next: so many transformed inputs of sixteen
  /// tiles stay in a cache near a core.
  private static let innerBlock = 64
  /// How many columns a task takes at most.
  private static let columnsPerTask = 64
  /// From a row of half transformed weights to the next: not a multiple of 4 KiB, at which they would fight for the same places
  /// of the first-level cache.
  private static let halfStride = KernelSteps.mostInner * 48 + 16

  /// Whether a convolution that Winograd's form suits is done this way.
  static func suits(_ tiling: Winograd.Tiling, _ w: KernelStrips) -> Bool {
    tiling.count <= (w.count > MatrixProduct.cachedCount * 2 ? mostTilesFromMemory : mostTiles)
  }

  /// Whether the gradient by the weights is made this way.
  static func suitsWeightGradient(
    batch: Int, height: Int, width: Int, inputs: Int, outputs: Int, _ geometry: ConvolutionGeometry
  ) -> Bool {
    Winograd.suits(
      batch: batch, height: height, width: width, inputs: inputs, outputs: outputs, geometry,
      leastTiles: 1)
      && tilesOfGradient.contains(
        Winograd.Tiling(batch: batch, height: height, width: width).count)
  }

  // MARK: - Transforms

  /// Kernels are transformed without the factors of the elements at the points beside 0 and infinity: the inputs' elements have
  /// them instead.
  private static func scale(_ element: Int) -> Float {
    switch element {
    case 1, 2: Winograd.nearScale
    case 3, 4: Winograd.farScale
    default: 1
    }
  }

  /// Bᵀ d B of a group of tiles and some blocks of sixteen channels, with the factors of `scale`.
  ///
  /// - Parameter left: `[row of elements][four channels][element of the row][channel][tile]` of the group.
  @inline(never)
  private static func transformInputs(
    _ x: Tensor, _ tiling: Winograd.Tiling, group: Int, blocks: Range<Int>,
    into left: UnsafeMutablePointer<Float>
  ) {
    let channels = x.shape[3]
    let patchSize = 36 * 16
    withScratch(2 * Self.group * patchSize) { patches in
      // What of a tile lies outside of the picture stays 0, and so do tiles that don't exist.
      patches.update(repeating: 0, count: 2 * Self.group * patchSize)
      let elements = patches + Self.group * patchSize
      for block in blocks {
        let channel = block * 16
        for tile in 0..<min(Self.group, tiling.count - group * Self.group) {
          let patch = patches + tile * patchSize
          let (image, top, first) = tiling.origin(group * Self.group + tile)
          let columns = max(0, first - 1)..<min(tiling.width, first + 5)
          for y in max(0, top - 1)..<min(tiling.height, top + 5) {
            let line = (image * tiling.height + y) * tiling.width
            var source = x.pointer + ((line + columns.lowerBound) * channels + channel)
            var place = patch + ((y - top + 1) * 6 + columns.lowerBound - first + 1) * 16
            for _ in columns {
              store(load(source), place)
              source += channels
              place += 16
            }
          }
          Winograd.transformInput(
            patch, rowStride: 96, columnStride: 16, channels: 16,
            into: elements + tile * 16, stride: Self.group * 16)
        }
        for row in 0..<6 {
          for element in 0..<6 {
            let factor = Vector(repeating: scale(row) * scale(element))
            let four = elements + (row * 6 + element) * Self.group * 16
            processor_put_fours(
              factor * load(four), factor * load(four + 16), factor * load(four + 32),
              factor * load(four + 48),
              left + ((row * channels + channel) * rowCount + element * elementStride),
              quadCount)
          }
        }
      }
    }
  }

  /// The transformed inputs of all groups, `[group][row of elements][four channels][element of the row][channel][tile]`.
  private static func transformedInputs(_ x: Tensor, _ tiling: Winograd.Tiling) -> Storage {
    let (channels, groups) = (x.shape[3], groupCount(tiling))
    let left = StoragePool.shared.storage(count: groups * 6 * channels * rowCount)
    let blocks = channels / 16
    let grain = grain(groups * blocks)
    let tasksOfGroup = (blocks + grain - 1) / grain
    // Within a task, one thread alone.
    Parallel.forEach(groups * tasksOfGroup) { task in
      let (group, first) = (task / tasksOfGroup, task % tasksOfGroup * grain)
      transformInputs(
        x, tiling, group: group, blocks: first..<min(blocks, first + grain),
        into: left.pointer + group * 6 * channels * rowCount)
    }
    return left
  }

  /// How many of some blocks a task transforms: of few blocks so many that two or four threads have as much to do each.
  private static func grain(_ blocks: Int) -> Int { max(1, min(4, blocks / 4)) }

  private static func groupCount(_ tiling: Winograd.Tiling) -> Int {
    (tiling.count + group - 1) / group
  }

  /// The first half of the transform of a kernel of sixteen columns, along its columns: `[6 rows][3][16]`, rows
  /// `halfStride` apart.
  @inline(__always)
  private static func transformHalf(
    _ taps: UnsafePointer<Float>, tapStride: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for column in 0..<3 {
      let p = taps + column &* tapStride
      let q = target + column &* 16
      let (w0, w1, w2) = (load(p), load(p + 3 &* tapStride), load(p + 6 &* tapStride))
      store(w0, q)
      let even = w0 + w2 * Vector(repeating: Winograd.near * Winograd.near)
      let odd = w1 * Vector(repeating: Winograd.near)
      store(even + odd, q + halfStride)
      store(even - odd, q + 2 &* halfStride)
      let others = w0 + w2 * Vector(repeating: Winograd.far * Winograd.far)
      let odds = w1 * Vector(repeating: Winograd.far)
      store(others + odds, q + 3 &* halfStride)
      store(others - odds, q + 4 &* halfStride)
      store(w2, q + 5 &* halfStride)
    }
  }

  /// The half transformed weights of some inner channels and sixteen columns: `[6 rows][inner][3][16]`.
  /// - Parameter taps: `[inner][9][16]`.
  @inline(never)
  private static func packWeights(
    _ taps: UnsafePointer<Float>, count: Int, into half: UnsafeMutablePointer<Float>
  ) {
    for k in 0..<count {
      transformHalf(taps + k &* KernelStrips.kernelCount, tapStride: 16, into: half + k &* 48)
    }
  }

  // MARK: - Convolutions

  /// The convolution, or with `rotated` its gradient by the input; see ``Winograd/convolution(_:_:bias:rotated:)``.
  static func convolution(
    _ x: Tensor, _ w: KernelStrips, bias: Tensor?, rotated: Bool, _ tiling: Winograd.Tiling
  ) -> Tensor {
    let outputs = rotated ? w.inputs : w.outputs
    let result = Tensor(uninitialized: [x.shape[0], x.shape[1], x.shape[2], outputs])
    let groups = groupCount(tiling)
    let transformed = LaneValues<Storage>()
    let each = min(columnsPerTask, (outputs / 16 + 7) / 8 * 16)
    Parallel.forEachRange(of: outputs, grain: each) { columns in
      let left = transformed.own ?? transformedInputs(x, tiling)
      transformed.own = left
      let strips = columns.count / 16
      let storage = StoragePool.shared.storage(count: strips * groups * 6 * rowSize)
      storage.pointer.update(repeating: 0, count: strips * groups * 6 * rowSize)
      let products = Products(
        left: left.pointer, inner: x.shape[3], groups: groups, columns: columns,
        sums: storage.pointer)
      KernelSteps.with(w, rotated: rotated) { multiply($0, products) }
      for strip in 0..<strips {
        let column = columns.lowerBound + strip * 16
        for group in 0..<groups {
          let tiles = (group * Self.group)..<min(tiling.count, (group + 1) * Self.group)
          Winograd.transformProducts(
            products.sums(strip: strip, group: group, row: 0), tiling, tiles, width: 16,
            stride: Self.group * 16, bias: bias.map { UnsafePointer($0.pointer) + column },
            into: result, column: column)
        }
      }
      withExtendedLifetime((left, storage)) {}
    }
    return result
  }

  /// The products of a task.
  private struct Products {
    /// Transformed inputs, as ``transformedInputs(_:_:)`` makes them.
    let left: UnsafePointer<Float>
    let inner: Int
    let groups: Int
    let columns: Range<Int>
    /// `[columns / 16][group][row of elements][element of the row][tile][16]`.
    let sums: UnsafeMutablePointer<Float>

    /// A row of elements of the inputs of a group, from a channel on.
    @inline(__always)
    func left(group: Int, row: Int, channel: Int) -> UnsafePointer<Float> {
      left + ((group &* 6 &+ row) &* inner &+ channel) &* rowCount
    }

    @inline(__always)
    func sums(strip: Int, group: Int, row: Int) -> UnsafeMutablePointer<Float> {
      sums + ((strip &* groups &+ group) &* 6 &+ row) &* rowSize
    }
  }

  /// Adds the products up.
  private static func multiply(_ kernels: KernelSteps, _ products: Products) {
    let (columns, groups) = (products.columns, products.groups)
    let isWide = processor_target_has_avx512() != 0
    // Half transformed weights in memory: with registers of 512 bits two groups pay for those of a row of elements, which stay in
    // the first-level cache.
    let storage = StoragePool.shared.storage(count: (isWide ? 1 : 6) * halfStride)
    let half = storage.pointer
    // As many loops of a row of elements ask for the next kernels: they then come as evenly as can be.
    let shares = groups >= 4 ? 4 : groups >= 2 ? 2 : 1
    func step(_ first: Int, _ column: Int) -> KernelSteps.Step {
      let last = min(products.inner, first / innerBlock * innerBlock + innerBlock)
      return KernelSteps.Step(
        inner: first..<min(last, first + KernelSteps.mostInner), column: column)
    }
    /// A block of channels goes through all columns. After the last block the columns of the next task follow, which most often
    /// is the same thread's.
    func step(after here: KernelSteps.Step) -> KernelSteps.Step? {
      let (first, last) = (here.inner.lowerBound, here.inner.upperBound)
      if last % innerBlock != 0, last < products.inner { return step(last, here.column) }
      if here.column + 16 < columns.upperBound {
        return step(first / innerBlock * innerBlock, here.column + 16)
      }
      if last < products.inner { return step(last, columns.lowerBound) }
      return columns.upperBound < kernels.columns ? step(0, columns.upperBound) : nil
    }
    var next: KernelSteps.Step? = step(0, columns.lowerBound)
    while let here = next, here.column < columns.upperBound {
      next = step(after: here)
      let taps = kernels.take(here)
      if !isWide { packWeights(taps, count: here.inner.count, into: half) }
      let strip = (here.column - columns.lowerBound) / 16
      for row in 0..<6 {
        func lines(_ loop: Int) -> KernelsAhead {
          loop < shares
            ? kernels.ahead(of: next, loop: row * shares + loop, shares: shares) : kernels.nothing
        }
        func left(_ group: Int) -> UnsafePointer<Float> {
          products.left(group: group, row: row, channel: here.inner.lowerBound)
        }
        func place(_ group: Int) -> UnsafeMutablePointer<Float> {
          products.sums(strip: strip, group: group, row: row)
        }
        var group = 0
        if isWide, groups > 1 {
          let row = transformRow(row, taps, here.inner.count, into: half)
          while group + 1 < groups {
            multiplyPair(
              row, (left(group), left(group + 1)), here.inner.count,
              into: (place(group), place(group + 1)), (lines(group), lines(group + 1)))
            group += 2
          }
        }
        while group < groups {
          if !isWide {
            multiply(
              half + row * halfStride, left(group), here.inner.count, into: place(group),
              lines(group), then: kernels.nothing)
          } else {
            multiply(
              taps, row: row, left(group), here.inner.count, into: place(group), lines(group))
          }
          group += 1
        }
      }
    }
    withExtendedLifetime(storage) {}
  }

  // MARK: - The gradient by the weights

  /// How many inputs' kernels are made at once: with their halves they stay in a first-level cache. Of more tiles than a group,
  /// whose transformed gradients fill it, more of them, so that these are read less often.
  private static func inputsAtOnce(_ tiling: Winograd.Tiling) -> Int {
    tiling.count > group ? 16 : 4
  }
  /// So many floats of transformed inputs stay in a second-level cache, while all strips are made from them.
  private static let mostInputCount = 100 << 10

  /// The gradient by the weights; see ``Winograd/weightGradient(_:_:)``.
  static func weightGradient(_ x: Tensor, _ gradient: Tensor) -> Tensor {
    let result = GradientTarget.result(x, gradient)
    weightGradient(x, gradient, into: .whole(result))
    return result
  }

  /// The same, given away in parts.
  static func weightGradient(_ x: Tensor, _ gradient: Tensor, inParts taker: PartTaker) {
    weightGradient(x, gradient, into: .parts(taker))
  }

  private static func weightGradient(_ x: Tensor, _ gradient: Tensor, into target: GradientInOrder)
  {
    let tiling = Winograd.Tiling(batch: x.shape[0], height: x.shape[1], width: x.shape[2])
    let (inputs, outputs, groups) = (x.shape[3], gradient.shape[3], groupCount(tiling))
    let left = transformedInputs(x, tiling)
    // [sixteen columns][element][group][tile][16]
    let right = StoragePool.shared.storage(count: outputs * 36 * groups * group)
    let blockSize = 36 * groups * group * 16
    Parallel.forEachRange(of: outputs / 16, grain: grain(outputs / 16)) { blocks in
      for block in blocks {
        transformGradients(
          gradient, tiling, channel: block * 16, into: right.pointer + block * blockSize)
      }
    }
    // A thread has strips of its own, and goes through them with some inputs after others, which it has put in order.
    let (each, inputSize) = (inputsAtOnce(tiling), groups * 6 * rowCount)
    let most = max(1, mostInputCount / inputSize / each) * each
    let tasks = SharedTasks(rows: outputs / 16, columns: (inputs + most - 1) / most)
    let inOrder = LaneValues<(chunk: Int, inputs: Storage)>()
    Parallel.forEach(tasks.count) { task in
      guard let (strip, chunk) = tasks[task] else { return }
      let some = (chunk * most)..<min(inputs, (chunk + 1) * most)
      let ordered = inOrder.own?.inputs ?? StoragePool.shared.storage(count: most * inputSize)
      if inOrder.own?.chunk != chunk {
        gather(
          left.pointer, channels: inputs, some, by: each, groups: groups, into: ordered.pointer)
        inOrder.own = (chunk, ordered)
      }
      let half = StoragePool.shared.storage(count: each * halfGradientCount)
      target.fill(strip: strip, inputs: some, of: inputs, each: each) { part, kernels in
        multiplyGradients(
          ordered.pointer + (part.lowerBound - some.lowerBound) * inputSize,
          right.pointer + strip * blockSize, rows: each, tiles: tiling.count, by: half.pointer,
          into: kernels)
      }
      withExtendedLifetime(half) {}
    }
    withExtendedLifetime((left, right)) {}
  }

  /// Puts the transformed inputs of some channels in the order in which they are multiplied, as many of them at once as `each`:
  /// `[row of elements][four channels][group][element of the row][channel][tile]`, one such after the other.
  private static func gather(
    _ left: UnsafePointer<Float>, channels: Int, _ some: Range<Int>, by each: Int, groups: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    var place = target
    for begin in stride(from: some.lowerBound, to: some.upperBound, by: each) {
      for row in 0..<6 {
        for first in stride(from: begin, to: begin + each, by: 4) {
          for group in 0..<groups {
            place.update(
              from: left + ((group * 6 + row) * channels + first) * rowCount, count: quadCount)
            place += quadCount
          }
        }
      }
    }
  }

  /// A y Aᵀ of all tiles and sixteen channels, `[element][tile][16]`, with zeros for tiles that don't exist.
  private static func transformGradients(
    _ gradient: Tensor, _ tiling: Winograd.Tiling, channel: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    let channels = gradient.shape[3]
    let places = groupCount(tiling) * group
    withBlock { patch in
      for index in 0..<places {
        guard index < tiling.count else {
          for element in 0..<36 { store(Vector(), target + (element * places + index) * 16) }
          continue
        }
        let (image, top, first) = tiling.origin(index)
        for row in 0..<4 {
          for column in 0..<4 {
            let (y, x) = (top + row, first + column)
            let pixel = (image * tiling.height + y) * tiling.width + x
            store(
              y < tiling.height && x < tiling.width
                ? load(gradient.pointer + (pixel * channels + channel)) : Vector(),
              patch + (row * 4 + column) * 16)
          }
        }
        Winograd.transformOutputGradient(
          patch, rowStride: 64, columnStride: 16, channels: 16,
          into: target + index * 16, stride: places * 16)
      }
    }
  }
}
