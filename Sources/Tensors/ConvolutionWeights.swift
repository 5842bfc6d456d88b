// How the weights of a convolution lie in memory.
//
// Those of 3x3 kernels lie in strips of sixteen outputs: the nine taps of an input and of sixteen outputs side by side, and the
// inputs of a strip one after another. Winograd's transform takes nine taps of sixteen outputs at once, and what it takes for
// some inputs and some strips is a few long runs of memory, forward and backward, where rows of all outputs would give it lines
// that lie pages apart, and fight for the same places of a cache.

/// The weights of a convolution, `[kernel, kernel, inputs, outputs]`, or in strips
/// `[outputs / 16, inputs, kernel, kernel, 16]`.
extension ConvolutionGeometry {
  /// Whether weights lie in strips: those of 3x3 kernels, of stride 1, in a frame of one zero, for as many channels as fill vectors.
  public func hasStrips(inputs: Int, outputs: Int) -> Bool {
    self == ConvolutionGeometry(kernel: 3) && inputs % 16 == 0 && outputs % 16 == 0
  }

  /// The shape of weights in memory.
  public func weightsShape(inputs: Int, outputs: Int) -> Shape {
    hasStrips(inputs: inputs, outputs: outputs)
      ? [outputs / 16, inputs, kernel, kernel, 16] : rowsShape(inputs: inputs, outputs: outputs)
  }

  /// The shape of weights that don't lie in strips.
  func rowsShape(inputs: Int, outputs: Int) -> Shape { [kernel, kernel, inputs, outputs] }
}

extension Shape {
  /// Whether this is the shape of a convolution's weights in strips.
  var isInStrips: Bool { rank == 5 }
  /// The channels of a convolution's weights.
  var inputChannels: Int { isInStrips ? self[1] : self[2] }
  var outputChannels: Int { isInStrips ? 16 * self[0] : self[3] }

