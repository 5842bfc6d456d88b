// Moving elements: joining channels, picking rows, enlarging pictures.

extension Tensor {
  /// Two tensors side by side along the innermost dimension: `[…, a]` and `[…, b]` to `[…, a + b]`.
  public func joiningChannels(_ other: Tensor) -> Tensor {
    let (rows, first, second) = (shape.rows, shape.last, other.shape.last)
    precondition(rows == other.shape.rows, "\(shape) beside \(other.shape)")
    let result = Tensor(uninitialized: Shape(shape.array.dropLast() + [first + second]))
    Parallel.forEachRange(of: rows, grain: Swift.max(1, 16_384 / (first + second))) { range in
      for row in range {
        let line = result.pointer + row * (first + second)
        line.update(from: pointer + row * first, count: first)
        (line + first).update(from: other.pointer + row * second, count: second)
      }
    }
    return result
  }

  /// The channels `range` of each row: `[…, channels]` to `[…, range.count]`.
  public func channels(_ range: Range<Int>) -> Tensor {
    let (rows, all) = (shape.rows, shape.last)
    precondition(range.lowerBound >= 0 && range.upperBound <= all, "channels \(range) of \(shape)")
    let result = Tensor(uninitialized: Shape(shape.array.dropLast() + [range.count]))
    Parallel.forEachRange(of: rows, grain: Swift.max(1, 16_384 / Swift.max(1, range.count))) {
      part in
      for row in part {
        (result.pointer + row * range.count).update(
          from: pointer + row * all + range.lowerBound, count: range.count)
      }
    }
    return result
  }

  /// Rows of a table `[entries, width]` by their indices, as `[indices.count, width]`.
  /// - Precondition: each index is one of the table's.
  public func rows(at indices: [Int]) -> Tensor {
    let width = shape.last
    let result = Tensor(uninitialized: [indices.count, width])
    for (row, index) in indices.enumerated() {
      precondition(index >= 0 && index < shape[0], "row \(index) of \(shape)")
      (result.pointer + row * width).update(from: pointer + index * width, count: width)
    }
    return result
  }

  /// Pictures enlarged, or made smaller, to `height` by `width` by repeating the nearest pixel, as PyTorch's
  /// `interpolate(mode: "nearest")` does: source index = floor(target index * source extent / target extent).
  public func resizedToNearest(height: Int, width: Int) -> Tensor {
    let (batch, rows, columns, channels) = (shape[0], shape[1], shape[2], shape[3])
    let result = Tensor(uninitialized: [batch, height, width, channels])
    Parallel.forEachRange(of: batch * height, grain: 4) { range in
      for line in range {
        let source =
          pointer + (line / height * rows + line % height * rows / height) * columns * channels
        let target = result.pointer + line * width * channels
        for x in 0..<width {
          (target + x * channels).update(
            from: source + x * columns / width * channels, count: channels)
        }
      }
    }
    return result
  }

  /// The gradient of ``resizedToNearest(height:width:)`` by an input of `shape`, from that of its result, which is this
  /// tensor: each source pixel gets the sum of its copies.
  public func nearestGradient(inputShape: Shape) -> Tensor {
    let (batch, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
    let (rows, columns) = (inputShape[1], inputShape[2])
    let result = Tensor(zeros: inputShape)
    // A task owns a source row, so that no two add to one pixel.
    Parallel.forEachRange(of: batch * rows, grain: 2) { range in
      for line in range {
        let (image, row) = (line / rows, line % rows)
        let target = result.pointer + line * columns * channels
        let first = (row * height + rows - 1) / rows
        let last = ((row + 1) * height + rows - 1) / rows
        for y in first..<last {
          let source = pointer + (image * height + y) * width * channels
          for x in 0..<width {
            let sum = target + x * columns / width * channels
            let pixel = source + x * channels
            for c in 0..<channels { sum[c] += pixel[c] }
          }
        }
      }
    }
    return result
  }
}
