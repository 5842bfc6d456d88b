// Convolutions of 3x3 kernels in the direct form, of pictures so small that Winograd's transforms don't pay: each kernel is used
// for a tile or two only, so that what takes time is to read it.
//
// A picture is cut into tiles of 4x4 outputs, whose sums stay in registers. Forward these are of sixteen outputs, for each of the
// sixteen pixels, and each number of the inputs is multiplied with sixteen weights. The gradient by the input is made of the same
// sixteen weights, as they lie: they are multiplied with sixteen numbers of the gradient, and the products of all outputs are added
// up at the end. With registers of 256 bits the sums are those of half the pixels and half the vectors. The gradient by the weights
// keeps the sums of a row of taps and four inputs, and goes through the pixels.

import CProcessor

enum SmallPictures {
  /// Pixels of a tile's inputs: six rows of six, and in lines of sixteen as many as they take.
  private static let patch = 6
  private static let patchPixels = 36
  private static let paddedPixels = 48
  /// Sums of a tile: sixteen for each pixel.
  private static let sumCount = 16 * 16
  /// How many outputs a task takes.
  private static let outputsEach = 16
  /// How many inputs a task takes at most: so long runs of a strip follow each other in memory.
  private static let mostInputs = 128

  private static func inputsEach(_ inputs: Int) -> Int {
    max(16, min(mostInputs, inputs / Parallel.threads / 16 * 16))
  }

  /// The inputs of a tile, with zeros beyond the picture, `[pixel][channel]`.
  private static func copyPatch(
    _ x: Tensor, _ tiling: Winograd.Tiling, _ tile: Int, into pixels: UnsafeMutablePointer<Float>
  ) {
    let channels = x.shape[3]
    let (image, top, first) = tiling.origin(tile)
    let columns = max(0, first - 1)..<min(tiling.width, first + 5)
    pixels.update(repeating: 0, count: paddedPixels * channels)
    for y in max(0, top - 1)..<min(tiling.height, top + 5) {
      let line = (image * tiling.height + y) * tiling.width + columns.lowerBound
      let place = (y - top + 1) * patch + columns.lowerBound - first + 1
      (pixels + place * channels).update(
        from: x.pointer + line * channels, count: columns.count * channels)
    }
  }

  // MARK: - Forward

  /// - Parameter x: `[batch, height, width, inputs]`.
  static func convolution(_ x: Tensor, _ w: KernelStrips, bias: Tensor?) -> Tensor {
    let tiling = Winograd.Tiling(batch: x.shape[0], height: x.shape[1], width: x.shape[2])
    let result = Tensor(uninitialized: [x.shape[0], x.shape[1], x.shape[2], w.outputs])
    let patches = LaneValues<Storage>()
    Parallel.forEachRange(of: w.outputs, grain: outputsEach) { columns in
      let left = patches.own ?? turnedPatches(x, tiling)
      patches.own = left
      let sums = StoragePool.shared.storage(count: tiling.count * sumCount)
      for column in stride(from: columns.lowerBound, to: columns.upperBound, by: 16) {
        addProducts(w, left.pointer, tiling, column: column, into: sums.pointer)
        put(
          sums.pointer, tiling, bias: bias.map { load($0.pointer + column) } ?? Vector(),
          into: result, column: column)
      }
      withExtendedLifetime((left, sums)) {}
    }
    return result
  }

  /// The inputs of all tiles, `[tile][channel][48]`.
  private static func turnedPatches(_ x: Tensor, _ tiling: Winograd.Tiling) -> Storage {
    let channels = x.shape[3]
    let left = StoragePool.shared.storage(count: tiling.count * channels * paddedPixels)
    withScratch(paddedPixels * channels) { pixels in
      for tile in 0..<tiling.count {
        copyPatch(x, tiling, tile, into: pixels)
        let target = left.pointer + tile * channels * paddedPixels
        for pixel in stride(from: 0, to: paddedPixels, by: 16) {
          for channel in stride(from: 0, to: channels, by: 16) {
            transpose16x16(
              pixels + (pixel * channels + channel), channels,
              into: target + (channel * paddedPixels + pixel), paddedPixels)
          }
        }
      }
    }
    return left
  }

  /// How many inputs are multiplied at once. Of several tiles their kernels stay in the first-level cache for all of these.
  private static func inputsAtOnce(_ tiling: Winograd.Tiling) -> Int { tiling.count == 1 ? 64 : 32 }