  /// The shape of ``Tensor/unstripped()``.
  public var unstripped: Shape {
    isInStrips
      ? ConvolutionGeometry(kernel: self[2]).rowsShape(inputs: self[1], outputs: 16 * self[0])
      : self
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

  /// A convolution's weights `[outputs, inputs, kernel, kernel]`, PyTorch's order, as
  /// `[outputs / 16, inputs, kernel, kernel, 16]`.
  /// - Precondition: the outputs are a multiple of sixteen.
  public func outputsInStrips() -> Tensor {
    precondition(shape[0] % 16 == 0, "strips of weights \(shape)")
    return transposingInner(batch: shape[0] / 16, rows: 16, columns: count / shape[0])
      .reshaped([shape[0] / 16, shape[1], shape[2], shape[3], 16])
  }

  /// The inverse of ``outputsLast()``, and of weights in strips that of ``outputsInStrips()``.
  public func outputsFirst() -> Tensor {
    if shape.isInStrips {
      return transposingInner(batch: shape[0], rows: count / shape[0] / 16, columns: 16)
        .reshaped([16 * shape[0], shape[1], shape[2], shape[3]])
    }
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

  /// A convolution's weights in strips as `[kernel, kernel, inputs, outputs]`; any other tensor itself.
  public func unstripped() -> Tensor { ordered(as: shape.unstripped) }

  /// A convolution's weights in the order of a shape that ``ConvolutionGeometry/weightsShape(inputs:outputs:)`` may be, such
  /// as the inverse of ``unstripped()``. These themselves, if they lie so.
  /// - Precondition: the shape is this one's, or that of the same weights in the other order.
  public func ordered(as shape: Shape) -> Tensor {
    if shape == self.shape { return self }
    return shape.isInStrips ? outputsFirst().outputsInStrips() : outputsFirst().outputsLast()
  }
}

/// The weights of a convolution of 3x3 kernels, in strips, while something else keeps them.
struct KernelStrips {
  /// The nine taps of sixteen outputs.
  static let kernelCount = 9 * 16

  let inputs: Int
  let outputs: Int
  private let base: UnsafePointer<Float>

  /// Calls `body` with weights `[outputs / 16, inputs, 3, 3, 16]`, or in the other order that a convolution takes.
  static func with<R>(_ weights: Tensor, _ body: (KernelStrips) -> R) -> R {
    let (inputs, outputs) = (weights.shape.inputChannels, weights.shape.outputChannels)
    let strips = weights.ordered(
      as: ConvolutionGeometry(kernel: 3).weightsShape(inputs: inputs, outputs: outputs))
    precondition(strips.shape.isInStrips, "weights \(weights.shape) in strips")
    return withExtendedLifetime(strips) {
      body(KernelStrips(inputs: inputs, outputs: outputs, base: UnsafePointer(strips.pointer)))
    }
  }

  /// How many floats there are.
  var count: Int { inputs * outputs * 9 }
  /// From a kernel to that of the next sixteen outputs.
  var stripStride: Int { inputs * Self.kernelCount }

  /// The kernels of an input and sixteen outputs from a multiple of sixteen on, `[9][16]`; those of the next inputs follow.
  @inline(__always)
  func kernel(input: Int, output: Int) -> UnsafePointer<Float> {
    base + (output / 16 &* inputs &+ input) &* Self.kernelCount
  }

  /// One of some like parts of the memory that the kernels of some channels of the sum and some columns take.
  /// - Parameter transposed: whether the inner channels are the outputs and the columns the inputs.
  func lines(
    transposed: Bool, inner: Range<Int>, columns: Range<Int>, part: Int, of parts: Int
  ) -> LinesAhead {
    let (ofInputs, ofOutputs) = transposed ? (columns, inner) : (inner, columns)
    let lines = ofInputs.count * 9
    let first = lines * part / parts
    return LinesAhead(
      kernel(input: ofInputs.lowerBound, output: ofOutputs.lowerBound) + first * 16,
      rows: ofOutputs.count / 16, stride: stripStride,
      run: (lines * (part + 1) / parts - first) * 16)
  }
}

/// Where a part of a gradient by weights in strips goes.
struct GradientTarget {
  /// `[9][16]` of the first row, which is an input, and the first sixteen columns, which are outputs. The next rows follow.
  private(set) var base: UnsafeMutablePointer<Float>
  /// From a kernel to that of the next sixteen columns.
  private let stripStride: Int

  /// From some columns on, a multiple of sixteen of them from the first.
  func from(column: Int) -> GradientTarget {
    var target = self
    target.base += column / 16 * stripStride
    return target
  }

  /// In a whole gradient.
  init(_ weights: Tensor, rows: Range<Int>, columns: Range<Int>) {
    stripStride = weights.shape.inputChannels * KernelStrips.kernelCount
    base =
      weights.pointer
      + (columns.lowerBound / 16 * stripStride + rows.lowerBound * KernelStrips.kernelCount)
  }

  private init(base: UnsafeMutablePointer<Float>, stripStride: Int) {
    (self.base, self.stripStride) = (base, stripStride)
  }

  /// Room for the whole gradient of an input and of the gradient by the result.
  static func result(_ x: Tensor, _ gradient: Tensor) -> Tensor {
    let (inputs, outputs) = (x.shape[3], gradient.shape[3])
    return Tensor(
      uninitialized: ConvolutionGeometry(kernel: 3).weightsShape(inputs: inputs, outputs: outputs))
  }

  /// Lets a part of a gradient be made in memory of its own, and gives it away.
  /// - Parameter inputs: of the whole.
  static func give(
    _ rows: Range<Int>, _ columns: Range<Int>, inputs: Int, to taker: PartTaker,
    _ make: (GradientTarget) -> Void
  ) {
    let (size, strips) = (KernelStrips.kernelCount, columns.count / 16)
    let run = rows.count * size
    let values = StoragePool.shared.storage(count: strips * run)
    make(GradientTarget(base: values.pointer, stripStride: run))
    withExtendedLifetime(values) {
      taker.take(
        TensorPart(
          place: PartPlace(
            offset: (columns.lowerBound / 16 * inputs + rows.lowerBound) * size,
            stride: inputs * size, rows: strips, columns: run),
          values: values.pointer, valueStride: run))
    }
  }
}

/// Where a gradient by weights in strips goes that is made strip by strip, some inputs after others.
enum GradientInOrder {
  case whole(Tensor)
  case parts(PartTaker)

  /// Lets the kernels of some inputs and of one strip be made, some after others, each time where they are to go, and gives them
  /// away, if they are given away in parts: a part is a few kilobytes, which never leave the first-level cache, and what takes
  /// them goes through memory in order.
  ///
  /// - Parameters:
  ///   - strip: which sixteen outputs.
  ///   - inputs: as many as a multiple of `each`.
  ///   - all: how many inputs the whole has.
  ///   - each: how many inputs a part has.
  ///   - make: gets the inputs of a part and room for their kernels, `[input][9][16]`.
  func fill(
    strip: Int, inputs: Range<Int>, of all: Int, each: Int,
    _ make: (_ inputs: Range<Int>, _ kernels: UnsafeMutablePointer<Float>) -> Void
  ) {
    let size = KernelStrips.kernelCount
    func offset(_ input: Int) -> Int { (strip * all + input) * size }
    let parts = stride(from: inputs.lowerBound, to: inputs.upperBound, by: each)
    switch self {
    case .whole(let weights):
      for first in parts { make(first..<(first + each), weights.pointer + offset(first)) }
    case .parts(let taker):
      let kernels = StoragePool.shared.storage(count: each * size)
      for first in parts {
        make(first..<(first + each), kernels.pointer)
        let place = PartPlace(
          offset: offset(first), stride: each * size, rows: 1, columns: each * size)
        taker.take(TensorPart(place: place, values: kernels.pointer, valueStride: each * size))
      }
      withExtendedLifetime(kernels) {}
    }
  }
}
