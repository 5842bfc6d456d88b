// Convolutions of 3x3 kernels in the direct form, of pictures so small that Winograd's transforms don't pay: each kernel is used
// for a tile or two only, so that what takes time is to read it.
//
// A picture is cut into tiles of 4x4 outputs, whose sums stay in registers: sixteen outputs of each of the sixteen pixels. With
// registers of 256 bits they are those of half the pixels and half the columns.

import CProcessor

enum SmallPictures {
  /// Pixels of a tile's inputs: six rows of six, in as many lines of sixteen as they take.
  private static let patch = 6
  private static let patchCount = 48
  /// Sums of a tile and sixteen columns.
  private static let sumCount = 16 * 16
  /// How many columns a task takes at most.
  private static let columnsPerTask = 64

  /// The convolution, or with `rotated` its gradient by the input.
  ///
  /// - Parameter x: `[batch, height, width, inner channels]`.
  static func convolution(
    _ x: Tensor, _ w: KernelStrips, bias: Tensor?, rotated: Bool
  ) -> Tensor {
    let tiling = Winograd.Tiling(batch: x.shape[0], height: x.shape[1], width: x.shape[2])
    let outputs = rotated ? w.inputs : w.outputs
    let result = Tensor(uninitialized: [x.shape[0], x.shape[1], x.shape[2], outputs])
    let patches = LaneValues<Storage>()
    let each = min(columnsPerTask, (outputs / 16 + 7) / 8 * 16)
    Parallel.forEachRange(of: outputs, grain: each) { columns in
      let left = patches.own ?? gatherPatches(x, tiling)
      patches.own = left
      let sums = StoragePool.shared.storage(count: tiling.count * sumCount)
      let kernels = KernelSteps(w, rotated: rotated)
      for column in stride(from: columns.lowerBound, to: columns.upperBound, by: 16) {
        sums.pointer.update(repeating: 0, count: tiling.count * sumCount)
        addProducts(
          kernels, left.pointer, tiles: tiling.count, column: column, into: sums.pointer)
        put(
          sums.pointer, tiling, bias: bias.map { UnsafePointer($0.pointer) + column },
          into: result, column: column)
      }
      withExtendedLifetime((left, sums)) {}
    }
    return result
  }

  /// The inputs of all tiles, with zeros beyond the picture, `[tile][channel][48]`.
  private static func gatherPatches(_ x: Tensor, _ tiling: Winograd.Tiling) -> Storage {
    let channels = x.shape[3]
    let left = StoragePool.shared.storage(count: tiling.count * channels * patchCount)
    withScratch(patchCount * channels) { pixels in
      for tile in 0..<tiling.count {
        pixels.update(repeating: 0, count: patchCount * channels)
        let (image, top, first) = tiling.origin(tile)
        let columns = max(0, first - 1)..<min(tiling.width, first + 5)
        for y in max(0, top - 1)..<min(tiling.height, top + 5) {
          let line = (image * tiling.height + y) * tiling.width + columns.lowerBound
          let place = (y - top + 1) * patch + columns.lowerBound - first + 1
          (pixels + place * channels).update(
            from: x.pointer + line * channels, count: columns.count * channels)
        }
        let target = left.pointer + tile * channels * patchCount
        for pixel in stride(from: 0, to: patchCount, by: 16) {
          for channel in stride(from: 0, to: channels, by: 16) {
            transpose16x16(
              pixels + pixel * channels + channel, channels,
              into: target + channel * patchCount + pixel, patchCount)
          }
        }
      }
    }
    return left
  }

  /// Adds up what all inner channels give to sixteen columns.
  /// - Parameter sums: `[tile][16 pixels][16]`.
  private static func addProducts(
    _ kernels: KernelSteps, _ left: UnsafePointer<Float>, tiles: Int, column: Int,
    into sums: UnsafeMutablePointer<Float>
  ) {
    let inner = kernels.inner
    func step(_ first: Int) -> KernelSteps.Step? {
      // After the last channel the next columns follow, if only those of another task: most often the same thread's.
      let (first, column) = first < inner ? (first, column) : (0, column + 16)
      return column < kernels.columns
        ? KernelSteps.Step(inner: first..<min(inner, first + KernelSteps.mostInner), column: column)
        : nil
    }
    for first in stride(from: 0, to: inner, by: KernelSteps.mostInner) {
      let here = step(first)!
      let next = step(here.inner.upperBound)
      let taps = kernels.take(here)
      for tile in 0..<tiles {
        let patches = left + (tile * inner + first) * patchCount
        let place = sums + tile * sumCount
        // All that the next step takes is asked for with the first tile.
        let lines = kernels.all(of: tile == 0 ? next : nil)
        if processor_target_has_avx512() != 0 {
          multiply(taps, patches, here.inner.count, into: place, lines)
        } else {
          multiplyHalves(
            taps, patches, here.inner.count, into: place, lines, then: kernels.all(of: nil))
        }
      }
    }
  }

