// Transposing blocks of 16 by 16 floats in registers, for packing and for turning weights over.

@inline(__always)
private func interleave(_ a: SIMD4<Float>, _ b: SIMD4<Float>) -> (SIMD4<Float>, SIMD4<Float>) {
  let both = SIMD8(a.x, b.x, a.y, b.y, a.z, b.z, a.w, b.w)
  return (both.lowHalf, both.highHalf)
}

/// `target[j * targetStride + i] = source[i * sourceStride + j]` for i and j below 4.
@inline(__always)
func transpose4x4(
  _ source: UnsafePointer<Float>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  @inline(__always) func row(_ i: Int) -> SIMD4<Float> {
    UnsafeRawPointer(source + i &* sourceStride).loadUnaligned(as: SIMD4<Float>.self)
  }
  let (a, b) = (interleave(row(0), row(2)), interleave(row(1), row(3)))
  let (c, d) = (interleave(a.0, b.0), interleave(a.1, b.1))
  @inline(__always) func put(_ i: Int, _ v: SIMD4<Float>) {
    UnsafeMutableRawPointer(target + i &* targetStride).storeBytes(of: v, as: SIMD4<Float>.self)
  }
  put(0, c.0)
  put(1, c.1)
  put(2, d.0)
  put(3, d.1)
}

/// The interleaved elements of either half.
@inline(__always)
private func interleave(_ a: SIMD8<Float>, _ b: SIMD8<Float>) -> (SIMD8<Float>, SIMD8<Float>) {
  (
    SIMD8(a[0], b[0], a[1], b[1], a[4], b[4], a[5], b[5]),
    SIMD8(a[2], b[2], a[3], b[3], a[6], b[6], a[7], b[7])
  )
}

/// `target[j * targetStride + i] = source[i * sourceStride + j]` for i below 8 and j below 4: two blocks of 4 by 4, one in
/// either half of the registers.
@inline(__always)
private func transpose8x4(
  _ source: UnsafePointer<Float>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  @inline(__always) func rows(_ i: Int) -> SIMD8<Float> {
    let p = UnsafeRawPointer(source + i &* sourceStride)
    return SIMD8(
      lowHalf: p.loadUnaligned(as: SIMD4<Float>.self),
      highHalf: (p + 16 &* sourceStride).loadUnaligned(as: SIMD4<Float>.self))
  }
  let (a, b) = (interleave(rows(0), rows(2)), interleave(rows(1), rows(3)))
  let (c, d) = (interleave(a.0, b.0), interleave(a.1, b.1))
  storeHalf(c.0, target)
  storeHalf(c.1, target + targetStride)
  storeHalf(d.0, target + 2 &* targetStride)
  storeHalf(d.1, target + 3 &* targetStride)
}

/// `target[j * targetStride + i] = source[i * sourceStride + j]` for i and j below 16.
///
/// In blocks of 8 by 4, also where registers hold sixteen floats: turning whole rows of sixteen took twice the time.
///
/// Never inlined: in the middle of a larger function the compiler gives up turning elements into shuffles.
@inline(never)
func transpose16x16(
  _ source: UnsafePointer<Float>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  for i in stride(from: 0, to: 16, by: 8) {
    for j in stride(from: 0, to: 16, by: 4) {
      transpose8x4(
        source + (i &* sourceStride &+ j), sourceStride, into: target + (j &* targetStride &+ i),
        targetStride)
    }
  }
}

/// `target[j * targetStride + i] = source[i * sourceStride + j]` for i below 8 and j below 16.
@inline(never)
func transpose8x16(
  _ source: UnsafePointer<Float>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  for j in stride(from: 0, to: 16, by: 4) {
    transpose8x4(source + j, sourceStride, into: target + j &* targetStride, targetStride)
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
  private func transposingInner(batch: Int, rows: Int, columns: Int) -> Tensor {
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

extension Tensor {
  /// A convolution's weights `[outputs, inputs, kernel, kernel]`, PyTorch's order, as
  /// `[kernel, kernel, inputs, outputs]`.
  public func outputsLast() -> Tensor {
    let (outputs, inputs, taps) = (shape[0], shape[1], shape[2] * shape[3])
    let byInput = reshaped([outputs, inputs * taps]).transposed()  // [inputs, taps, outputs]
    let result = Tensor(uninitialized: [shape[2], shape[3], inputs, outputs])
    Parallel.forEach(taps) { tap in
      for input in 0..<inputs {
        (result.pointer + (tap * inputs + input) * outputs).update(
          from: byInput.pointer + (input * taps + tap) * outputs, count: outputs)
      }
    }
    return result
  }

  /// The inverse of ``outputsLast()``.
  public func outputsFirst() -> Tensor {
    let (taps, inputs, outputs) = (shape[0] * shape[1], shape[2], shape[3])
    let byInput = Tensor(uninitialized: [inputs * taps, outputs])
    Parallel.forEach(taps) { tap in
      for input in 0..<inputs {
        (byInput.pointer + (input * taps + tap) * outputs).update(
          from: pointer + (tap * inputs + input) * outputs, count: outputs)
      }
    }
    return byInput.transposed().reshaped([outputs, inputs, shape[0], shape[1]])
  }
}
