// Sums, products and reshapes.

import Tensors

/// The sum, element by element. d(a + b) = da + db.
public func + (a: Variable, b: Variable) -> Variable {
  Variable(a.value + b.value, from: a, b) { [a = a.slot, b = b.slot] gradient in
    a?.receive(gradient)
    b?.receive(gradient)
  }
}

/// The product of each element with a number.
public func * (factor: Float, x: Variable) -> Variable {
  Variable(factor * x.value, from: x) { [x = x.slot] gradient in x?.receive(factor * gradient) }
}

/// The same elements in another shape.
public func reshape(_ x: Variable, _ shape: Shape) -> Variable {
  let remake = x.remake.map { remake in { remake().reshaped(shape) } }
  return Variable(x.value.reshaped(shape), from: x, remake: remake) {
    [slot = x.slot, before = x.shape] gradient in
    slot?.receive(gradient.reshaped(before))
  }
}

/// Row `i` of `vectors`, `[batch, channels]`, added to every pixel of picture `i` of `x`, `[batch, …, channels]`.
public func addToPixels(_ x: Variable, _ vectors: Variable) -> Variable {
  Variable(x.value.addingToPixels(vectors.value), from: x, vectors) {
    [x = x.slot, vectors = vectors.slot, shape = vectors.shape] gradient in
    x?.receive(gradient)
    vectors?.receive(gradient.sumOfPixels().reshaped(shape))
  }
}

/// The rows of `table`, `[rows, …]`, added to each member of a batch `[batch, rows, …]`.
public func addToBatch(_ x: Variable, _ table: Variable) -> Variable {
  let (batch, each) = (x.shape[0], table.shape)
  precondition(x.value.count == batch * each.count, "\(each) added to \(x.shape)")
  let flat = table.value.reshaped([1, each.count])
  let sum = x.value.reshaped([1, batch, each.count]).addingToPixels(flat).reshaped(x.shape)
  return Variable(sum, from: x, table) { [x = x.slot, table = table.slot] gradient in
    x?.receive(gradient)
    table?.receive(gradient.reshaped([batch, each.count]).sumOfRows().reshaped(each))
  }
}

/// One member, `[1, …]`, repeated to a batch, `[count, …]`. The gradient is the sum over the batch.
public func repeatBatch(_ x: Variable, _ count: Int) -> Variable {
  precondition(x.shape[0] == 1, "a batch of one repeated, not \(x.shape)")
  if count == 1 { return x }
  let value = Tensor(concatenating: Array(repeating: x.value, count: count))
  return Variable(value, from: x) { [slot = x.slot, shape = x.shape] gradient in
    slot?.receive(gradient.reshaped([count, shape.count]).sumOfRows().reshaped(shape))
  }
}

/// Two tensors side by side along the innermost dimension: `[…, a]` and `[…, b]` to `[…, a + b]`.
public func joinChannels(_ a: Variable, _ b: Variable) -> Variable {
  let (first, second) = (a.shape.last, b.shape.last)
  return Variable(a.value.joiningChannels(b.value), from: a, b) {
    [a = a.slot, b = b.slot] gradient in
    a?.receive(gradient.channels(0..<first))
    b?.receive(gradient.channels(first..<(first + second)))
  }
}

/// Rows of a table `[entries, width]`, as `[indices.count, width]`. The gradient of a row is the sum over its uses.
public func lookUp(_ table: Variable, _ indices: [Int]) -> Variable {
  Variable(table.value.rows(at: indices), from: table) {
    [slot = table.slot, shape = table.shape] gradient in
    guard let slot else { return }
    let sum = Tensor(zeros: shape)
    let width = shape.last
    for (row, index) in indices.enumerated() {
      for column in 0..<width {
        sum.pointer[index * width + column] += gradient.pointer[row * width + column]
      }
    }
    slot.receive(sum)
  }
}

/// Pictures `[batch, height, width, channels]` resized by repeating the nearest pixel.
public func resizeNearest(_ x: Variable, height: Int, width: Int) -> Variable {
  Variable(x.value.resizedToNearest(height: height, width: width), from: x) {
    [slot = x.slot, shape = x.shape] gradient in
    slot?.receive(gradient.nearestGradient(inputShape: shape))
  }
}
