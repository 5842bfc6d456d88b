// Convolutions, forward and backward: direct ones as products over the pixels of a padded picture, and the choice of
// Winograd's form where it pays.

/// How a convolution's kernel moves over a picture.
public struct ConvolutionGeometry: Hashable, Sendable {
  public var kernel: Int
  public var stride: Int
  /// Zeros before the first row and column.
  public var paddingBefore: Int
  /// Zeros after the last row and column.
  public var paddingAfter: Int

  public init(kernel: Int, stride: Int = 1, paddingBefore: Int, paddingAfter: Int) {
    self.kernel = kernel
    self.stride = stride
    self.paddingBefore = paddingBefore
    self.paddingAfter = paddingAfter
  }

  /// A kernel of odd size in its usual frame of zeros.
  public init(kernel: Int, stride: Int = 1) {
    self.init(
      kernel: kernel, stride: stride, paddingBefore: kernel / 2, paddingAfter: kernel / 2)
  }

  /// How many positions the kernel has along `extent` pixels.
  public func outputExtent(_ extent: Int) -> Int {
    (extent + paddingBefore + paddingAfter - kernel) / stride + 1
  }

  /// Whether the convolution is a product of each pixel by itself.
  var isPointwise: Bool { kernel == 1 && stride == 1 && paddingBefore == 0 && paddingAfter == 0 }
}

/// `[batch, height, width, channels]` in a frame of zeros.
func padded(_ x: Tensor, before: (Int, Int), after: (Int, Int)) -> Tensor {
  if before == (0, 0), after == (0, 0) { return x }
  let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  let (tall, wide) = (height + before.0 + after.0, width + before.1 + after.1)
  let result = Tensor(uninitialized: [batch, tall, wide, channels])
  Parallel.forEachRange(of: batch * tall, grain: 16) { rows in
    for row in rows {
      let line = result.pointer + row * wide * channels
      let y = row % tall - before.0
      guard y >= 0, y < height else {
        line.update(repeating: 0, count: wide * channels)
        continue
      }
      let source = x.pointer + (row / tall * height + y) * width * channels
      line.update(repeating: 0, count: before.1 * channels)
      (line + before.1 * channels).update(from: source, count: width * channels)
      (line + (before.1 + width) * channels).update(repeating: 0, count: after.1 * channels)
    }
  }
  return result
}

/// Runs `body` with the offsets of pixels `(b, y * step, x * step)` of a picture `[batch, tall, wide, channels]`.
func withPixelOffsets<R>(
  batch: Int, rows: Int, columns: Int, step: Int, tall: Int, wide: Int, channels: Int,
  _ body: (UnsafePointer<Int32>) -> R
) -> R {
  precondition(batch * tall * wide * channels <= Int(Int32.max), "a picture of over 2^31 elements")
  return withUnsafeTemporaryAllocation(of: Int32.self, capacity: batch * rows * columns) { list in
    var index = 0
    for b in 0..<batch {
      for y in 0..<rows {
        var offset = ((b * tall + y * step) * wide) * channels
        for _ in 0..<columns {
          list[index] = Int32(truncatingIfNeeded: offset)
          offset += step * channels
          index += 1
        }
      }
    }
    return body(UnsafePointer(list.baseAddress!))
  }
}

