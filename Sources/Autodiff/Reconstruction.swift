// What an autoencoder of pictures learns by: the distance of two pictures, and a Gaussian posterior.

import Glibc
import Tensors

/// The mean absolute difference of pictures, and of their differences between neighbouring pixels, a scalar:
/// `mean |d| + weight * (mean |d(x + 1, y) - d(x, y)| + mean |d(x, y + 1) - d(x, y)|)` with `d = prediction - target`.
///
/// The second part keeps edges sharp, which the first alone lets blur (Mathieu et al., "Deep Multi-Scale Video Prediction
/// Beyond Mean Square Error", ICLR 2016, equation 6, with exponent 1).
/// - Parameters:
///   - prediction: `[batch, height, width, channels]`, at least two pixels high and wide.
///   - target: of the same shape.
///   - edgeWeight: of the second part.
public func reconstructionError(_ prediction: Variable, _ target: Tensor, edgeWeight: Float)
  -> Variable
{
  let shape = prediction.shape
  precondition(shape == target.shape && shape.rank == 4, "\(shape) and \(target.shape)")
  let (batch, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
  let row = width * channels
  let each = Float(shape.count)
  let across = edgeWeight / Float(batch * height * (width - 1) * channels)
  let down = edgeWeight / Float(batch * (height - 1) * row)
  let difference = prediction.value - target
  let slope = Tensor(uninitialized: shape)
  let sums = Tensor(zeros: [batch])
  Parallel.forEach(batch) { picture in
    let d = difference.pointer + picture * height * row
    let g = slope.pointer + picture * height * row
    var sum = 0.0
    for index in 0..<height * row {
      sum += Double(abs(d[index]) / each)
      g[index] = sign(d[index]) / each
    }
    func pair(_ first: Int, _ second: Int, _ weight: Float) {
      let step = d[second] - d[first]
      sum += Double(abs(step) * weight)
      g[second] += sign(step) * weight
      g[first] -= sign(step) * weight
    }
    for y in 0..<height {
      for x in (y * row)..<(y * row + row - channels) { pair(x, x + channels, across) }
    }
    for index in 0..<(height - 1) * row { pair(index, index + row, down) }
    sums.pointer[picture] = Float(sum)
  }
  return Variable(Tensor(Float(sums.sum())), from: prediction) { [slot = prediction.slot] upper in
    slot?.receive(upper.scalar * slope)
  }
}

private func sign(_ x: Float) -> Float { x > 0 ? 1 : x < 0 ? -1 : 0 }

/// The range that the logarithm of a posterior's variance is clamped to, as in diffusers'
/// `DiagonalGaussianDistribution`.
private let logVarianceRange: ClosedRange<Float> = -30...20

/// A draw from a posterior by its moments: `mean + exp(log variance / 2) * noise` (Kingma and Welling, "Auto-Encoding
/// Variational Bayes", ICLR 2014, section 2.4).
/// - Parameters:
///   - moments: `[…, 2 * channels]`, the means and then the logarithms of the variances.
///   - noise: `[…, channels]`, standard normal.
public func sampleGaussian(_ moments: Variable, noise: Tensor) -> Variable {
  let channels = noise.shape.last
  precondition(moments.shape.last == 2 * channels, "\(moments.shape) with noise \(noise.shape)")
  let result = Tensor(uninitialized: noise.shape)
  let spread = Tensor(uninitialized: noise.shape)
  forEachMoment(moments.value, channels) { index, mean, logVariance in
    spread.pointer[index] = exp(logVariance / 2) * noise.pointer[index]
    result.pointer[index] = mean + spread.pointer[index]
  }
  return Variable(result, from: moments) { [slot = moments.slot, value = moments.value] gradient in
    let slope = Tensor(uninitialized: value.shape)
    for index in 0..<spread.count {
      let place = index / channels * 2 * channels + index % channels
      slope.pointer[place] = gradient.pointer[index]
      slope.pointer[place + channels] =
        logVarianceRange.contains(value.pointer[place + channels])
        ? gradient.pointer[index] * spread.pointer[index] / 2 : 0
    }
    slot?.receive(slope)
  }
}

/// The mean over a latent's elements of the Kullback-Leibler divergence of a posterior from the standard normal
/// distribution, a scalar: `(mean^2 + variance - 1 - log variance) / 2` (Kingma and Welling, appendix B).
/// - Parameter moments: `[…, 2 * channels]`, the means and then the logarithms of the variances.
public func gaussianDivergence(_ moments: Variable) -> Variable {
  let channels = moments.shape.last / 2
  let count = moments.value.count / 2
  var sum = 0.0
  forEachMoment(moments.value, channels) { _, mean, logVariance in
    sum += Double((mean * mean + exp(logVariance) - 1 - logVariance) / 2)
  }
  return Variable(Tensor(Float(sum / Double(count))), from: moments) {
    [slot = moments.slot, value = moments.value] upper in
    let factor = upper.scalar / Float(count)
    let slope = Tensor(uninitialized: value.shape)
    forEachMoment(value, channels) { index, mean, logVariance in
      let place = index / channels * 2 * channels + index % channels
      slope.pointer[place] = factor * mean
      slope.pointer[place + channels] =
        logVarianceRange.contains(value.pointer[place + channels])
        ? factor * (exp(logVariance) - 1) / 2 : 0
    }
    slot?.receive(slope)
  }
}

/// Calls `body` with the number of an element of the latent, its mean and its clamped log variance.
private func forEachMoment(
  _ moments: Tensor, _ channels: Int, _ body: (_ index: Int, Float, _ logVariance: Float) -> Void
) {
  for index in 0..<moments.count / 2 {
    let place = index / channels * 2 * channels + index % channels
    let logVariance = moments.pointer[place + channels]
    body(
      index, moments.pointer[place],
      min(max(logVariance, logVarianceRange.lowerBound), logVarianceRange.upperBound))
  }
}
