// The poolings of the networks that look at pictures.

import Tensors

/// The largest of each window of 3 by 3 pixels, without a frame.
/// - Parameter x: `[batch, height, width, channels]`, at least 3 pixels high and wide.
/// - Returns: `[batch, (height - 3) / stride + 1, (width - 3) / stride + 1, channels]`.
func maximumPool(_ x: Tensor, stride: Int) -> Tensor {
  overWindows(of: x, stride: stride) { target, sources, channels in
    for channel in 0..<channels {
      var most = sources[0][channel]
      for source in sources.dropFirst() { most = max(most, source[channel]) }
      target[channel] = most
    }
  }
}

/// Half as many pixels each way by a binomial filter, `[1 2 1] / 4` across and down, in a frame of two mirrored pixels
/// (Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019).
/// - Parameter x: `[batch, height, width, channels]`, at least 3 pixels high and wide.
/// - Returns: `[batch, (height + 1) / 2 + 1, (width + 1) / 2 + 1, channels]`, halves rounded down.
func blurPool(_ x: Tensor) -> Tensor {
  let weights: [Float] = [1, 2, 1, 2, 4, 2, 1, 2, 1].map { $0 / 16 }
  return overWindows(of: mirrored(x, frame: 2), stride: 2) { target, sources, channels in
    for channel in 0..<channels {
      var sum: Float = 0
      for (source, weight) in zip(sources, weights) { sum += weight * source[channel] }
      target[channel] = sum
    }
  }
}

/// Calls `body` for each window of 3 by 3 pixels with the pixel to fill, the window's nine pixels, row by row, and the
/// number of channels.
private func overWindows(
  of x: Tensor, stride: Int,
  _ body: (UnsafeMutablePointer<Float>, [UnsafeMutablePointer<Float>], Int) -> Void
) -> Tensor {
  let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  precondition(height >= 3 && width >= 3, "windows of 3x3 in \(height)x\(width)")
  let (rows, columns) = ((height - 3) / stride + 1, (width - 3) / stride + 1)
  let result = Tensor(uninitialized: [batch, rows, columns, channels])
  withExtendedLifetime(x) {
    for line in 0..<batch * rows {
      let top = line / rows * height + line % rows * stride
      for column in 0..<columns {
        let window = (0..<9).map { tap in
          x.pointer + ((top + tap / 3) * width + column * stride + tap % 3) * channels
        }
        body(result.pointer + (line * columns + column) * channels, window, channels)
      }
    }
  }
  return result
}

/// `[batch, height, width, channels]` with `frame` more pixels on each side, which mirror those inside without the
/// outermost one.
private func mirrored(_ x: Tensor, frame: Int) -> Tensor {
  let (batch, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
  precondition(height > frame && width > frame, "a frame of \(frame) around \(height)x\(width)")
  func source(_ index: Int, _ extent: Int) -> Int {
    let inside = abs(index - frame)
    return inside < extent ? inside : 2 * (extent - 1) - inside
  }
  let (tall, wide) = (height + 2 * frame, width + 2 * frame)
  let result = Tensor(uninitialized: [batch, tall, wide, channels])
  withExtendedLifetime(x) {
    for line in 0..<batch * tall {
      let row = line / tall * height + source(line % tall, height)
      for column in 0..<wide {
        let pixel = x.pointer + (row * width + source(column, width)) * channels
        (result.pointer + (line * wide + column) * channels).update(from: pixel, count: channels)
      }
    }
  }
  return result
}