  /// The products of a tile, whose rows are `[4][16]` of the sums.
  @inline(never)
  private static func multiply(
    _ taps: UnsafePointer<Float>, _ patches: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ lines: KernelStepAhead
  ) {
    var (r0, r1) = (FourVectors(sums), FourVectors(sums + 64))
    var (r2, r3) = (FourVectors(sums + 128), FourVectors(sums + 192))
    var (w, a) = (taps, patches)
    for k in 0..<count {
      lines.ask(step: k)
      @_transparent func tap(_ row: Int, _ column: Int) {
        let v = load(w + (3 &* row &+ column) &* 16)
        let p = a + (row &* patch &+ column)
        r0.add(v, p)
        r1.add(v, p + patch)
        r2.add(v, p + 2 &* patch)
        r3.add(v, p + 3 &* patch)
      }
      tap(0, 0)
      tap(0, 1)
      tap(0, 2)
      tap(1, 0)
      tap(1, 1)
      tap(1, 2)
      tap(2, 0)
      tap(2, 1)
      tap(2, 2)
      w += KernelStrips.kernelCount
      a += patchCount
    }
    r0.put(sums)
    r1.put(sums + 64)
    r2.put(sums + 128)
    r3.put(sums + 192)
  }

  /// The same with registers of 256 bits.
  private static func multiplyHalves(
    _ taps: UnsafePointer<Float>, _ patches: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ lines: KernelStepAhead, then nothing: KernelStepAhead
  ) {
    var lines = lines
    for row in [0, 2] {
      for column in [0, 8] {
        multiplyHalf(
          taps + column, patches + row * patch, count, into: sums + (row * 64 + column), lines)
        lines = nothing
      }
    }
  }

  /// The products of two rows of a tile and eight columns.
  @inline(never)
  private static func multiplyHalf(
    _ taps: UnsafePointer<Float>, _ patches: UnsafePointer<Float>, _ count: Int,
    into sums: UnsafeMutablePointer<Float>, _ lines: KernelStepAhead
  ) {
    var (r0, r1) = (FourHalves(sums), FourHalves(sums + 64))
    var (w, a) = (taps, patches)
    for k in 0..<count {
      lines.ask(step: k)
      @_transparent func tap(_ row: Int, _ column: Int) {
        let v = loadHalf(w + (3 &* row &+ column) &* 16)
        let p = a + (row &* patch &+ column)
        r0.add(v, p)
        r1.add(v, p + patch)
      }
      tap(0, 0)
      tap(0, 1)
      tap(0, 2)
      tap(1, 0)
      tap(1, 1)
      tap(1, 2)
      tap(2, 0)
      tap(2, 1)
      tap(2, 2)
      w += KernelStrips.kernelCount
      a += patchCount
    }
    r0.put(sums)
    r1.put(sums + 64)
  }

  /// Puts the sums of all tiles, with the bias, where there are pixels.
  private static func put(
    _ sums: UnsafePointer<Float>, _ tiling: Winograd.Tiling, bias: UnsafePointer<Float>?,
    into result: Tensor, column: Int
  ) {
    let channels = result.shape[3]
    let shift = bias.map { load($0) } ?? Vector()
    for tile in 0..<tiling.count {
      let (image, top, first) = tiling.origin(tile)
      for row in 0..<min(4, tiling.height - top) {
        let line = (image * tiling.height + top + row) * tiling.width + first
        for pixel in 0..<min(4, tiling.width - first) {
          store(
            load(sums + (tile * sumCount + (row * 4 + pixel) * 16)) + shift,
            result.pointer + ((line + pixel) * channels + column))
        }
      }
    }
  }
}