  /// Adds up what all inputs give to sixteen columns.
  /// - Parameter sums: `[tile][16 pixels][16]`.
  private static func addProducts(
    _ w: KernelStrips, _ left: UnsafePointer<Float>, _ tiling: Winograd.Tiling, column: Int,
    into sums: UnsafeMutablePointer<Float>
  ) {
    sums.update(repeating: 0, count: tiling.count * sumCount)
    let most = inputsAtOnce(tiling)
    for first in stride(from: 0, to: w.inputs, by: most) {
      let count = min(most, w.inputs - first)
      let kernels = w.kernel(input: first, output: column)
      for tile in 0..<tiling.count {
        let patches = left + (tile * w.inputs + first) * paddedPixels
        let place = sums + tile * sumCount
        // With the first tile the kernels of the next inputs are asked for, which follow, as do those of the next columns.
        let next = tile == 0 ? kernels + count * KernelStrips.kernelCount : nil
        if processor_target_has_avx512() != 0 {
          multiply(kernels, patches, count, into: place, ahead: next)
        } else {
          for row in [0, 2] {
            for half in [0, 8] {
              multiplyHalf(
                kernels + half, patches + row * patch, count, into: place + (row * 64 + half),
                ahead: row + half == 0 ? next : nil)
            }
          }
        }
      }
    }
  }

  /// The nine taps of a kernel, in order.
  @_transparent
  private static func forEachTap(_ body: (_ row: Int, _ column: Int) -> Void) {
    body(0, 0)
    body(0, 1)
    body(0, 2)
    body(1, 0)
    body(1, 1)
    body(1, 2)
    body(2, 0)
    body(2, 1)
    body(2, 2)
  }

  /// Asks for nine lines of some kernels.
  ///
  /// Lines that follow each other come from different quarters, some pages apart: an Intel Xeon reads lines of four pages in
  /// turns a fifth faster than one page's after another's.
  /// - Parameters:
  ///   - number: which nine.
  ///   - quarter: how many floats the kernels' quarters are apart.
  @_transparent
  private static func ask(
    _ kernels: UnsafePointer<Float>, _ number: Int, quarter: Int
  ) {
    for index in 0..<9 {
      let line = number &* 9 &+ index
      processor_prefetch_far(kernels + ((line & 3) &* quarter &+ (line >> 2) &* 16))
    }
  }

  /// The products of a tile.
  /// - Parameter ahead: as many kernels, which are asked for.
  @inline(never)
  private static func multiply(
    _ kernels: UnsafePointer<Float>, _ patches: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, ahead: UnsafePointer<Float>?
  ) {
    var (r0, r1) = (FourVectors(sums), FourVectors(sums + 64))
    var (r2, r3) = (FourVectors(sums + 128), FourVectors(sums + 192))
    var (w, a) = (kernels, patches)
    let quarter = count / 4 &* KernelStrips.kernelCount
    for number in 0..<count {
      if let ahead { ask(ahead, number, quarter: quarter) }
      forEachTap { row, column in
        let v = load(w + (3 &* row &+ column) &* 16)
        let p = a + (row &* patch &+ column)
        r0.add(v, p)
        r1.add(v, p + patch)
        r2.add(v, p + 2 &* patch)
        r3.add(v, p + 3 &* patch)
      }
      w += KernelStrips.kernelCount
      a += paddedPixels
    }
    r0.put(sums)
    r1.put(sums + 64)
    r2.put(sums + 128)
    r3.put(sums + 192)
  }

  /// The products of two rows of a tile and eight columns.
  /// - Parameter ahead: as many kernels, which are asked for.
  @inline(never)
  private static func multiplyHalf(
    _ kernels: UnsafePointer<Float>, _ patches: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, ahead: UnsafePointer<Float>?
  ) {
    var (r0, r1) = (FourHalves(sums), FourHalves(sums + 64))
    var (w, a) = (kernels, patches)
    let quarter = count / 4 &* KernelStrips.kernelCount
    for number in 0..<count {
      if let ahead { ask(ahead, number, quarter: quarter) }
      forEachTap { row, column in
        let v = loadHalf(w + (3 &* row &+ column) &* 16)
        let p = a + (row &* patch &+ column)
        r0.add(v, p)
        r1.add(v, p + patch)
      }
      w += KernelStrips.kernelCount
      a += paddedPixels
    }
    r0.put(sums)
    r1.put(sums + 64)
  }

