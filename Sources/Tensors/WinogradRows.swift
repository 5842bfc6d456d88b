// Winograd's convolutions of many tiles where the second-level cache is small: with a row of six elements after another, what the
// products are added up in, and what they are made of, stay in the cache, and the tiles are read for three strips of columns at
// once rather than for each.

import CProcessor

extension Winograd {
  /// The most columns that are multiplied at once.
  private static let rowWidth = 48
  /// How many channels of the sum are taken at once, at most.
  private static let rowInnerBlock = 160
  /// The fewest tiles for which this is faster: each row of elements transforms the weights again.
  private static let leastTilesOfRows = 16
  /// How many of their elements there are at least: fewer are read from a cache anyway.
  private static let leastTileElements = 1 << 13
  /// How many kernels ahead of the one that is gathered memory is asked for.
  private static let gatherDistance = 16

  /// Whether so many tiles of so many channels are multiplied this way. Only with registers of 256 bits, whose processors have
  /// 512 KB or less of a second-level cache; with those of 512 bits a strip is three times as wide.
  static func suitsRows(tiles: Int, inner: Int) -> Bool {
    processor_target_has_avx512() == 0 && tiles >= leastTilesOfRows
      && tiles * inner >= leastTileElements
  }

  /// The convolution of some tiles into some columns; see ``convolution(_:_:bias:rotated:)``.
  /// - Parameter left: the transformed tiles, `[36][tiles][inner]`, elements `spread(tiles * inner)` apart.
  static func convolveByRows(
    _ left: UnsafePointer<Float>, _ w: KernelStrips, bias: Tensor?, rotated: Bool, _ tiling: Tiling,
    _ tiles: Range<Int>, columns: Range<Int>, into result: Tensor
  ) {
    guard !columns.isEmpty else { return }
    let inner = rotated ? w.outputs : w.inputs
    let groups = (columns.count + rowWidth - 1) / rowWidth
    let most = (columns.count / 16 + groups - 1) / groups * 16
    let blocks = (inner + rowInnerBlock - 1) / rowInnerBlock
    let each = (inner / 16 + blocks - 1) / blocks * 16
    let packed = StoragePool.shared.storage(count: 6 * spread(each * most))
    let products = StoragePool.shared.storage(count: elements * spread(tiles.count * most))
    let kernels = StoragePool.shared.storage(count: 9 * inner * most)
    for column in stride(from: columns.lowerBound, to: columns.upperBound, by: most) {
      let width = min(most, columns.upperBound - column)
      if rotated {
        turn(w, column..<(column + width), into: kernels.pointer)
      } else {
        gather(w, column..<(column + width), into: kernels.pointer)
      }
      let productStride = spread(tiles.count * width)
      for row in 0..<6 {
        for start in stride(from: 0, to: inner, by: each) {
          let count = min(each, inner - start)
          let packedStride = spread(count * width)
          packWeights(
            kernels.pointer + start * width, tapStride: inner * width, row: row, count: count,
            width: width, into: packed.pointer, stride: packedStride)
          let piece = Piece(left: start, right: 0, length: count)
          for number in 0..<6 {
            let element = row * 6 + number
            MatrixProduct.multiply(
              LeftOperand(
                base: left + element * spread(tiles.count * inner), layout: .rows,
                offsets: .strided(inner)),
              piece, rows: tiles.count, packed: packed.pointer + number * packedStride,
              columns: width,
              into: ProductTarget(
                base: products.pointer + element * productStride, offsets: .strided(width),
                accumulates: start > 0))
          }
        }
      }
      transformProducts(
        products.pointer, tiling, tiles, width: width, stride: productStride,
        bias: bias.map { UnsafePointer($0.pointer) + column }, into: result, column: column)
    }
  }

  /// The kernels of some outputs, `[9][inputs][outputs.count]`: each row of elements takes them again, and where they lie they
  /// are pages apart.
  private static func gather(
    _ w: KernelStrips, _ outputs: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    let (inputs, width, size) = (w.inputs, outputs.count, KernelStrips.kernelCount)
    for column in stride(from: 0, to: width, by: 16) {
      var source = w.kernel(input: 0, output: outputs.lowerBound + column)
      for input in 0..<inputs {
        let place = target + (input * width + column)
        for tap in 0..<9 {
          processor_prefetch(source + (gatherDistance &* size &+ tap &* 16))
          store(load(source + tap &* 16), place + tap &* inputs &* width)
        }
        source += size
      }
    }
  }

  /// The kernels of the gradient by the input, of some of its channels: `[9][outputs][channels.count]`.
  private static func turn(
    _ w: KernelStrips, _ channels: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    let (outputs, width) = (w.outputs, channels.count)
    for column in stride(from: 0, to: width, by: 16) {
      for block in stride(from: 0, to: outputs, by: 16) {
        let source = w.kernel(input: channels.lowerBound + column, output: block)
        for tap in 0..<9 {
          transpose16x16(
            source + (8 - tap) * 16, KernelStrips.kernelCount,
            into: target + ((tap * outputs + block) * width + column), width)
        }
      }
    }
  }

  /// A row of the transformed weights of some channels, packed for the product: `[6][strip][count][16]`, or `[24]` of 48
  /// channels.
  ///
  /// - Parameters:
  ///   - taps: `[9][count][width]`, taps as far apart as told.
  ///   - stride: from an element to the next.
  @inline(never)
  private static func packWeights(
    _ taps: UnsafePointer<Float>, tapStride: Int, row: Int, count: Int, width: Int,
    into packed: UnsafeMutablePointer<Float>, stride: Int
  ) {
    /// - Parameter element: the row's element of a column of taps.
    @inline(__always)
    func pack(_ element: (UnsafePointer<Float>) -> Vector) {
      if width == 48 {
        for k in 0..<count {
          @inline(__always) func row(_ p: UnsafePointer<Float>) -> Six {
            weights((element(p), element(p + tapStride), element(p + 2 &* tapStride)))
          }
          let (p, first) = (taps + k &* width, packed + k &* 24)
          let second = first + count &* 24
          put(row(p), first, stride)
          putHalves(row(p + 16), first + 16, second, stride)
          put(row(p + 32), second + 8, stride)
        }
        return
      }
      for k in 0..<count {
        var p = taps + k &* width
        var target = packed + k &* 16
        for _ in 0..<(width / 16) {
          put(
            weights((element(p), element(p + tapStride), element(p + 2 &* tapStride))), target,
            stride)
          p += 16
          target += count &* 16
        }
      }
    }
    func pack(scale: Float, point: Float) {
      let (first, second, third) = (
        Vector(repeating: scale), Vector(repeating: scale * point),
        Vector(repeating: scale * point * point)
      )
      pack { p in
        (first * load(p)).addingProduct(second, load(p + 3 &* tapStride))
          .addingProduct(third, load(p + 6 &* tapStride))
      }
    }
    switch row {
    case 0: pack { load($0) }
    case 1: pack(scale: nearScale, point: near)
    case 2: pack(scale: nearScale, point: -near)
    case 3: pack(scale: farScale, point: far)
    case 4: pack(scale: farScale, point: -far)
    default: pack { load($0 + 6 &* tapStride) }
    }
  }
}
