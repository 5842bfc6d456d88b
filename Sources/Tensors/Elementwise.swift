// Kernels that go through their tensors once, element by element, and sums over rows.

/// How many floats a task of an elementwise kernel handles: enough to be worth waking a thread for.
let elementGrain = 8192

/// A function of one element, sixteen at a time. A type rather than a closure, so that the compiler makes a loop for it.
protocol ElementFunction {
  func callAsFunction(_ x: Vector) -> Vector
}

/// A function of two elements.
protocol PairFunction {
  func callAsFunction(_ x: Vector, _ y: Vector) -> Vector
}

/// `target[i] = function(a[i])`.
func mapElements(_ a: Tensor, into target: Tensor, _ function: some ElementFunction) {
  let isStreamed = target.isStreamed
  let (source, result) = (UnsafePointer(a.pointer), target.pointer)
  Parallel.forEachRange(of: a.count, grain: elementGrain) { range in
    for (i, n) in VectorRuns(range) {
      write(function(read(source + i, n)), result + i, n, streamed: isStreamed)
    }
  }
}

/// `target[i] = function(a[i], b[i])`.
func mapElements(
  _ a: Tensor, _ b: Tensor, into target: Tensor, _ function: some PairFunction
) {
  precondition(a.count == b.count && a.count == target.count, "\(a.shape) with \(b.shape)")
  let isStreamed = target.isStreamed
  let (first, second, result) = (UnsafePointer(a.pointer), UnsafePointer(b.pointer), target.pointer)
  Parallel.forEachRange(of: a.count, grain: elementGrain) { range in
    for (i, n) in VectorRuns(range) {
      write(function(read(first + i, n), read(second + i, n)), result + i, n, streamed: isStreamed)
    }
  }
}

private struct Sum: PairFunction {
  @_transparent func callAsFunction(_ x: Vector, _ y: Vector) -> Vector { x + y }
}

private struct Product: PairFunction {
  @_transparent func callAsFunction(_ x: Vector, _ y: Vector) -> Vector { x * y }
}

private struct Combination: PairFunction {
  var first: Vector
  var second: Vector
  @_transparent func callAsFunction(_ x: Vector, _ y: Vector) -> Vector { first * x + second * y }
}

private struct First: PairFunction {
  @_transparent func callAsFunction(_ x: Vector, _ y: Vector) -> Vector { x }
}

private struct SquaredDifference: PairFunction {
  @_transparent func callAsFunction(_ x: Vector, _ y: Vector) -> Vector { (x - y) * (x - y) }
}

private struct Scaling: ElementFunction {
  var factor: Vector
  @_transparent func callAsFunction(_ x: Vector) -> Vector { factor * x }
}

private struct Clamping: ElementFunction {
  var (low, high): (Vector, Vector)
  @_transparent func callAsFunction(_ x: Vector) -> Vector { x.larger(low).smaller(high) }
}