  /// Puts the sums of all tiles where there are pixels.
  private static func put(
    _ sums: UnsafePointer<Float>, _ tiling: Winograd.Tiling, bias: Vector, into result: Tensor,
    column: Int
  ) {
    let channels = result.shape[3]
    for tile in 0..<tiling.count {
      let (image, top, first) = tiling.origin(tile)
      for row in 0..<min(4, tiling.height - top) {
        let line = (image * tiling.height + top + row) * tiling.width + first
        for pixel in 0..<min(4, tiling.width - first) {
          store(
            load(sums + (tile * sumCount + (row * 4 + pixel) * 16)) + bias,
            result.pointer + ((line + pixel) * channels + column))
        }
      }
    }
  }

  // MARK: - The gradient by the input

  /// How many strips of outputs are multiplied at once: what of the gradient they take stays in the first-level cache.
  private static let stripsAtOnce = 4
  /// How many inputs ahead of the one that is multiplied kernels are asked for.
  private static let inputsAhead = 16

  /// - Parameter gradient: of the result, `[batch, height, width, outputs]`.
  static func inputGradient(_ gradient: Tensor, _ w: KernelStrips) -> Tensor {
    let (batch, height, width) = (gradient.shape[0], gradient.shape[1], gradient.shape[2])
    let tiling = Winograd.Tiling(batch: batch, height: height, width: width)
    let result = Tensor(uninitialized: [batch, height, width, w.inputs])
    let patches = LaneValues<Storage>()
    let strips = w.outputs / 16
    Parallel.forEachRange(of: w.inputs, grain: inputsEach(w.inputs)) { inputs in
      let left = patches.own ?? strippedPatches(gradient, tiling)
      patches.own = left
      // [tile][input][16 pixels][16]
      let size = inputs.count * sumCount
      let sums = StoragePool.shared.storage(count: tiling.count * size)
      sums.pointer.update(repeating: 0, count: tiling.count * size)
      for first in stride(from: 0, to: strips, by: stripsAtOnce) {
        let count = min(stripsAtOnce, strips - first)
        let next = first + count < strips ? first + count : first
        for input in stride(from: inputs.lowerBound, to: inputs.upperBound, by: 2) {
          // Of the next strips, in the last inputs; after the last ones, of the next task's inputs, which follow.
          let later = input + inputsAhead
          let ahead =
            later < inputs.upperBound || next == first
            ? w.kernel(input: later, output: first * 16)
            : w.kernel(input: later - inputs.count, output: next * 16)
          for tile in 0..<tiling.count {
            multiplyVectors(
              w.kernel(input: input, output: first * 16), stripStride: w.stripStride,
              left.pointer + (tile * strips + first) * patchPixels * 16, count,
              rows: tiling.height - tiling.origin(tile).y,
              into: sums.pointer + (tile * size + (input - inputs.lowerBound) * sumCount),
              ahead: tile == 0 ? ahead : nil)
          }
        }
      }
      for tile in 0..<tiling.count {
        putSums(sums.pointer + tile * size, tiling, tile, into: result, inputs)
      }
      withExtendedLifetime((left, sums)) {}
    }
    return result
  }

  /// The gradients of all tiles, `[tile][strip][pixel][16]`.
  private static func strippedPatches(_ x: Tensor, _ tiling: Winograd.Tiling) -> Storage {
    let channels = x.shape[3]
    let left = StoragePool.shared.storage(count: tiling.count * channels * patchPixels)
    withScratch(paddedPixels * channels) { pixels in
      for tile in 0..<tiling.count {
        copyPatch(x, tiling, tile, into: pixels)
        var target = left.pointer + tile * channels * patchPixels
        for channel in stride(from: 0, to: channels, by: 16) {
          for pixel in 0..<patchPixels {
            store(load(pixels + (pixel * channels + channel)), target)
            target += 16
          }
        }
      }
    }
    return left
  }

  /// The products of two inputs' kernels of some strips with the gradients of a tile.
  /// - Parameters:
  ///   - rows: how many there are from the tile's first on; beyond the picture the sums stay as they are.
  ///   - ahead: kernels that are asked for, of as many inputs and strips.
  @inline(__always)
  private static func multiplyVectors(
    _ kernels: UnsafePointer<Float>, stripStride: Int, _ patches: UnsafePointer<Float>,
    _ count: Int, rows: Int, into sums: UnsafeMutablePointer<Float>, ahead: UnsafePointer<Float>?
  ) {
    let line = patch * 16
    for row in 0..<min(4, rows) {
      if processor_target_has_avx512() != 0 {
        guard row % 2 == 0 else { continue }
        multiplyRows(
          kernels, stripStride, patches + row * line, count, into: sums + row * 64,
          ahead: ahead.map { $0 + row / 2 * KernelStrips.kernelCount })
      } else {
        for half in [0, 8] {
          multiplyHalfRow(
            kernels + half, stripStride, patches + (row * line + half), count,
            into: sums + (row * 64 + half))
        }
      }
    }
  }

