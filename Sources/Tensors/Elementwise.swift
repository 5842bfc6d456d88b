// Kernels that go through their tensors once, element by element, and sums over rows.

/// How many floats a task of an elementwise kernel handles: enough to be worth waking a thread for.
private let elementGrain = 32_768

/// `target[i] = body(a[i])`.
@inline(__always)
func mapElements(
  _ a: Tensor, into target: Tensor, _ body: (Vector) -> Vector
) {
  let (source, result) = (UnsafePointer(a.pointer), target.pointer)
  Parallel.forEachRange(of: a.count, grain: elementGrain) { range in
    forEachVector(range) { i, n in write(body(read(source + i, n)), result + i, n) }
  }
}

/// `target[i] = body(a[i], b[i])`.
@inline(__always)
func mapElements(
  _ a: Tensor, _ b: Tensor, into target: Tensor, _ body: (Vector, Vector) -> Vector
) {
  precondition(a.count == b.count && a.count == target.count, "\(a.shape) with \(b.shape)")
  let (first, second, result) = (UnsafePointer(a.pointer), UnsafePointer(b.pointer), target.pointer)
  Parallel.forEachRange(of: a.count, grain: elementGrain) { range in
    forEachVector(range) { i, n in
      write(body(read(first + i, n), read(second + i, n)), result + i, n)
    }
  }
}