/// A convolution (in the sense of neural networks: a correlation).
///
/// - Parameters:
///   - x: `[batch, height, width, input channels]`.
///   - weights: as ``ConvolutionGeometry/weightsShape(inputs:outputs:)`` tells, or
///     `[kernel, kernel, input channels, output channels]`.
///   - bias: `[output channels]`.
/// - Returns: `[batch, rows, columns, output channels]`.
public func convolution(
  _ x: Tensor, _ weights: Tensor, bias: Tensor?, _ geometry: ConvolutionGeometry
) -> Tensor {
  let (batch, inputs, outputs) = (x.shape[0], x.shape[3], weights.shape.outputChannels)
  precondition(weights.shape.inputChannels == inputs, "a kernel \(weights.shape) on \(x.shape)")
  let (rows, columns) = (geometry.outputExtent(x.shape[1]), geometry.outputExtent(x.shape[2]))
  if geometry.isPointwise {
    return matrixProduct(x, weights.reshaped([inputs, outputs]), bias: bias)
      .reshaped([batch, rows, columns, outputs])
  }
  if Winograd.isUsed, geometry.hasStrips(inputs: inputs, outputs: outputs) {
    let isWinograd = Winograd.suits(
      batch: batch, height: rows, width: columns, inputs: inputs, outputs: outputs, geometry)
    return KernelStrips.with(weights) {
      isWinograd
        ? Winograd.convolution(x, $0, bias: bias, rotated: false)
        : SmallPictures.convolution(x, $0, bias: bias)
    }
  }
  let weights = weights.ordered(as: geometry.rowsShape(inputs: inputs, outputs: outputs))
  let frame = geometry.paddingBefore
  let source = padded(
    x, before: (frame, frame), after: (geometry.paddingAfter, geometry.paddingAfter))
  let (tall, wide) = (source.shape[1], source.shape[2])
  let result = Tensor(uninitialized: [batch, rows, columns, outputs])
  // The taps of a kernel's row are neighbours in the picture and in the weights: one piece for each row.
  let pieces = (0..<geometry.kernel).map { tap in
    Piece(
      left: tap * wide * inputs, right: tap * geometry.kernel * inputs * outputs,
      length: geometry.kernel * inputs)
  }
  withPixelOffsets(
    batch: batch, rows: rows, columns: columns, step: geometry.stride, tall: tall, wide: wide,
    channels: inputs
  ) { offsets in
    MatrixProduct.run(
      rows: batch * rows * columns, columns: outputs, pieces: pieces,
      left: LeftOperand(base: source.pointer, layout: .rows, offsets: .listed(offsets)),
      right: RightOperand(base: weights.pointer, layout: .rows, stride: outputs),
      into: ProductTarget(
        base: result.pointer, offsets: .strided(outputs), bias: bias?.pointer))
  }
  return result
}

/// The gradient of ``convolution(_:_:bias:_:)`` by its input.
///
/// The input pixels fall into `stride * stride` classes by their place relative to the stride; each class takes a
/// fixed set of the kernel's taps, so each is one dense product.
///
/// - Parameters:
///   - gradient: of the result, `[batch, rows, columns, output channels]`.
///   - shape: of the input.
public func convolutionInputGradient(
  _ gradient: Tensor, _ weights: Tensor, inputShape shape: Shape, _ geometry: ConvolutionGeometry
) -> Tensor {
  let (batch, height, width, inputs) = (shape[0], shape[1], shape[2], shape[3])
  let outputs = weights.shape.outputChannels
  if geometry.isPointwise {
    return matrixProduct(gradient, weights.reshaped([inputs, outputs]), transposingRight: true)
      .reshaped(shape)
  }
  if Winograd.isUsed, geometry.hasStrips(inputs: inputs, outputs: outputs) {
    let isWinograd = Winograd.suits(
      batch: batch, height: height, width: width, inputs: outputs, outputs: inputs, geometry)
    return KernelStrips.with(weights) {
      isWinograd
        ? Winograd.convolution(gradient, $0, bias: nil, rotated: true)
        : SmallPictures.inputGradient(gradient, $0)
    }
  }
  let weights = weights.ordered(as: geometry.rowsShape(inputs: inputs, outputs: outputs))
  let (kernel, stride, frame) = (geometry.kernel, geometry.stride, geometry.paddingBefore)
  let before = max(0, (kernel - 1 - frame + stride - 1) / stride)
  let after = (
    max(0, (height - 1 + frame) / stride - (gradient.shape[1] - 1)),
    max(0, (width - 1 + frame) / stride - (gradient.shape[2] - 1))
  )
  let source = padded(gradient, before: (before, before), after: after)
  let (tall, wide) = (source.shape[1], source.shape[2])
  let result = Tensor(uninitialized: shape)
  for classY in 0..<stride {
    for classX in 0..<stride {
      let rows = (height - classY + stride - 1) / stride
      let columns = (width - classX + stride - 1) / stride
      guard rows > 0, columns > 0 else { continue }
      var pieces: [Piece] = []
      for tapY in 0..<kernel where (classY + frame - tapY) % stride == 0 {
        for tapX in 0..<kernel where (classX + frame - tapX) % stride == 0 {
          let y = (classY + frame - tapY) / stride + before
          let x = (classX + frame - tapX) / stride + before
          pieces.append(
            Piece(
              left: (y * wide + x) * outputs, right: (tapY * kernel + tapX) * inputs * outputs,
              length: outputs))
        }
      }
      withPixelOffsets(
        batch: batch, rows: rows, columns: columns, step: 1, tall: tall, wide: wide,
        channels: outputs
      ) { offsets in
        withPixelOffsets(
          batch: batch, rows: rows, columns: columns, step: stride, tall: height, wide: width,
          channels: inputs
        ) { targets in
          MatrixProduct.run(
            rows: batch * rows * columns, columns: inputs, pieces: pieces,
            left: LeftOperand(base: source.pointer, layout: .rows, offsets: .listed(offsets)),
            right: RightOperand(base: weights.pointer, layout: .columns, stride: outputs),
            into: ProductTarget(
              base: result.pointer + (classY * width + classX) * inputs, offsets: .listed(targets))
          )
        }
      }
    }
  }
  return result
}

