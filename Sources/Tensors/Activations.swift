// The functions that networks apply to each element, and their derivatives.

/// A function that a network applies to each element.
public enum Activation: Sendable, CaseIterable {
  /// x * sigmoid(x).
  case silu
  /// x * sigmoid(1.702 x): the approximation of GELU that OpenAI's CLIP was trained with.
  case quickGELU
  /// x * Phi(x), Phi the normal distribution function, by the error function.
  case gelu
}

protocol ActivationFunction {
  static func value(_ x: Vector) -> Vector
  static func derivative(_ x: Vector) -> Vector
}

enum SiLU: ActivationFunction {
  @_transparent static func value(_ x: Vector) -> Vector { x * sigmoid(x) }

  @_transparent static func derivative(_ x: Vector) -> Vector {
    let s = sigmoid(x)
    return s * (Vector(repeating: 1) + x * (Vector(repeating: 1) - s))
  }
}

enum QuickGELU: ActivationFunction {
  @_transparent static func value(_ x: Vector) -> Vector {
    x * sigmoid(Vector(repeating: 1.702) * x)
  }

  @_transparent static func derivative(_ x: Vector) -> Vector {
    let s = sigmoid(Vector(repeating: 1.702) * x)
    return s * (Vector(repeating: 1) + Vector(repeating: 1.702) * x * (Vector(repeating: 1) - s))
  }
}

enum GELU: ActivationFunction {
  @_transparent static func value(_ x: Vector) -> Vector { x * normalDistribution(x) }

  @_transparent static func derivative(_ x: Vector) -> Vector {
    normalDistribution(x) + x * normalDensity(x)
  }
}

/// The distribution function of the standard normal distribution.
@_transparent
private func normalDistribution(_ x: Vector) -> Vector {
  let half = Vector(repeating: 0.5)
  return half + half * errorFunction(x * Vector(repeating: 0.707_106_781_2))
}

@_transparent
private func normalDensity(_ x: Vector) -> Vector {
  Vector(repeating: 0.398_942_280_4) * exponential(Vector(repeating: -0.5) * x * x)
}

private struct Applied<Function: ActivationFunction>: ElementFunction {
  @_transparent func callAsFunction(_ x: Vector) -> Vector { Function.value(x) }
}

private struct Gradient<Function: ActivationFunction>: PairFunction {
  @_transparent func callAsFunction(_ x: Vector, _ upper: Vector) -> Vector {
    Function.derivative(x) * upper
  }
}

extension Tensor {
  public func applying(_ activation: Activation) -> Tensor {
    let result = Tensor(uninitialized: shape)
    switch activation {
    case .silu: mapElements(self, into: result, Applied<SiLU>())
    case .quickGELU: mapElements(self, into: result, Applied<QuickGELU>())
    case .gelu: mapElements(self, into: result, Applied<GELU>())
    }
    return result
  }

  /// The gradient of ``applying(_:)`` by its input, which is this tensor.
  public func activationGradient(_ activation: Activation, _ gradient: Tensor) -> Tensor {
    let result = Tensor(uninitialized: shape)
    switch activation {
    case .silu: mapElements(self, gradient, into: result, Gradient<SiLU>())
    case .quickGELU: mapElements(self, gradient, into: result, Gradient<QuickGELU>())
    case .gelu: mapElements(self, gradient, into: result, Gradient<GELU>())
    }
    return result
  }

  /// The gated unit of a feed-forward layer: of each row `[a | g]`, `a * gelu(g)` (Shazeer, "GLU Variants Improve
  /// Transformer", 2020). `[…, 2 n]` to `[…, n]`.
  public func gatedGELU() -> Tensor {
    let (rows, width) = (shape.rows, shape.last / 2)
    let result = Tensor(uninitialized: Shape(shape.array.dropLast() + [width]))
    let isStreamed = result.isStreamed
    let (source, target) = (UnsafePointer(pointer), result.pointer)
    Parallel.forEachRange(of: rows, grain: Swift.max(1, 4096 / width)) { range in
      for row in range {
        let line = source + row &* 2 &* width
        for (j, n) in VectorRuns(0..<width) {
          let (a, g) = (read(line + j, n), read(line + (width &+ j), n))
          write(a * GELU.value(g), target + (row &* width &+ j), n, streamed: isStreamed)
        }
      }
    }
    return result
  }

  /// The gradient of ``gatedGELU()`` by its input, which is this tensor.
  public func gatedGELUGradient(_ gradient: Tensor) -> Tensor {
    let (rows, width) = (shape.rows, shape.last / 2)
    let result = Tensor(uninitialized: shape)
    let isStreamed = result.isStreamed
    let (source, upper, target) = (
      UnsafePointer(pointer), UnsafePointer(gradient.pointer), result.pointer
    )
    Parallel.forEachRange(of: rows, grain: Swift.max(1, 4096 / width)) { range in
      for row in range {
        let line = source + row &* 2 &* width
        let out = target + row &* 2 &* width
        for (j, n) in VectorRuns(0..<width) {
          let (a, g) = (read(line + j, n), read(line + (width &+ j), n))
          let d = read(upper + (row &* width &+ j), n)
          let distribution = normalDistribution(g)
          write(d * g * distribution, out + j, n, streamed: isStreamed)
          write(
            d * a * (distribution + g * normalDensity(g)), out + (width &+ j), n,
            streamed: isStreamed)
        }
      }
    }
    return result
  }
}
