// The naive twins of the fast kernels: plain loops in double precision, straight from the definitions.

import Foundation

@testable import Tensors

/// An array of doubles with the indices of a tensor.
struct Exact {
  let shape: Shape
  var values: [Double]

  init(zeros shape: Shape) {
    self.shape = shape
    self.values = Array(repeating: 0, count: shape.count)
  }

  init(_ tensor: Tensor) {
    self.shape = tensor.shape
    self.values = tensor.array.map(Double.init)
  }

  private init(_ values: [Double], _ shape: Shape) {
    self.shape = shape
    self.values = values
  }

  func reshaped(_ shape: Shape) -> Exact {
    precondition(shape.count == values.count)
    return Exact(values, shape)
  }

  func map(_ body: (Double) -> Double) -> Exact { Exact(values.map(body), shape) }

  subscript(i: Int) -> Double {
    get { values[i] }
    set { values[i] = newValue }
  }

  subscript(i: Int, j: Int) -> Double {
    get { values[i * shape[1] + j] }
    set { values[i * shape[1] + j] = newValue }
  }

  subscript(i: Int, j: Int, k: Int) -> Double {
    get { values[(i * shape[1] + j) * shape[2] + k] }
    set { values[(i * shape[1] + j) * shape[2] + k] = newValue }
  }

  subscript(i: Int, j: Int, k: Int, l: Int) -> Double {
    get { values[((i * shape[1] + j) * shape[2] + k) * shape[3] + l] }
    set { values[((i * shape[1] + j) * shape[2] + k) * shape[3] + l] = newValue }
  }
}

/// `body` of the corresponding elements of two tensors of one shape.
func naiveMap(_ a: Tensor, _ b: Tensor, _ body: (Double, Double) -> Double) -> Exact {
  var result = Exact(a)
  for i in result.values.indices { result[i] = body(Double(a.pointer[i]), Double(b.pointer[i])) }
  return result
}

// MARK: - Convolution

/// Calls `body` with each output pixel, tap and input pixel of a convolution that lie within the picture.
private func forEachTap(
  _ input: Shape, _ geometry: ConvolutionGeometry,
  _ body: (
    _ image: Int, _ output: (y: Int, x: Int), _ tap: (y: Int, x: Int), _ input: (y: Int, x: Int)
  ) -> Void
) {
  for image in 0..<input[0] {
    for outY in 0..<geometry.outputExtent(input[1]) {
      for outX in 0..<geometry.outputExtent(input[2]) {
        for tapY in 0..<geometry.kernel {
          for tapX in 0..<geometry.kernel {
            let y = outY * geometry.stride + tapY - geometry.paddingBefore
            let x = outX * geometry.stride + tapX - geometry.paddingBefore
            guard y >= 0, y < input[1], x >= 0, x < input[2] else { continue }
            body(image, (outY, outX), (tapY, tapX), (y, x))
          }
        }
      }
    }
  }
}

func naiveConvolution(
  _ x: Tensor, _ weights: Tensor, bias: Tensor?, _ geometry: ConvolutionGeometry
) -> Exact {
  let (input, kernel) = (Exact(x), Exact(weights))
  let outputs = weights.shape[3]
  var result = Exact(zeros: [
    x.shape[0], geometry.outputExtent(x.shape[1]), geometry.outputExtent(x.shape[2]), outputs,
  ])
  if let bias {
    for index in result.values.indices { result[index] = Double(bias.pointer[index % outputs]) }
  }
  forEachTap(x.shape, geometry) { image, out, tap, pixel in
    for c in 0..<x.shape[3] {
      let value = input[image, pixel.y, pixel.x, c]
      for o in 0..<outputs {
        result[image, out.y, out.x, o] += value * kernel[tap.y, tap.x, c, o]
      }
    }
  }
  return result
}

func naiveConvolutionGradients(
  _ gradient: Tensor, _ x: Tensor, _ weights: Tensor, _ geometry: ConvolutionGeometry
) -> (input: Exact, weights: Exact) {
  let (upper, input, kernel) = (Exact(gradient), Exact(x), Exact(weights))
  var inputGradient = Exact(zeros: x.shape)
  var weightGradient = Exact(zeros: weights.shape)
  forEachTap(x.shape, geometry) { image, out, tap, pixel in
    for c in 0..<x.shape[3] {
      let value = input[image, pixel.y, pixel.x, c]
      var sum = 0.0
      for o in 0..<weights.shape[3] {
        let slope = upper[image, out.y, out.x, o]
        sum += slope * kernel[tap.y, tap.x, c, o]
        weightGradient[tap.y, tap.x, c, o] += slope * value
      }
      inputGradient[image, pixel.y, pixel.x, c] += sum
    }
  }
  return (inputGradient, weightGradient)
}

// MARK: - Normalisation

/// What a normalisation of `[batch, pixels, channels]` computes, and its gradients for an upper gradient.
struct NaiveNormalization {
  var result: Exact
  var inputGradient: Exact
  var scaleGradient: Exact
  var shiftGradient: Exact
}