  /// Two rows of a tile.
  /// - Parameter sums: `[input][16 pixels][16]`, from the first of these rows on.
  @inline(never)
  private static func multiplyRows(
    _ kernels: UnsafePointer<Float>, _ stripStride: Int, _ patches: UnsafePointer<Float>,
    _ count: Int, into sums: UnsafeMutablePointer<Float>, ahead: UnsafePointer<Float>?
  ) {
    let others = sums + sumCount
    var (r0, r1) = (FourVectors(sums), FourVectors(sums + 64))
    var (s0, s1) = (FourVectors(others), FourVectors(others + 64))
    var (w, a) = (kernels, patches)
    for number in 0..<count {
      if let ahead { ask(ahead, number, quarter: stripStride) }
      forEachTap { row, column in
        // Turned by half a turn.
        let taps = w + (8 &- 3 &* row &- column) &* 16
        let (v, u) = (load(taps), load(taps + KernelStrips.kernelCount))
        let p = a + (row &* patch &+ column) &* 16
        r0.add(vectors: p, v, to: &s0, u)
        r1.add(vectors: p + patch &* 16, v, to: &s1, u)
      }
      w += stripStride
      a += patchPixels &* 16
    }
    r0.put(sums)
    r1.put(sums + 64)
    s0.put(others)
    s1.put(others + 64)
  }

  /// A row of a tile, of half of each vector.
  @inline(never)
  private static func multiplyHalfRow(
    _ kernels: UnsafePointer<Float>, _ stripStride: Int, _ patches: UnsafePointer<Float>,
    _ count: Int, into sums: UnsafeMutablePointer<Float>
  ) {
    var (r, s) = (FourHalves(sums), FourHalves(sums + sumCount))
    var (w, a) = (kernels, patches)
    for _ in 0..<count {
      forEachTap { row, column in
        let taps = w + (8 &- 3 &* row &- column) &* 16
        r.add(
          vectors: a + (row &* patch &+ column) &* 16, loadHalf(taps), to: &s,
          loadHalf(taps + KernelStrips.kernelCount))
      }
      w += stripStride
      a += patchPixels &* 16
    }
    r.put(sums)
    s.put(sums + sumCount)
  }

  /// Adds up the sums of each pixel and input, and puts them where there are pixels.
  /// - Parameter sums: `[input][16 pixels][16]`.
  private static func putSums(
    _ sums: UnsafePointer<Float>, _ tiling: Winograd.Tiling, _ tile: Int, into result: Tensor,
    _ inputs: Range<Int>
  ) {
    let channels = result.shape[3]
    let (image, top, first) = tiling.origin(tile)
    withScratch(256) { turned in
      for input in stride(from: inputs.lowerBound, to: inputs.upperBound, by: 16) {
        let place = sums + (input - inputs.lowerBound) * sumCount
        for row in 0..<min(4, tiling.height - top) {
          let line = (image * tiling.height + top + row) * tiling.width + first
          for pixel in 0..<min(4, tiling.width - first) {
            transpose16x16(place + (row * 4 + pixel) * 16, sumCount, into: turned, 16)
            var sum = Vector()
            for number in 0..<16 { sum += load(turned + number * 16) }
            store(sum, result.pointer + ((line + pixel) * channels + input))
          }
        }
      }
    }
  }

  // MARK: - The gradient by the weights

  /// - Parameters:
  ///   - x: `[batch, height, width, inputs]`.
  ///   - gradient: of the result, `[batch, height, width, outputs]`.
  /// - Returns: `[outputs / 16, inputs, 3, 3, 16]`.
  static func weightGradient(_ x: Tensor, _ gradient: Tensor) -> Tensor {
    let result = GradientTarget.result(x, gradient)
    weightGradient(x, gradient, into: .whole(result))
    return result
  }

  /// The same, given away in parts.
  static func weightGradient(_ x: Tensor, _ gradient: Tensor, inParts taker: PartTaker) {
    weightGradient(x, gradient, into: .parts(taker))
  }

  /// How many floats of inputs stay in a second-level cache, while all strips are made from them.
  private static let mostInputCount = 100 << 10

