// Group and layer normalisation, forward and backward.

import Glibc

/// What a normalisation keeps for its backward.
public struct NormalizationStatistics: Sendable {
  /// The mean of each group of each picture, or of each row.
  public var mean: Tensor
  /// 1 / sqrt(variance + epsilon) of the same.
  public var inverseDeviation: Tensor
  /// Of groups, what each picture's channels are multiplied with, and what is added then: `[batch, 2, channels]`.
  fileprivate var factors: Tensor?
}

/// The gradients of a normalisation.
public struct NormalizationGradients {
  public var input: Tensor
  /// By scale and shift, `[channels]`; nil where they are not wanted.
  public var scale: Tensor?
  public var shift: Tensor?

  /// - Parameter sums: rows `[scales | shifts]`, which are added up.
  fileprivate init(_ input: Tensor, sums: Tensor?) {
    self.input = input
    guard let both = sums?.sumOfRows() else { return }
    let channels = both.count / 2
    scale = both.reshaped([2, channels]).slice(0..<1).reshaped([channels])
    shift = both.reshaped([2, channels]).slice(1..<2).reshaped([channels])
  }
}

/// Pixels that one task sums: the sums are of float32, so a short run keeps them exact.
private let pixelGrain = 128

/// Calls `prepare` for each picture, `sum` for each part of it, then `finish` for each picture, then `apply` for each part
/// again. Small pictures are tasks whole, which keeps them in a cache and wakes the threads once.
private func forEachPicture(
  _ batch: Int, parts: Int, prepare: (Int) -> Void = { _ in }, sum: (Int) -> Void,
  finish: (Int) -> Void, apply: (Int) -> Void
) {
  if batch >= 4, parts <= 2 {
    Parallel.forEach(batch) { image in
      let tasks = (image * parts)..<((image + 1) * parts)
      prepare(image)
      tasks.forEach(sum)
      finish(image)
      tasks.forEach(apply)
    }
  } else {
    (0..<batch).forEach(prepare)
    Parallel.forEach(batch * parts, sum)
    (0..<batch).forEach(finish)
    Parallel.forEach(batch * parts, apply)
  }
}

/// Group normalisation (Wu and He, 2018), followed, where wanted, by SiLU.
///
/// - Parameters:
///   - x: `[batch, …, channels]`.
///   - scale: `[channels]`.
///   - shift: `[channels]`.
///   - groups: how many groups of neighbouring channels are normalised together; divides the channels.
/// - Returns: a tensor of the shape of `x`, and its statistics `[batch, groups]`.
public func groupNormalization(
  _ x: Tensor, scale: Tensor, shift: Tensor, groups: Int, epsilon: Float, silu: Bool
) -> (Tensor, NormalizationStatistics) {
  let (batch, channels) = (x.shape[0], x.shape.last)
  let pixels = x.count / (batch * channels)
  let width = channels / groups
  let tasks = (pixels + pixelGrain - 1) / pixelGrain
  let source = UnsafePointer(x.pointer)

  // Sums of x - first and its square for each channel, with the channel's first pixel as origin: a mean far from 0
  // would otherwise drown the variance.
  let sums = Tensor(uninitialized: [batch * tasks, 2, channels])
  func sum(_ task: Int) {
    let (image, part) = (task / tasks, task % tasks)
    let origin = source + image &* pixels &* channels
    let (from, to) = (part * pixelGrain, min(pixels, (part + 1) * pixelGrain))
    let target = sums.pointer + task * 2 * channels
    for (j, n) in VectorRuns(0..<channels) {
      let zero = read(origin + j, n)
      var (sum, square) = (Vector(), Vector())
      var line = origin + (from &* channels &+ j)
      for _ in from..<to {
        let value = read(line, n) - zero
        sum += value
        square.addProduct(value, value)
        line += channels
      }
      write(sum, target + j, n)
      write(square, target + (channels &+ j), n)
    }
  }

  let mean = Tensor(uninitialized: [batch, groups])
  let inverse = Tensor(uninitialized: [batch, groups])
  // y = x * factor + offset, for each channel of each picture.
  let factors = Tensor(uninitialized: [batch, 2, channels])
  func finish(_ image: Int) {
    let origin = source + image * pixels * channels
    for group in 0..<groups {
      var groupMean = 0.0
      var deviation = 0.0
      withUnsafeTemporaryAllocation(of: Double.self, capacity: width) { means in
        for c in 0..<width {
          let channel = group * width + c
          var (sum, square) = (0.0, 0.0)
          for part in 0..<tasks {
            let partial = sums.pointer + (image * tasks + part) * 2 * channels
            sum += Double(partial[channel])
            square += Double(partial[channels + channel])
          }
          means[c] = Double(origin[channel]) + sum / Double(pixels)
          deviation += square - sum * sum / Double(pixels)
          groupMean += means[c]
        }
        groupMean /= Double(width)
        for c in 0..<width {
          deviation += Double(pixels) * (means[c] - groupMean) * (means[c] - groupMean)
        }
      }
      let variance = max(0, deviation / Double(pixels * width))
      let rate = 1 / (variance + Double(epsilon)).squareRoot()
      mean.pointer[image * groups + group] = Float(groupMean)
      inverse.pointer[image * groups + group] = Float(rate)
      for channel in (group * width)..<((group + 1) * width) {
        let factor = Double(scale.pointer[channel]) * rate
        factors.pointer[image * 2 * channels + channel] = Float(factor)
        factors.pointer[(image * 2 + 1) * channels + channel] =
          Float(Double(shift.pointer[channel]) - groupMean * factor)
      }
    }
  }

  let result = Tensor(uninitialized: x.shape)
  func apply(_ task: Int) {
    normalize(
      factors, to: x, into: result, image: task / tasks, part: task % tasks, silu: silu)
  }
  forEachPicture(batch, parts: tasks, sum: sum, finish: finish, apply: apply)
  return (
    result, NormalizationStatistics(mean: mean, inverseDeviation: inverse, factors: factors)
  )
}

