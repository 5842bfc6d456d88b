// Reverse-mode differentiation: each operation computes its value at once and, where something in it needs a gradient,
// leaves a record of how to go back.

import Tensors

/// Where the gradient by one value gathers while a tape runs backward.
public final class GradientSlot {
  public internal(set) var gradient: Tensor?
  /// How many operations read the value, less those that have sent their gradient.
  var pendingUses = 0
  /// Called when the last operation that reads the value has sent its gradient. Parameters of an optimiser that steps
  /// during the backward are updated here, and their gradient is dropped at once.
  public var whenComplete: ((Tensor) -> Void)?
  /// Makes what takes the gradient in parts while an operation computes it, so that it is never held whole. Used in the
  /// place of ``whenComplete`` where one operation alone reads the value, and can give its share in parts.
  public var partTaker: (() -> PartTaker)?

  public init() {}

  /// Forgets the gradient, before the next backward.
  public func clear() { gradient = nil }

  /// Adds an operation's share of the gradient.
  func receive(_ share: Tensor) {
    if let sum = gradient {
      // The buffer may be another slot's too, so the sum is a new one.
      gradient = sum + share
    } else {
      gradient = share
    }
    finishUse()
  }

  /// Adds an operation's share of the gradient where `sum` makes it.
  /// - Parameter sum: gets what was received so far, if anything was, and gives a new tensor with the share added to it.
  func receive(addedTo sum: (Tensor?) -> Tensor) {
    gradient = sum(gradient)
    finishUse()
  }

  /// What takes an operation's share in parts; nil where the share has to be received whole. After the last part the
  /// operation calls ``finishUse()``.
  var takerOfOnlyShare: PartTaker? {
    pendingUses == 1 && gradient == nil ? partTaker?() : nil
  }

  /// An operation that reads the value has sent its share, or has none to send.
  func finishUse() {
    pendingUses -= 1
    if pendingUses == 0, let whenComplete, let sum = gradient {
      gradient = nil
      whenComplete(sum)
    }
  }
}

/// A tensor in a computation, and the slot of its gradient if one is wanted.
public struct Variable {
  public let value: Tensor
  public let slot: GradientSlot?
  /// Makes the value again from what a backward holds in any case; nil where it has to be held itself.
  let remake: (() -> Tensor)?

  /// A value that no gradient is wanted of.
  public init(_ value: Tensor) {
    self.init(value, slot: nil)
  }

  /// A leaf of a computation, whose gradient gathers in `slot`.
  public init(_ value: Tensor, slot: GradientSlot?) {
    self.init(value, slot: slot, remake: nil)
  }

  fileprivate init(_ value: Tensor, slot: GradientSlot?, remake: (() -> Tensor)?) {
    self.value = value
    self.slot = slot
    self.remake = remake
  }

  /// A leaf that a gradient is wanted of.
  public static func leaf(_ value: Tensor) -> Variable { Variable(value, slot: GradientSlot()) }

  public var shape: Shape { value.shape }
  /// The value as an operation keeps it for its backward: made again then where it is large and that takes little, so that it
  /// need not be held until then.
  var forBackward: () -> Tensor {
    if let remake, value.count > Self.mostHeld { return remake }
    return { [value] in value }
  }
  /// Values of no more elements are held, 1 MB: all that a small network has, and little of what a large one has. Never changed
  /// but by tests.
  @TaskLocal static var mostHeld = 1 << 18

  public var isTracked: Bool { slot != nil }
  /// The gradient that a backward left here. Leaves keep it until the next one adds to it.
  public var gradient: Tensor? { slot?.gradient }
}

/// The operations of one computation, in their order. A tape belongs to the thread that records on it.
public final class Tape: @unchecked Sendable {
  private struct Record {
    let output: GradientSlot
    let inputs: [GradientSlot]
    let backward: (Tensor) -> Void
  }

  @TaskLocal static var current: Tape?

  private var records: [Record] = []

  public init() {}

  /// Runs `body` with its operations recorded here.
  public func record<R>(_ body: () throws -> R) rethrows -> R {
    try Self.$current.withValue(self) { try body() }
  }

  /// Sends the gradient of `loss`, a scalar, back to every leaf, and empties the tape. What an operation kept for its
  /// backward is freed as soon as that has run.
  /// - Precondition: `loss` was computed on this tape from a tracked leaf.
  public func backward(from loss: Variable) {
    guard let slot = loss.slot else { preconditionFailure("nothing in the loss is tracked") }
    precondition(loss.value.count == 1, "the gradient of a tensor of shape \(loss.shape)")
    slot.gradient = Tensor(repeating: 1, loss.shape)
    while let record = records.popLast() {
      guard let gradient = record.output.gradient else {
        // Nothing that the loss depends on read this result.
        for input in record.inputs { input.finishUse() }
        continue
      }
      record.output.gradient = nil
      record.backward(gradient)
    }
  }

  fileprivate func append(
    _ output: GradientSlot, from inputs: [GradientSlot], _ backward: @escaping (Tensor) -> Void
  ) {
    records.append(Record(output: output, inputs: inputs, backward: backward))
  }
}

extension Variable {
  /// The result of an operation.
  ///
  /// - Parameters:
  ///   - value: what it computed.
  ///   - inputs: what it computed it from. If no gradient by any of them is wanted, or no tape records, nothing is kept.
  ///   - remake: computes the value again, from no more than `backward` captures; given where that takes little time and
  ///     the value is large.
  ///   - backward: takes the gradient by the result and gives the inputs' slots their shares; it should capture no more
  ///     than that takes.
  init(
    _ value: Tensor, from inputs: Variable?..., remake: (() -> Tensor)? = nil,
    backward: @escaping (Tensor) -> Void
  ) {
    let tracked = inputs.compactMap { $0?.slot }
    guard !tracked.isEmpty, let tape = Tape.current else {
      self.init(value)
      return
    }
    for slot in tracked { slot.pendingUses += 1 }
    let slot = GradientSlot()
    tape.append(slot, from: tracked, backward)
    self.init(value, slot: slot, remake: remake)
  }
}