/// The convolution, with a kernel of 3x3 in a frame of one zero, of a picture twice as high and wide, in which each pixel stands
/// four times: diffusers' `Upsample2D`.
///
/// - Parameters:
///   - x: `[batch, height, width, input channels]`.
///   - weights: of a kernel of 3x3, in either order that ``convolution(_:_:bias:_:)`` takes.
///   - bias: `[output channels]`.
/// - Returns: `[batch, 2 height, 2 width, output channels]`.
public func upsampledConvolution(_ x: Tensor, _ weights: Tensor, bias: Tensor?) -> Tensor {
  let (batch, height, width) = (x.shape[0], x.shape[1], x.shape[2])
  let (inputs, outputs) = (x.shape[3], weights.shape.outputChannels)
  precondition(weights.shape.inputChannels == inputs, "a kernel \(weights.shape) on \(x.shape)")
  let geometry = ConvolutionGeometry(kernel: 3)
  if UpsampledConvolution.suits(
    batch: batch, height: height, width: width, inputs: inputs, outputs: outputs)
  {
    return KernelStrips.with(weights) { UpsampledConvolution.convolution(x, $0, bias: bias) }
  }
  return convolution(
    x.resizedToNearest(height: 2 * height, width: 2 * width), weights, bias: bias, geometry)
}

/// The gradient of ``upsampledConvolution(_:_:bias:)`` by its input.
///
/// - Parameter gradient: of the result, `[batch, 2 height, 2 width, output channels]`.
/// - Returns: `[batch, height, width, input channels]`.
public func upsampledConvolutionInputGradient(_ gradient: Tensor, _ weights: Tensor) -> Tensor {
  let (batch, height, width) = (gradient.shape[0], gradient.shape[1] / 2, gradient.shape[2] / 2)
  let (inputs, outputs) = (weights.shape.inputChannels, weights.shape.outputChannels)
  let geometry = ConvolutionGeometry(kernel: 3)
  if UpsampledConvolution.suitsGradient(
    batch: batch, height: height, width: width, inputs: inputs, outputs: outputs)
  {
    return KernelStrips.with(weights) { UpsampledConvolution.inputGradient(gradient, $0) }
  }
  return convolutionInputGradient(
    gradient, weights, inputShape: [batch, 2 * height, 2 * width, inputs], geometry
  ).nearestGradient(inputShape: [batch, height, width, inputs])
}

/// The gradient of ``convolution(_:_:bias:_:)`` by its weights.
///
/// - Parameters:
///   - x: the input, `[batch, height, width, input channels]`.
///   - gradient: of the result.
///   - shape: of the weights, in either order that the convolution takes. If nil, that of memory.
/// - Returns: a tensor of this shape.
public func convolutionWeightGradient(
  _ x: Tensor, _ gradient: Tensor, _ geometry: ConvolutionGeometry, weightsShape shape: Shape? = nil
) -> Tensor {
  let (inputs, outputs) = (x.shape[3], gradient.shape[3])
  let shape = shape ?? geometry.weightsShape(inputs: inputs, outputs: outputs)
  if geometry.isPointwise {
    return matrixProduct(x, gradient, transposingLeft: true).reshaped(shape)
  }
  if suitsFewTiles(x, gradient, geometry) {
    return FewTiles.weightGradient(x, gradient).ordered(as: shape)
  }
  if suitsWinograd(x, gradient, geometry) {
    return Winograd.weightGradient(x, gradient).ordered(as: shape)
  }
  if Winograd.isUsed, geometry.hasStrips(inputs: inputs, outputs: outputs) {
    return SmallPictures.weightGradient(x, gradient).ordered(as: shape)
  }
  let kernel = geometry.kernel
  let result = Tensor(uninitialized: geometry.rowsShape(inputs: inputs, outputs: outputs))
  forEachTapRow(x, gradient, geometry) { tap, left in
    MatrixProduct.run(
      rows: kernel * inputs, columns: outputs,
      pieces: [Piece(left: 0, right: 0, length: gradient.shape.rows)], left: left,
      right: RightOperand(base: gradient.pointer, layout: .rows, stride: outputs),
      into: ProductTarget(
        base: result.pointer + tap * kernel * inputs * outputs, offsets: .strided(outputs)))
  }
  return result.ordered(as: shape)
}

