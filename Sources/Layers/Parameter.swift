// What a network learns, with its name and layout on disk.

import Autodiff
import Tensors

/// How a parameter lies in memory, against its layout in a file of PyTorch's.
public enum ParameterLayout: Sendable {
  /// The same in both.
  case plain
  /// A linear map: `[outputs, inputs]` on disk, `[inputs, outputs]` in memory, so that a forward packs it as it lies.
  case linear
  /// A linear map that is a 1x1 convolution on disk: `[outputs, inputs, 1, 1]`.
  case pointwise
  /// A convolution: `[outputs, inputs, kernel, kernel]` on disk, `[kernel, kernel, inputs, outputs]` in memory.
  case convolution
  /// A convolution whose weights lie in strips of sixteen outputs; see ``ConvolutionGeometry/weightsShape(inputs:outputs:)``.
  case strips
}

/// One tensor that a network learns.
public final class Parameter {
  /// Its name in diffusers or transformers, such as `down_blocks.0.resnets.0.conv1.weight`.
  public let name: String
  public let layout: ParameterLayout
  /// The shape on disk.
  public let storedShape: Shape
  private enum Held {
    case full(Tensor)
    case half(HalfTensor)
  }

  private var held: Held
  /// The value, in the layout of memory. An optimiser changes its elements in place; of one that is held in half precision
  /// this is a copy.
  public var value: Tensor {
    switch held {
    case .full(let tensor): tensor
    case .half(let tensor): tensor.widened()
    }
  }
  private let slot = GradientSlot()
  /// The change of low rank that its layer applies beside it.
  public internal(set) var lora: LoRA?

  /// Whether a gradient by this parameter is wanted.
  public var isTrainable = false {
    didSet {
      if !isTrainable { (slot.whenComplete, slot.partTaker) = (nil, nil) }
      if isTrainable, case .half = held { preconditionFailure("\(name) is of half precision") }
    }
  }

  init(name: String, layout: ParameterLayout, stored: Tensor) {
    self.name = name
    self.layout = layout
    self.storedShape = stored.shape
    held = .full(Self.inMemory(stored, layout))
  }

  /// Holds the weights of a linear map or of a convolution in half precision, rounded to the nearest.
  /// - Returns: whether half precision can hold them.
  /// - Precondition: not trainable.
  func narrow() -> Bool {
    precondition(!isTrainable, "\(name) is trained")
    guard layout != .plain, case .full(let tensor) = held else { return true }
    guard let half = HalfTensor(rounding: tensor) else { return false }
    held = .half(half)
    return true
  }

  /// The parameter as an operation takes it.
  public var variable: Variable { Variable(value, slot: isTrainable ? slot : nil) }

  /// The parameter as the weights of a linear map.
  var weights: Weights {
    guard case .half(let tensor) = held else { return .full(variable) }
    return .half(tensor)
  }

  /// The gradient that the last backward left, in the layout of memory; absent where a handler takes it.
  public var gradient: Tensor? { slot.gradient }

  /// Called during the backward when the gradient is complete, in the layout of memory; the gradient is not kept then.
  public var whenGradientIsComplete: ((Tensor) -> Void)? {
    get { slot.whenComplete }
    set { slot.whenComplete = newValue }
  }

  /// Makes what takes the gradient in parts during the backward, in the layout of memory, where that can be; elsewhere
  /// ``whenGradientIsComplete`` takes it.
  public var gradientTaker: (() -> PartTaker)? {
    get { slot.partTaker }
    set { slot.partTaker = newValue }
  }

  public func clearGradient() { slot.clear() }

  /// The value in the layout of disk.
  public var storedValue: Tensor { stored(value) }

  /// Makes ``storedValue`` from what the value is when it is called.
  public var storedValueMaker: @Sendable () -> Tensor {
    { [value, layout, storedShape] in Self.stored(value, layout, storedShape) }
  }

  /// A tensor of this parameter's layout in memory, such as its gradient or a moment of it, in the layout of disk and in
  /// memory of its own: it stays as it is when an optimiser changes the parameter.
  public func stored(_ tensor: Tensor) -> Tensor { Self.stored(tensor, layout, storedShape) }

  private static func stored(_ tensor: Tensor, _ layout: ParameterLayout, _ storedShape: Shape)
    -> Tensor
  {
    switch layout {
    case .plain: tensor.copy()
    case .linear, .pointwise:
      tensor.reshaped([tensor.shape.rows, tensor.shape.last]).transposed().reshaped(storedShape)
    case .convolution, .strips: tensor.outputsFirst()
    }
  }

  /// The inverse of ``stored(_:)``, in memory of its own too.
  public func inMemory(_ stored: Tensor) -> Tensor { Self.inMemory(stored, layout) }

  /// Takes a value in the layout of disk.
  /// - Precondition: it has the parameter's shape.
  public func load(_ stored: Tensor) {
    precondition(stored.shape == storedShape, "\(stored.shape) for \(name) of \(storedShape)")
    held = .full(inMemory(stored))
  }

  private static func inMemory(_ stored: Tensor, _ layout: ParameterLayout) -> Tensor {
    switch layout {
    case .plain: stored.copy()
    case .linear, .pointwise:
      stored.reshaped([stored.shape[0], stored.count / stored.shape[0]]).transposed()
    case .convolution: stored.outputsLast()
    case .strips: stored.outputsInStrips()
    }
  }
}

/// A parameter that half precision can't hold.
public struct NarrowingError: Error {
  public let name: String
}

/// The parameters of a network, made as its layers are: a layer names what it needs, and the source finds it.
public final class ParameterStore {
  /// In the order in which the layers were made.
  public private(set) var parameters: [Parameter] = []
  private let source: (String, Shape) throws -> Tensor
  private let isNarrow: Bool

  /// - Parameters:
  ///   - isNarrow: whether the weights of linear maps and convolutions are held in half precision.
  ///   - source: the tensor of a name and a shape, both as on disk: read from a file or drawn at random.
  public init(isNarrow: Bool = false, source: @escaping (String, Shape) throws -> Tensor) {
    self.isNarrow = isNarrow
    self.source = source
  }

  public var root: Scope { Scope(store: self, path: "") }

  fileprivate func make(_ name: String, _ shape: Shape, _ layout: ParameterLayout) throws
    -> Parameter
  {
    let parameter = Parameter(name: name, layout: layout, stored: try source(name, shape))
    // At once, so that no more than one is held in both precisions.
    if isNarrow, !parameter.narrow() { throw NarrowingError(name: name) }
    parameters.append(parameter)
    return parameter
  }
}

/// A place in the tree of a network's names, so that names can't drift from structure.
public struct Scope {
  fileprivate let store: ParameterStore
  fileprivate let path: String

  public subscript(_ name: String) -> Scope {
    Scope(store: store, path: path.isEmpty ? name : "\(path).\(name)")
  }

  public subscript(_ index: Int) -> Scope { self["\(index)"] }

  /// The parameter `name` here.
  /// - Parameter shape: on disk.
  /// - Throws: what the store's source throws, where it has no such tensor or one of another shape.
  public func parameter(_ name: String, _ shape: Shape, _ layout: ParameterLayout = .plain) throws
    -> Parameter
  {
    try store.make(self[name].path, shape, layout)
  }
}