/// The result of ``groupNormalization(_:scale:shift:groups:epsilon:silu:)`` again, from its statistics.
/// - Precondition: they are of groups.
public func groupNormalization(_ x: Tensor, _ statistics: NormalizationStatistics, silu: Bool)
  -> Tensor
{
  let (batch, channels) = (x.shape[0], x.shape.last)
  let tasks = (x.count / (batch * channels) + pixelGrain - 1) / pixelGrain
  let result = Tensor(uninitialized: x.shape)
  Parallel.forEach(batch * tasks) { task in
    normalize(
      statistics.factors!, to: x, into: result, image: task / tasks, part: task % tasks, silu: silu)
  }
  return result
}

/// `x * factor + offset`, followed, where wanted, by SiLU, of a part of a picture.
private func normalize(
  _ factors: Tensor, to x: Tensor, into result: Tensor, image: Int, part: Int, silu: Bool
) {
  let (batch, channels) = (x.shape[0], x.shape.last)
  let pixels = x.count / (batch * channels)
  let (source, target) = (UnsafePointer(x.pointer), result.pointer)
  let isStreamed = result.isStreamed
  let base = image &* pixels &* channels
  let factor = UnsafePointer(factors.pointer) + image * 2 * channels
  for pixel in (part * pixelGrain)..<min(pixels, (part + 1) * pixelGrain) {
    let row = base &+ pixel &* channels
    if silu {
      for (j, n) in VectorRuns(0..<channels) {
        let value =
          read(source + (row &+ j), n) * read(factor + j, n)
          + read(factor + (channels &+ j), n)
        write(SiLU.value(value), target + (row &+ j), n, streamed: isStreamed)
      }
    } else {
      for (j, n) in VectorRuns(0..<channels) {
        let value =
          read(source + (row &+ j), n) * read(factor + j, n)
          + read(factor + (channels &+ j), n)
        write(value, target + (row &+ j), n, streamed: isStreamed)
      }
    }
  }
}