/// The gradient of ``convolution(_:_:bias:_:)`` by its weights, given away in parts.
///
/// - Parameters:
///   - x: the input, `[batch, height, width, input channels]`.
///   - gradient: of the result.
///   - shape: of the weights, in either order that the convolution takes. If nil, that of memory.
///   - taker: gets the parts of a tensor of this shape, each element once.
public func convolutionWeightGradient(
  _ x: Tensor, _ gradient: Tensor, _ geometry: ConvolutionGeometry,
  weightsShape shape: Shape? = nil, inParts taker: PartTaker
) {
  let (inputs, outputs) = (x.shape[3], gradient.shape[3])
  if geometry.isPointwise { return transposedMatrixProduct(x, gradient, inParts: taker) }
  let ours = geometry.weightsShape(inputs: inputs, outputs: outputs)
  if shape ?? ours == ours {
    if suitsFewTiles(x, gradient, geometry) {
      return FewTiles.weightGradient(x, gradient, inParts: taker)
    }
    if suitsWinograd(x, gradient, geometry) {
      return Winograd.weightGradient(x, gradient, inParts: taker)
    }
    if Winograd.isUsed, geometry.hasStrips(inputs: inputs, outputs: outputs) {
      return SmallPictures.weightGradient(x, gradient, inParts: taker)
    }
  }
  guard !geometry.hasStrips(inputs: inputs, outputs: outputs) else {
    // Of an order that no kernel makes.
    let whole = convolutionWeightGradient(x, gradient, geometry, weightsShape: shape)
    return taker.takeAll(whole)
  }
  let kernel = geometry.kernel
  forEachTapRow(x, gradient, geometry) { tap, left in
    MatrixProduct.runInParts(
      rows: kernel * inputs, columns: outputs, inner: gradient.shape.rows, left: left,
      right: RightOperand(base: gradient.pointer, layout: .rows, stride: outputs),
      offset: tap * kernel * inputs * outputs, taker)
  }
}

/// Whether the gradient by the weights is Winograd's.
private func suitsWinograd(_ x: Tensor, _ gradient: Tensor, _ geometry: ConvolutionGeometry) -> Bool
{
  Winograd.suits(
    batch: x.shape[0], height: x.shape[1], width: x.shape[2], inputs: x.shape[3],
    outputs: gradient.shape[3], geometry, leastTiles: 16)
}

/// Whether the gradient by the weights is Winograd's of few tiles.
private func suitsFewTiles(_ x: Tensor, _ gradient: Tensor, _ geometry: ConvolutionGeometry) -> Bool
{
  FewTiles.suitsWeightGradient(
    batch: x.shape[0], height: x.shape[1], width: x.shape[2], inputs: x.shape[3],
    outputs: gradient.shape[3], geometry)
}

/// Calls `body` for each row of a kernel's taps with what its pixels meet in the input, `[kernel * inputs, pixels]`.
private func forEachTapRow(
  _ x: Tensor, _ gradient: Tensor, _ geometry: ConvolutionGeometry,
  _ body: (_ tap: Int, LeftOperand) -> Void
) {
  let (frame, inputs) = (geometry.paddingBefore, x.shape[3])
  let source = padded(
    x, before: (frame, frame), after: (geometry.paddingAfter, geometry.paddingAfter))
  let (tall, wide) = (source.shape[1], source.shape[2])
  withPixelOffsets(
    batch: x.shape[0], rows: gradient.shape[1], columns: gradient.shape[2], step: geometry.stride,
    tall: tall, wide: wide, channels: inputs
  ) { offsets in
    for tap in 0..<geometry.kernel {
      body(
        tap,
        LeftOperand(
          base: source.pointer + tap * wide * inputs, layout: .columns, offsets: .listed(offsets)))
    }
  }
}
