// Smooth random fields: value noise on grids of random numbers.

import Tensors

/// A field over the picture that wavers smoothly between 0 and 1.
struct ValueNoise {
  private let cells: Int
  private let values: [Float]

  /// - Parameter cells: how many waves there are across the picture.
  init(seed: UInt64, layer: Int, cells: Int) {
    self.cells = cells
    values = Philox(seed: seed, stream: .scatter, step: layer).uniform(
      count: (cells + 1) * (cells + 1))
  }

  /// The value at a place, each coordinate from 0 to 1.
  func value(_ x: Float, _ y: Float) -> Float {
    let (column, acrossPart) = split(x)
    let (row, downPart) = split(y)
    let start = row * (cells + 1) + column
    let top = mix(values[start], values[start + 1], acrossPart)
    let bottom = mix(values[start + cells + 1], values[start + cells + 2], acrossPart)
    return mix(top, bottom, downPart)
  }

  private func split(_ place: Float) -> (cell: Int, part: Float) {
    let scaled = min(max(place, 0), 1) * Float(cells)
    let cell = min(Int(scaled), cells - 1)
    return (cell, smoothstep(0, 1, scaled - Float(cell)))
  }
}