/// The gradients of ``groupNormalization(_:scale:shift:groups:epsilon:silu:)``.
///
/// With x' the normalised input and g the gradient before the scale, `dx = rate * (g - mean(g) - x' * mean(g * x'))`
/// over each group.
///
/// - Parameters:
///   - isTrained: whether the gradients by scale and shift are wanted.
///   - others: added to the gradient by the input.
public func groupNormalizationGradient(
  _ gradient: Tensor, _ x: Tensor, scale: Tensor, shift: Tensor, groups: Int, silu: Bool,
  _ statistics: NormalizationStatistics, isTrained: Bool = true, adding others: Tensor? = nil
) -> NormalizationGradients {
  let (batch, channels) = (x.shape[0], x.shape.last)
  let pixels = x.count / (batch * channels)
  let width = channels / groups
  let tasks = (pixels + pixelGrain - 1) / pixelGrain
  let (source, upper) = (UnsafePointer(x.pointer), UnsafePointer(gradient.pointer))
  let result = Tensor(uninitialized: x.shape)
  let isStreamed = result.isStreamed
  let target = result.pointer

  // x' = x * rate + offset for each channel of each picture.
  let factors = Tensor(uninitialized: [batch, 2, channels])
  func prepare(_ image: Int) {
    let factor = factors.pointer + image * 2 * channels
    for group in 0..<groups {
      let rate = statistics.inverseDeviation.pointer[image * groups + group]
      let offset = -statistics.mean.pointer[image * groups + group] * rate
      for channel in (group * width)..<((group + 1) * width) {
        factor[channel] = rate
        factor[channels + channel] = offset
      }
    }
  }

  // First pass: the gradient before SiLU, kept in the result, and its sums with and without x' over each channel.
  let sums = Tensor(uninitialized: [batch * tasks, 2, channels])
  let (scales, shifts) = (UnsafePointer(scale.pointer), UnsafePointer(shift.pointer))
  func sum(_ task: Int) {
    let (image, part) = (task / tasks, task % tasks)
    let factor = UnsafePointer(factors.pointer) + image * 2 * channels
    let partial = sums.pointer + task * 2 * channels
    let (from, to) = (part * pixelGrain, min(pixels, (part + 1) * pixelGrain))
    partial.update(repeating: 0, count: 2 * channels)
    // Pixel by pixel, for memory is fastest in order; the sums stay in the first-level cache.
    for pixel in from..<to {
      let row = (image &* pixels &+ pixel) &* channels
      for (j, n) in VectorRuns(0..<channels) {
        let normal =
          read(source + (row &+ j), n) * read(factor + j, n) + read(factor + (channels &+ j), n)
        var value = read(upper + (row &+ j), n)
        if silu {
          value *= SiLU.derivative(normal * read(scales + j, n) + read(shifts + j, n))
        }
        write(value, target + (row &+ j), n)
        let (sum, product) = (partial + j, partial + (channels &+ j))
        write(read(sum, n) + value, sum, n)
        write(read(product, n).addingProduct(value, normal), product, n)
      }
    }
  }

  let added = others.map { UnsafePointer($0.pointer) }
  // The gradients by scale and shift of each picture alone.
  let gradients = Tensor(uninitialized: [batch, 2, channels])
  // dx = value * first + x' * second + third for each channel of each picture.
  let terms = Tensor(uninitialized: [batch, 3, channels])
  func finish(_ image: Int) {
    let own = gradients.pointer + image * 2 * channels
    for group in 0..<groups {
      var (groupSum, groupProduct) = (0.0, 0.0)
      for channel in (group * width)..<((group + 1) * width) {
        var (sum, product) = (0.0, 0.0)
        for part in 0..<tasks {
          let partial = sums.pointer + (image * tasks + part) * 2 * channels
          sum += Double(partial[channel])
          product += Double(partial[channels + channel])
        }
        own[channel] = Float(product)
        own[channels + channel] = Float(sum)
        groupSum += sum * Double(scales[channel])
        groupProduct += product * Double(scales[channel])
      }
      let rate = Double(statistics.inverseDeviation.pointer[image * groups + group])
      let count = Double(pixels * width)
      for channel in (group * width)..<((group + 1) * width) {
        let term = terms.pointer + image * 3 * channels + channel
        term[0] = Float(rate * Double(scales[channel]))
        term[channels] = Float(-rate * groupProduct / count)
        term[2 * channels] = Float(-rate * groupSum / count)
      }
    }
  }

  func apply(_ task: Int) {
    let (image, part) = (task / tasks, task % tasks)
    let factor = UnsafePointer(factors.pointer) + image * 2 * channels
    let term = UnsafePointer(terms.pointer) + image * 3 * channels
    for pixel in (part * pixelGrain)..<min(pixels, (part + 1) * pixelGrain) {
      let row = (image &* pixels &+ pixel) &* channels
      for (j, n) in VectorRuns(0..<channels) {
        let normal =
          read(source + (row &+ j), n) * read(factor + j, n)
          + read(factor + (channels &+ j), n)
        var value = read(target + (row &+ j), n) * read(term + j, n)
        value.addProduct(normal, read(term + (channels &+ j), n))
        value += read(term + (2 &* channels &+ j), n)
        if let added { value += read(added + (row &+ j), n) }
        write(value, target + (row &+ j), n, streamed: isStreamed)
      }
    }
  }
  forEachPicture(batch, parts: tasks, prepare: prepare, sum: sum, finish: finish, apply: apply)
  withExtendedLifetime(others) {}
  return NormalizationGradients(
    result, sums: isTrained ? gradients.reshaped([batch, 2 * channels]) : nil)
}