extension Tensor {
  /// The sum, element by element, of tensors of one shape.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    mapElements(a, b, into: result) { $0 + $1 }
    return result
  }

  public static func - (a: Tensor, b: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    mapElements(a, b, into: result) { $0 - $1 }
    return result
  }

  /// The product, element by element, of tensors of one shape.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    mapElements(a, b, into: result) { $0 * $1 }
    return result
  }

  public static func * (factor: Float, a: Tensor) -> Tensor {
    let result = Tensor(uninitialized: a.shape)
    let factor = Vector(repeating: factor)
    mapElements(a, into: result) { factor * $0 }
    return result
  }

  /// `first * a + second * b`, element by element: the line between two embeddings, or a step of a sampler.
  public static func combination(_ first: Float, _ a: Tensor, _ second: Float, _ b: Tensor)
    -> Tensor
  {
    let result = Tensor(uninitialized: a.shape)
    let (u, v) = (Vector(repeating: first), Vector(repeating: second))
    mapElements(a, b, into: result) { u * $0 + v * $1 }
    return result
  }

  /// Adds `other` to this tensor's elements, in place.
  public func add(inPlace other: Tensor) {
    mapElements(self, other, into: self) { $0 + $1 }
  }

  /// Multiplies this tensor's elements, in place.
  public func scale(inPlace factor: Float) {
    let factor = Vector(repeating: factor)
    mapElements(self, into: self) { factor * $0 }
  }

  /// Sums `body` of each vector in double precision, the same way whatever the number of threads.
  @inline(__always)
  private func reduce(_ other: Tensor, _ body: (Vector, Vector) -> Vector) -> Double {
    precondition(count == other.count, "\(shape) with \(other.shape)")
    let tasks = (count + elementGrain - 1) / elementGrain
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: Swift.max(1, tasks)) {
      partial in
      let (first, second) = (UnsafePointer(pointer), UnsafePointer(other.pointer))
      Parallel.forEachRange(of: count, grain: elementGrain) { range in
        var sum = 0.0
        var block = Vector()
        var inBlock = 0
        forEachVector(range) { i, n in
          block += body(read(first + i, n), read(second + i, n))
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
  public func sum() -> Double { reduce(self) { a, _ in a } }

  /// The mean of the squared differences of two tensors of one shape.
  public func meanSquaredDifference(_ other: Tensor) -> Double {
    reduce(other) { a, b in
      let difference = a - b
      return difference * difference
    } / Double(Swift.max(1, count))
  }

  /// The sum of the products of corresponding elements.
  public func dot(_ other: Tensor) -> Double { reduce(other) { $0 * $1 } }

  /// The sum over all rows of `[…, columns]`, as `[columns]`.
  public func sumOfRows() -> Tensor {
    let (rows, columns) = (shape.rows, shape.last)
    let grain = 256
    let tasks = (rows + grain - 1) / grain
    let partial = Tensor(uninitialized: [Swift.max(1, tasks), columns])
    let source = UnsafePointer(pointer)
    Parallel.forEachRange(of: rows, grain: grain) { range in
      let target = partial.pointer + range.lowerBound / grain * columns
      forEachVector(0..<columns) { j, n in
        var sum = Vector()
        for row in range { sum += read(source + (row &* columns &+ j), n) }
        write(sum, target + j, n)
      }
    }
    let result = Tensor(uninitialized: [columns])
    forEachVector(0..<columns) { j, n in
      var sum = Vector()
      for task in 0..<tasks { sum += read(partial.pointer + (task &* columns &+ j), n) }
      write(sum, result.pointer + j, n)
    }
    return result
  }

  /// Adds row `i` of `vectors`, `[batch, channels]`, to each pixel of picture `i` of `[batch, …, channels]`.
  public func addingToPixels(_ vectors: Tensor) -> Tensor {
    let (batch, channels) = (shape[0], shape.last)
    precondition(vectors.count == batch * channels, "\(vectors.shape) on \(shape)")
    let pixels = count / (batch * channels)
    let result = Tensor(uninitialized: shape)
    let (source, target) = (UnsafePointer(pointer), result.pointer)
    Parallel.forEachRange(of: batch * pixels, grain: Swift.max(1, elementGrain / channels)) {
      rows in
      for row in rows {
        let vector = UnsafePointer(vectors.pointer) + row / pixels * channels
        forEachVector(0..<channels) { j, n in
          let i = row &* channels &+ j
          write(read(source + i, n) + read(vector + j, n), target + i, n)
        }
      }
    }
    return result
  }

  /// The sum over the pixels of each picture: `[batch, …, channels]` to `[batch, channels]`.
  public func sumOfPixels() -> Tensor {
    let (batch, channels) = (shape[0], shape.last)
    let pixels = count / (batch * channels)
    return Tensor(
      concatenating: (0..<batch).map { slice($0..<($0 + 1)) }
        .map { $0.reshaped([pixels, channels]).sumOfRows().reshaped([1, channels]) })
  }
}

// MARK: - Activations

/// A function that a network applies to each element.
public enum Activation: Sendable {
  /// x * sigmoid(x).
  case silu
  /// x * sigmoid(1.702 x): the approximation of GELU that OpenAI's CLIP was trained with.
  case quickGELU
  /// x * Phi(x), Phi the normal distribution function, by the error function.
  case gelu

  @inline(__always)
  func value(_ x: Vector) -> Vector {
    switch self {
    case .silu: x * sigmoid(x)
    case .quickGELU: x * sigmoid(Vector(repeating: 1.702) * x)
    case .gelu: x * normalDistribution(x)
    }
  }

  @inline(__always)
  func derivative(_ x: Vector) -> Vector {
    let one = Vector(repeating: 1)
    switch self {
    case .silu:
      let s = sigmoid(x)
      return s * (one + x * (one - s))
    case .quickGELU:
      let s = sigmoid(Vector(repeating: 1.702) * x)
      return s * (one + Vector(repeating: 1.702) * x * (one - s))
    case .gelu:
      return normalDistribution(x) + x * normalDensity(x)
    }
  }
}

/// The distribution function of the standard normal distribution.
@inline(__always)
private func normalDistribution(_ x: Vector) -> Vector {
  let half = Vector(repeating: 0.5)
  return half + half * errorFunction(x * Vector(repeating: 0.707_106_781_2))
}

@inline(__always)
private func normalDensity(_ x: Vector) -> Vector {
  Vector(repeating: 0.398_942_280_4) * exponential(Vector(repeating: -0.5) * x * x)
}

extension Tensor {
  public func applying(_ activation: Activation) -> Tensor {
    let result = Tensor(uninitialized: shape)
    switch activation {
    case .silu: mapElements(self, into: result) { Activation.silu.value($0) }
    case .quickGELU: mapElements(self, into: result) { Activation.quickGELU.value($0) }
    case .gelu: mapElements(self, into: result) { Activation.gelu.value($0) }
    }
    return result
  }

  /// The gradient of ``applying(_:)`` by its input, which is this tensor.
  public func activationGradient(_ activation: Activation, _ gradient: Tensor) -> Tensor {
    let result = Tensor(uninitialized: shape)
    switch activation {
    case .silu: mapElements(self, gradient, into: result) { Activation.silu.derivative($0) * $1 }
    case .quickGELU:
      mapElements(self, gradient, into: result) { Activation.quickGELU.derivative($0) * $1 }
    case .gelu: mapElements(self, gradient, into: result) { Activation.gelu.derivative($0) * $1 }
    }
    return result
  }

  /// The gated unit of a feed-forward layer: of each row `[a | g]`, `a * gelu(g)` (Shazeer, "GLU Variants Improve
  /// Transformer", 2020). `[…, 2 n]` to `[…, n]`.
  public func gatedGELU() -> Tensor {
    let (rows, width) = (shape.rows, shape.last / 2)
    let result = Tensor(uninitialized: Shape(shape.array.dropLast() + [width]))
    let (source, target) = (UnsafePointer(pointer), result.pointer)
    Parallel.forEachRange(of: rows, grain: Swift.max(1, elementGrain / 8 / width)) { range in
      for row in range {
        let line = source + row &* 2 &* width
        forEachVector(0..<width) { j, n in
          let (a, g) = (read(line + j, n), read(line + (width &+ j), n))
          write(a * Activation.gelu.value(g), target + (row &* width &+ j), n)
        }
      }
    }
    return result
  }

  /// The gradient of ``gatedGELU()`` by its input, which is this tensor.
  public func gatedGELUGradient(_ gradient: Tensor) -> Tensor {
    let (rows, width) = (shape.rows, shape.last / 2)
    let result = Tensor(uninitialized: shape)
    let (source, upper, target) = (
      UnsafePointer(pointer), UnsafePointer(gradient.pointer), result.pointer
    )
    Parallel.forEachRange(of: rows, grain: Swift.max(1, elementGrain / 8 / width)) { range in
      for row in range {
        let line = source + row &* 2 &* width
        let out = target + row &* 2 &* width
        forEachVector(0..<width) { j, n in
          let (a, g) = (read(line + j, n), read(line + (width &+ j), n))
          let d = read(upper + (row &* width &+ j), n)
          let distribution = normalDistribution(g)
          write(d * g * distribution, out + j, n)
          write(d * a * (distribution + g * normalDensity(g)), out + (width &+ j), n)
        }
      }
    }
    return result
  }
}

extension Tensor {
  /// Each element brought into a range.
  public func clamped(to range: ClosedRange<Float>) -> Tensor {
    let result = Tensor(uninitialized: shape)
    let (low, high) = (Vector(repeating: range.lowerBound), Vector(repeating: range.upperBound))
    mapElements(self, into: result) { $0.larger(low).smaller(high) }
    return result
  }
}
