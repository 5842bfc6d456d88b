// Transposing blocks of 16 by 16 floats in registers, for packing and for turning weights over.

import CProcessor

/// `target[j * targetStride + i] = source[i * sourceStride + j]` for i and j below 16.
@inline(never)
func transpose16x16(
  _ source: UnsafePointer<Float>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  processor_transpose_16x16(source, sourceStride, target, targetStride)
}

/// `target[j * targetStride + i] = source[i * sourceStride + j]` for i below 8 and j below 16.
@inline(never)
func transpose8x16(
  _ source: UnsafePointer<Float>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  processor_transpose_8x16(source, sourceStride, target, targetStride)
}

/// Calls `body` with room for sixteen vectors on the stack: the language's way to get it for so many takes memory from the system.
@inline(__always)
func withBlock<R>(_ body: (UnsafeMutablePointer<Float>) -> R) -> R {
  var block = InlineArray<16, Vector>(repeating: Vector())
  return withUnsafeMutableBytes(of: &block) {
    body($0.baseAddress!.assumingMemoryBound(to: Float.self))
  }
}

extension Tensor {
  /// The transpose of a matrix `[rows, columns]`, as a matrix `[columns, rows]`.
  public func transposed() -> Tensor {
    precondition(shape.rank == 2, "the transpose of a tensor of shape \(shape)")
    return transposingInner(batch: 1, rows: shape[0], columns: shape[1]).reshaped([
      shape[1], shape[0],
    ])
  }

  /// `[batch, channels, height, width]`, the order of PyTorch and of files, as `[batch, height, width, channels]`.
  public func channelsLast() -> Tensor {
    transposingInner(batch: shape[0], rows: shape[1], columns: shape[2] * shape[3])
      .reshaped([shape[0], shape[2], shape[3], shape[1]])
  }

  /// `[batch, height, width, channels]` as `[batch, channels, height, width]`.
  public func channelsFirst() -> Tensor {
    transposingInner(batch: shape[0], rows: shape[1] * shape[2], columns: shape[3])
      .reshaped([shape[0], shape[3], shape[1], shape[2]])
  }

  /// The elements seen as `[batch, rows, columns]`, with rows and columns exchanged, in the order of the result.
  func transposingInner(batch: Int, rows: Int, columns: Int) -> Tensor {
    let result = Tensor(uninitialized: [batch, columns, rows])
    let blocks = (rows + 15) / 16
    Parallel.forEach(batch * blocks) { task in
      let (image, block) = (task / blocks, task % blocks)
      let source = pointer + image * rows * columns
      let target = result.pointer + image * rows * columns
      let (i0, i1) = (block * 16, Swift.min(rows, block * 16 + 16))
      var j = 0
      if i1 - i0 == 16 {
        while j + 16 <= columns {
          transpose16x16(source + i0 * columns + j, columns, into: target + j * rows + i0, rows)
          j += 16
        }
      }
      while j < columns {
        for i in i0..<i1 { target[j * rows + i] = source[i * columns + j] }
        j += 1
      }
    }
    return result
  }
}
