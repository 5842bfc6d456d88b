// One step of Adam over one tensor, in one pass over its memory.

import CProcessor
import Glibc

/// A step of Adam, its numbers made ready for all the tensors that it changes.
public struct AdamStep: Sendable {
  private let update: Update

  /// - Parameters:
  ///   - beta1: in double precision, as `beta2`, for 1 - beta2 of floats is off by 1e-5 of itself.
  ///   - weightDecay: decoupled (Loshchilov and Hutter, 2019); 0 is plain Adam.
  ///   - step: which step this is, counted from 1.
  public init(
    learningRate: Float, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0, step: Int
  ) {
    update = Update(
      learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
      weightDecay: weightDecay, step: step)
  }

  /// Changes `values`, `mean` and `variance` in place (Kingma and Ba, 2015, Algorithm 1; the order of operations is that
  /// of PyTorch's `torch.optim.AdamW`).
  public func apply(to values: Tensor, gradient: Tensor, mean: Tensor, variance: Tensor) {
    precondition(
      gradient.count == values.count && mean.count == values.count
        && variance.count == values.count,
      "a step of a tensor \(values.shape) with \(gradient.shape), \(mean.shape), \(variance.shape)")
    let (p, g, m, v) = (values.pointer, gradient.pointer, mean.pointer, variance.pointer)
    Parallel.forEachRange(of: values.count, grain: elementGrain) { range in
      let first = range.lowerBound
      update(
        p + first, gradient: g + first, mean: m + first, variance: v + first, range.count,
        asking: true)
    }
  }

  /// What changes `values`, `mean` and `variance` in place as ``apply(to:gradient:mean:variance:)`` does, but by parts of the
  /// gradient. A kernel that makes a gradient gives it the parts while they are in a cache.
  public func taker(changing values: Tensor, mean: Tensor, variance: Tensor) -> PartTaker {
    precondition(
      mean.count == values.count && variance.count == values.count,
      "a step of a tensor \(values.shape) with \(mean.shape), \(variance.shape)")
    return PartTaker(reading: (values, mean, variance)) { [update] part in
      let place = part.place
      for row in 0..<place.rows {
        let first = place.offset &+ row &* place.stride
        let (p, m, v) = (values.pointer + first, mean.pointer + first, variance.pointer + first)
        let isShort = place.columns < Self.longRow && place.columns < place.stride
        if !part.wasAskedFor, isShort {
          let ahead = Self.rowsAhead &* place.stride
          for column in stride(from: 0, to: place.columns, by: 16) {
            processor_prefetch(p + (ahead &+ column))
            processor_prefetch(m + (ahead &+ column))
            processor_prefetch(v + (ahead &+ column))
          }
        }
        update(
          p, gradient: part.values + row &* part.valueStride, mean: m, variance: v, place.columns,
          asking: !part.wasAskedFor && !isShort)
      }
    }
  }

  /// In rows of so many floats, and in parts whose rows follow each other, memory is asked for further on in the row; in shorter
  /// ones, which are too far apart for that, so many rows ahead.
  private static let (longRow, rowsAhead) = (640, 4)

  /// What a step does to each element. Its numbers are floats rather than vectors: a closure that
  /// captures vectors wants memory of their alignment, which takes several times as long to get.
  private struct Update: Sendable {
    private let (rate, inverseRoot, decay, tiny): (Float, Float, Float, Float)
    private let (keep1, take1, keep2, take2): (Float, Float, Float, Float)
    /// Every thread has read the values since the last step, and the caches hold few of them until the next. Where all cores have
    /// one third-level cache, as Intel's have, what is in a cache already goes to memory faster through it.
    private let streams = Parallel.threads > 1
    private let streamsInOrder = Parallel.threads > 1 && processor_is_intel() == 0

    init(
      learningRate: Float, beta1: Double, beta2: Double, epsilon: Float, weightDecay: Float,
      step: Int
    ) {
      let correction1 = 1 - pow(beta1, Double(step))
      let correction2 = 1 - pow(beta2, Double(step))
      rate = Float(Double(learningRate) / correction1)
      inverseRoot = Float(1 / correction2.squareRoot())
      decay = 1 - learningRate * weightDecay
      tiny = epsilon
      keep1 = Float(beta1)
      take1 = Float(1 - beta1)
      keep2 = Float(beta2)
      take2 = Float(1 - beta2)
    }

    /// How far ahead memory is asked for, in floats: what many lines' way takes, and few enough that they stay in the first-level
    /// cache until they are wanted.
    private static let ahead = 512

    /// - Parameter asking: whether the memory further on is asked for; it may be beyond what there is, for it isn't read.
    @inline(__always)
    func callAsFunction(
      _ values: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
      mean: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>, _ count: Int,
      asking: Bool
    ) {
      let streams = asking ? streamsInOrder : streams
      let (rate, inverseRoot) = (Vector(repeating: rate), Vector(repeating: inverseRoot))
      let (decay, tiny) = (Vector(repeating: decay), Vector(repeating: tiny))
      let (keep1, take1) = (Vector(repeating: keep1), Vector(repeating: take1))
      let (keep2, take2) = (Vector(repeating: keep2), Vector(repeating: take2))
      for (i, n) in VectorRuns(0..<count) {
        if asking {
          if streams {
            processor_prefetch(values + (i &+ Self.ahead))
          } else {
            processor_prefetch_to_write(values + (i &+ Self.ahead))
          }
          processor_prefetch(mean + (i &+ Self.ahead))
          processor_prefetch(variance + (i &+ Self.ahead))
        }
        let slope = read(gradient + i, n)
        let first = keep1 * read(mean + i, n) + take1 * slope
        let second = keep2 * read(variance + i, n) + take2 * slope * slope
        write(first, mean + i, n)
        write(second, variance + i, n)
        let step = first / (second.squareRoot() * inverseRoot + tiny)
        write(read(values + i, n) * decay - rate * step, values + i, n, streamed: streams)
      }
    }
  }
}