  private static func weightGradient(_ x: Tensor, _ gradient: Tensor, into target: GradientInOrder)
  {
    let (batch, height, width, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let (pixels, outputs) = (batch * height * width, gradient.shape[3])
    let source = padded(x, before: (1, 1), after: (1, 1))
    let (left, right) = (inStrips(source), inStrips(gradient))
    // A thread has strips of its own, and goes through them with some inputs after others.
    let most = max(1, mostInputCount / source.shape.rows / 16) * 16
    let tasks = SharedTasks(rows: outputs / 16, columns: (inputs + most - 1) / most)
    withPixelOffsets(
      batch: batch, rows: height, columns: width, step: 1, tall: height + 2, wide: width + 2,
      channels: 16
    ) { offsets in
      Parallel.forEach(tasks.count) { task in
        guard let (strip, chunk) = tasks[task] else { return }
        let some = (chunk * most)..<min(inputs, (chunk + 1) * most)
        target.fill(strip: strip, inputs: some, of: inputs, each: 4) { some, kernels in
          let first = some.lowerBound
          multiplyGradients(
            left.pointer + (first / 16 * source.shape.rows * 16 + first % 16),
            line: (width + 2) * 16, offsets, right.pointer + strip * 16 * pixels, pixels,
            into: kernels)
        }
      }
    }
    withExtendedLifetime((left, right)) {}
  }

  /// Pictures, `[sixteen channels][pixel][16]`.
  private static func inStrips(_ x: Tensor) -> Storage {
    let (pixels, channels) = (x.shape.rows, x.shape[3])
    let result = StoragePool.shared.storage(count: x.count)
    Parallel.forEachRange(of: channels / 16, grain: max(1, 4096 / pixels)) { strips in
      for strip in strips {
        for pixel in 0..<pixels {
          store(
            load(x.pointer + (pixel * channels + strip * 16)),
            result.pointer + (strip * pixels + pixel) * 16)
        }
      }
    }
    return result
  }

  /// The sums over all pixels of four inputs times sixteen numbers of the gradient, for each of the taps.
  /// - Parameters:
  ///   - x: `[position in the frame][16]`.
  ///   - line: from a position to the one below.
  ///   - offsets: of the pixels' first taps in `x`.
  ///   - gradient: `[pixel][16]`.
  ///   - target: `[input][9][16]`.
  private static func multiplyGradients(
    _ x: UnsafePointer<Float>, line: Int, _ offsets: UnsafePointer<Int32>,
    _ gradient: UnsafePointer<Float>, _ pixels: Int, into target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<3 {
      let (inputs, place) = (x + row * line, target + row * 48)
      if processor_target_has_avx512() != 0 {
        multiplyTaps(inputs, offsets, gradient, pixels, into: place)
      } else {
        for half in [0, 8] {
          multiplyHalfTaps(inputs, offsets, gradient + half, pixels, into: place + half)
        }
      }
    }
  }

  /// The three taps of a row, of four inputs.
  @inline(never)
  private static func multiplyTaps(
    _ x: UnsafePointer<Float>, _ offsets: UnsafePointer<Int32>, _ gradient: UnsafePointer<Float>,
    _ pixels: Int, into target: UnsafeMutablePointer<Float>
  ) {
    var (t0, t1, t2) = (FourVectors(), FourVectors(), FourVectors())
    for pixel in 0..<pixels {
      let (v, a) = (load(gradient + pixel &* 16), x + Int(offsets[pixel]))
      t0.add(v, a)
      t1.add(v, a + 16)
      t2.add(v, a + 32)
    }
    t0.put(target, stride: KernelStrips.kernelCount)
    t1.put(target + 16, stride: KernelStrips.kernelCount)
    t2.put(target + 32, stride: KernelStrips.kernelCount)
  }

  /// The same of half of each vector.
  @inline(never)
  private static func multiplyHalfTaps(
    _ x: UnsafePointer<Float>, _ offsets: UnsafePointer<Int32>, _ gradient: UnsafePointer<Float>,
    _ pixels: Int, into target: UnsafeMutablePointer<Float>
  ) {
    var (t0, t1, t2) = (FourHalves(), FourHalves(), FourHalves())
    for pixel in 0..<pixels {
      let (v, a) = (loadHalf(gradient + pixel &* 16), x + Int(offsets[pixel]))
      t0.add(v, a)
      t1.add(v, a + 16)
      t2.add(v, a + 32)
    }
    t0.put(target, stride: KernelStrips.kernelCount)
    t1.put(target + 16, stride: KernelStrips.kernelCount)
    t2.put(target + 32, stride: KernelStrips.kernelCount)
  }
}