/// Group normalisation. Layer normalisation is that of pictures of one pixel with one group.
func naiveNormalization(
  _ x: Tensor, scale: Tensor, shift: Tensor, groups: Int, epsilon: Float, silu: Bool,
  gradient: Tensor
) -> NaiveNormalization {
  let (batch, channels) = (x.shape[0], x.shape.last)
  let (pixels, width) = (x.count / (batch * channels), channels / groups)
  let flat: Shape = [batch, pixels, channels]
  let (input, upper) = (Exact(x).reshaped(flat), Exact(gradient).reshaped(flat))
  let (gamma, beta) = (Exact(scale), Exact(shift))
  var result = Exact(zeros: flat)
  var inputGradient = Exact(zeros: flat)
  var scaleGradient = Exact(zeros: [channels])
  var shiftGradient = Exact(zeros: [channels])
  for image in 0..<batch {
    for group in 0..<groups {
      let members = (group * width)..<((group + 1) * width)
      func mean(_ body: (_ pixel: Int, _ channel: Int) -> Double) -> Double {
        var sum = 0.0
        for pixel in 0..<pixels { for channel in members { sum += body(pixel, channel) } }
        return sum / Double(pixels * width)
      }
      let center = mean { input[image, $0, $1] }
      let variance = mean { pow(input[image, $0, $1] - center, 2) }
      let rate = 1 / sqrt(variance + Double(epsilon))
      func normal(_ pixel: Int, _ channel: Int) -> Double {
        (input[image, pixel, channel] - center) * rate
      }
      /// The gradient before SiLU.
      func inner(_ pixel: Int, _ channel: Int) -> Double {
        let y = normal(pixel, channel) * gamma[channel] + beta[channel]
        return upper[image, pixel, channel] * (silu ? naiveDerivative(.silu, y) : 1)
      }
      let meanOfGradient = mean { inner($0, $1) * gamma[$1] }
      let meanOfProduct = mean { inner($0, $1) * gamma[$1] * normal($0, $1) }
      for pixel in 0..<pixels {
        for channel in members {
          let y = normal(pixel, channel) * gamma[channel] + beta[channel]
          result[image, pixel, channel] = silu ? naiveValue(.silu, y) : y
          let slope = inner(pixel, channel)
          scaleGradient[channel] += slope * normal(pixel, channel)
          shiftGradient[channel] += slope
          inputGradient[image, pixel, channel] =
            rate
            * (slope * gamma[channel] - meanOfGradient - normal(pixel, channel) * meanOfProduct)
        }
      }
    }
  }
  return NaiveNormalization(
    result: result.reshaped(x.shape), inputGradient: inputGradient.reshaped(x.shape),
    scaleGradient: scaleGradient, shiftGradient: shiftGradient)
}

// MARK: - Attention

struct NaiveAttention {
  var result: Exact
  var logSums: Exact
  var queryGradient: Exact
  var keyGradient: Exact
  var valueGradient: Exact
}

/// Attention and its gradients for an upper gradient, by the whole matrix of weights of each head.
func naiveAttention(
  queries: Tensor, keys: Tensor, values: Tensor, heads: Int, causal: Bool, gradient: Tensor
) -> NaiveAttention {
  let (q, k, v, upper) = (Exact(queries), Exact(keys), Exact(values), Exact(gradient))
  let (batch, queryCount, keyCount) = (queries.shape[0], queries.shape[1], keys.shape[1])
  let width = queries.shape.last / heads
  let scale = 1 / sqrt(Double(width))
  var all = NaiveAttention(
    result: Exact(zeros: queries.shape), logSums: Exact(zeros: [batch, heads, queryCount]),
    queryGradient: Exact(zeros: queries.shape), keyGradient: Exact(zeros: keys.shape),
    valueGradient: Exact(zeros: values.shape))
  for image in 0..<batch {
    for head in 0..<heads {
      let channels = (head * width)..<((head + 1) * width)
      for query in 0..<queryCount {
        let visible = 0..<(causal ? min(keyCount, query + 1) : keyCount)
        let scores = visible.map { key in
          scale * channels.reduce(0) { $0 + q[image, query, $1] * k[image, key, $1] }
        }
        let top = scores.max() ?? 0
        let total = scores.reduce(0) { $0 + exp($1 - top) }
        all.logSums[image, head, query] = top + log(total)
        let weights = scores.map { exp($0 - top) / total }
        for key in visible {
          for c in channels { all.result[image, query, c] += weights[key] * v[image, key, c] }
        }
        let slopes = visible.map { key in
          channels.reduce(0) { $0 + upper[image, query, $1] * v[image, key, $1] }
        }
        let mean = zip(weights, slopes).reduce(0) { $0 + $1.0 * $1.1 }
        for key in visible {
          let slope = weights[key] * (slopes[key] - mean) * scale
          for c in channels {
            all.queryGradient[image, query, c] += slope * k[image, key, c]
            all.keyGradient[image, key, c] += slope * q[image, query, c]
            all.valueGradient[image, key, c] += weights[key] * upper[image, query, c]
          }
        }
      }
    }
  }
  return all
}

// MARK: - Activations

func naiveValue(_ activation: Activation, _ x: Double) -> Double {
  switch activation {
  case .silu: x / (1 + exp(-x))
  case .quickGELU: x / (1 + exp(-1.702 * x))
  case .gelu: x * 0.5 * erfc(-x / 2.0.squareRoot())
  }
}

func naiveDerivative(_ activation: Activation, _ x: Double) -> Double {
  func logistic(_ rate: Double) -> Double {
    let s = 1 / (1 + exp(-rate * x))
    return s + rate * x * s * (1 - s)
  }
  return switch activation {
  case .silu: logistic(1)
  case .quickGELU: logistic(1.702)
  case .gelu: 0.5 * erfc(-x / 2.0.squareRoot()) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
  }
}