extension Tensor {
  /// The sum, element by element, of tensors of one shape.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    mapElements(a, b, into: result, Sum())
    return result
  }

  /// The difference, element by element, of tensors of one shape.
  public static func - (a: Tensor, b: Tensor) -> Tensor { combination(1, a, -1, b) }

  /// The product, element by element, of tensors of one shape.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    mapElements(a, b, into: result, Product())
    return result
  }

  public static func * (factor: Float, a: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    mapElements(a, into: result, Scaling(factor: Vector(repeating: factor)))
    return result
  }

  /// `first * a + second * b`, element by element: the line between two embeddings, or a step of a sampler.
  public static func combination(_ first: Float, _ a: Tensor, _ second: Float, _ b: Tensor)
    -> Tensor
  {
    let result = Tensor(uninitialized: a.shape)
    mapElements(
      a, b, into: result,
      Combination(first: Vector(repeating: first), second: Vector(repeating: second)))
    return result
  }

  /// Adds `other` to this tensor's elements, in place.
  public func add(inPlace other: Tensor) { mapElements(self, other, into: self, Sum()) }

  /// Multiplies this tensor's elements, in place.
  public func scale(inPlace factor: Float) {
    mapElements(self, into: self, Scaling(factor: Vector(repeating: factor)))
  }

  /// Each element brought into a range.
  public func clamped(to range: ClosedRange<Float>) -> Tensor {
    let result = Tensor(uninitialized: shape)
    mapElements(
      self, into: result,
      Clamping(
        low: Vector(repeating: range.lowerBound), high: Vector(repeating: range.upperBound)))
    return result
  }

  /// Sums `function` of each pair in double precision, the same way whatever the number of threads.
  private func reduce(_ other: Tensor, _ function: some PairFunction) -> Double {
    precondition(count == other.count, "\(shape) with \(other.shape)")
    let tasks = (count + elementGrain - 1) / elementGrain
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: Swift.max(1, tasks)) {
      partial in
      let (first, second) = (UnsafePointer(pointer), UnsafePointer(other.pointer))
      Parallel.forEachRange(of: count, grain: elementGrain) { range in
        var sum = 0.0
        var block = Vector()
        var inBlock = 0
        for (i, n) in VectorRuns(range) {
          block += function(read(first + i, n), read(second + i, n))
          inBlock += 1
          if inBlock == 64 {
            sum += Double(block.total)
            block = Vector()
            inBlock = 0
          }
        }
        partial[range.lowerBound / elementGrain] = sum + Double(block.total)
      }
      return partial[..<tasks].reduce(0, +)
    }
  }

  /// The sum of all elements.
  public func sum() -> Double { reduce(self, First()) }

  /// The mean of the squared differences of two tensors of one shape.
  public func meanSquaredDifference(_ other: Tensor) -> Double {
    reduce(other, SquaredDifference()) / Double(Swift.max(1, count))
  }

  /// The sum of the products of corresponding elements.
  public func dot(_ other: Tensor) -> Double { reduce(other, Product()) }

  /// The sum over all rows of `[…, columns]`, as `[columns]`.
  public func sumOfRows() -> Tensor { sumsOfRows(groups: 1).reshaped([shape.last]) }

  /// The sums over the rows of each of `groups` equal parts, one after the other: `[groups, columns]`.
  private func sumsOfRows(groups: Int) -> Tensor {
    let (rows, columns) = (shape.rows / groups, shape.last)
    let grain = 256
    let tasks = (rows + grain - 1) / grain
    let partial = Tensor(uninitialized: [groups * tasks, columns])
    let source = UnsafePointer(pointer)
    // Of long rows, a few lines of each at a time, and several threads along them.
    let width = count > 1 << 14 ? Swift.min(columns, 512) : columns
    let parts = (columns + width - 1) / width
    Parallel.forEach(groups * tasks * parts) { number in
      let (task, part) = (number / parts, number % parts)
      let first = task % tasks * grain
      let line = source + (task / tasks * rows + first) * columns
      let rows = Swift.min(grain, rows - first)
      sumRows(
        line, rows, stride: columns, (part * width)..<Swift.min(columns, (part + 1) * width),
        into: partial.pointer + task * columns)
    }
    if tasks == 1 { return partial }
    let result = Tensor(uninitialized: [groups, columns])
    for group in 0..<groups {
      for (j, n) in VectorRuns(0..<columns) {
        var sum = Vector()
        for task in (group * tasks)..<((group + 1) * tasks) {
          sum += read(partial.pointer + (task &* columns &+ j), n)
        }
        write(sum, result.pointer + (group &* columns &+ j), n)
      }
    }
    return result
  }

  /// Adds row `i` of `vectors`, `[batch, channels]`, to each pixel of picture `i` of `[batch, …, channels]`.
  public func addingToPixels(_ vectors: Tensor) -> Tensor {
    let (batch, channels) = (shape[0], shape.last)
    precondition(vectors.count == batch * channels, "\(vectors.shape) on \(shape)")
    let pixels = count / (batch * channels)
    let result = Tensor(uninitialized: shape)
    let isStreamed = result.isStreamed
    let (source, target) = (UnsafePointer(pointer), result.pointer)
    Parallel.forEachRange(of: batch * pixels, grain: Swift.max(1, elementGrain / channels)) {
      rows in
      for row in rows {
        let vector = UnsafePointer(vectors.pointer) + row / pixels * channels
        for (j, n) in VectorRuns(0..<channels) {
          let i = row &* channels &+ j
          write(read(source + i, n) + read(vector + j, n), target + i, n, streamed: isStreamed)
        }
      }
    }
    return result
  }

  /// The sum over the pixels of each picture: `[batch, …, channels]` to `[batch, channels]`.
  public func sumOfPixels() -> Tensor { sumsOfRows(groups: shape[0]) }
}

/// Sums some columns of rows, each from the first row to the last.
private func sumRows(
  _ source: UnsafePointer<Float>, _ rows: Int, stride: Int, _ columns: Range<Int>,
  into target: UnsafeMutablePointer<Float>
) {
  var column = columns.lowerBound
  while column &+ 128 <= columns.upperBound {
    var (s0, s1, s2, s3) = (Vector(), Vector(), Vector(), Vector())
    var (s4, s5, s6, s7) = (Vector(), Vector(), Vector(), Vector())
    var line = source + column
    for _ in 0..<rows {
      s0 += load(line)
      s1 += load(line + 16)
      s2 += load(line + 32)
      s3 += load(line + 48)
      s4 += load(line + 64)
      s5 += load(line + 80)
      s6 += load(line + 96)
      s7 += load(line + 112)
      line += stride
    }
    let place = target + column
    store(s0, place)
    store(s1, place + 16)
    store(s2, place + 32)
    store(s3, place + 48)
    store(s4, place + 64)
    store(s5, place + 80)
    store(s6, place + 96)
    store(s7, place + 112)
    column &+= 128
  }
  for (j, n) in VectorRuns(column..<columns.upperBound) {
    var sum = Vector()
    for row in 0..<rows { sum += read(source + (row &* stride &+ j), n) }
    write(sum, target + j, n)
  }
}