/// Layer normalisation (Ba et al., 2016) of each row.
///
/// - Parameters:
///   - x: `[…, channels]`.
///   - scale: `[channels]`.
///   - shift: `[channels]`.
/// - Returns: a tensor of the shape of `x`, and the statistics of its rows.
public func layerNormalization(
  _ x: Tensor, scale: Tensor, shift: Tensor, epsilon: Float
) -> (Tensor, NormalizationStatistics) {
  let (rows, channels) = (x.shape.rows, x.shape.last)
  let result = Tensor(uninitialized: x.shape)
  let isStreamed = result.isStreamed
  let mean = Tensor(uninitialized: [rows])
  let inverse = Tensor(uninitialized: [rows])
  let (source, scales, shifts) = (
    UnsafePointer(x.pointer), UnsafePointer(scale.pointer), UnsafePointer(shift.pointer)
  )
  Parallel.forEachRange(of: rows, grain: max(1, elementGrain / channels)) { range in
    for row in range {
      let line = source + row &* channels
      var sum = Vector()
      for (j, n) in VectorRuns(0..<channels) { sum += read(line + j, n) }
      let center = sum.total / Float(channels)
      var square = Vector()
      let origin = Vector(repeating: center)
      for (j, n) in VectorRuns(0..<channels) {
        let value =
          n == 16 ? load(line + j) - origin : (read(line + j, n) - origin).first(n, otherwise: 0)
        square.addProduct(value, value)
      }
      let rate = 1 / (square.total / Float(channels) + epsilon).squareRoot()
      mean.pointer[row] = center
      inverse.pointer[row] = rate
      let factor = Vector(repeating: rate)
      for (j, n) in VectorRuns(0..<channels) {
        let normal = (read(line + j, n) - origin) * factor
        write(
          normal * read(scales + j, n) + read(shifts + j, n),
          result.pointer + (row &* channels &+ j), n, streamed: isStreamed)
      }
    }
  }
  return (result, NormalizationStatistics(mean: mean, inverseDeviation: inverse))
}

/// The gradients of ``layerNormalization(_:scale:shift:epsilon:)``.
/// - Parameters:
///   - isTrained: whether the gradients by scale and shift are wanted.
///   - others: added to the gradient by the input.
public func layerNormalizationGradient(
  _ gradient: Tensor, _ x: Tensor, scale: Tensor, _ statistics: NormalizationStatistics,
  isTrained: Bool = true, adding others: Tensor? = nil
) -> NormalizationGradients {
  let (rows, channels) = (x.shape.rows, x.shape.last)
  let result = Tensor(uninitialized: x.shape)
  let isStreamed = result.isStreamed
  let grain = max(1, elementGrain / channels)
  let tasks = (rows + grain - 1) / grain
  let added = others.map { UnsafePointer($0.pointer) }
  let partial = isTrained ? Tensor(zeros: [max(1, tasks), 2 * channels]) : nil
  let (source, upper, scales) = (
    UnsafePointer(x.pointer), UnsafePointer(gradient.pointer), UnsafePointer(scale.pointer)
  )
  Parallel.forEachRange(of: rows, grain: grain) { range in
    let sums = partial.map { $0.pointer + range.lowerBound / grain * 2 * channels }
    for row in range {
      let (line, top) = (source + row &* channels, upper + row &* channels)
      let origin = Vector(repeating: statistics.mean.pointer[row])
      let rate = Vector(repeating: statistics.inverseDeviation.pointer[row])
      var (sum, product) = (Vector(), Vector())
      for (j, n) in VectorRuns(0..<channels) {
        let normal = (read(line + j, n) - origin) * rate
        let value = read(top + j, n)
        if let sums {
          write(read(sums + j, n) + value * normal, sums + j, n)
          write(read(sums + (channels &+ j), n) + value, sums + (channels &+ j), n)
        }
        let scaled = value * read(scales + j, n)
        sum += scaled
        product.addProduct(scaled, normal)
      }
      let meanOfGradient = Vector(repeating: sum.total / Float(channels))
      let meanOfProduct = Vector(repeating: product.total / Float(channels))
      for (j, n) in VectorRuns(0..<channels) {
        let normal = (read(line + j, n) - origin) * rate
        let scaled = read(top + j, n) * read(scales + j, n)
        var value = rate * (scaled - meanOfGradient - normal * meanOfProduct)
        if let added { value += read(added + (row &* channels &+ j), n) }
        write(value, result.pointer + (row &* channels &+ j), n, streamed: isStreamed)
      }
    }
  }
  withExtendedLifetime(others) {}
  return NormalizationGradients(result, sums: partial)
}
