// Soft shadows on the ground, from the shapes of what stands there.

/// How dark it is, `[side, side]`, 0 to 1.
struct ShadowMap {
  let side: Int
  private(set) var values: [Float]

  init(side: Int) {
    self.side = side
    values = [Float](repeating: 0, count: side * side)
  }

  /// Adds the shadow of a thing: its shape laid flat on the ground behind it, leaning by `slant` (-1 to 1), and the dark
  /// line where it touches the ground.
  mutating func add(_ layer: Layer, at frame: Frame, slant: Float) {
    var cast = [Float](repeating: 0, count: side * side)
    let flat = max(2, frame.height / 6)
    let base = frame.y + frame.height - 1
    for row in 0..<flat {
      // Rows of the shape that fall into this one.
      let (low, high) = (frame.height * row / flat, max(frame.height * (row + 1) / flat, 1))
      let shift = Int((slant * 1.6 * Float(row)).rounded())
      let y = base + flat / 4 - row
      for x in 0..<frame.width {
        var sum: Float = 0
        for up in low..<high { sum += layer.pixels[(frame.height - 1 - up) * frame.width + x].w }
        paint(&cast, frame.x + x + shift, y, sum / Float(high - low))
      }
    }
    blur(&cast, radius: max(1, side / 40))
    var contact = [Float](repeating: 0, count: side * side)
    let touching = max(1, frame.height / 14)
    for up in 0..<touching {
      for x in 0..<frame.width {
        let alpha = layer.pixels[(frame.height - 1 - up) * frame.width + x].w
        for down in 0...1 { paint(&contact, frame.x + x, base - up / 2 + down, alpha) }
      }
    }
    blur(&contact, radius: max(1, side / 80))
    for index in values.indices {
      let dark = 1 - (1 - 0.5 * min(cast[index], 1)) * (1 - 0.55 * min(contact[index], 1))
      values[index] = 1 - (1 - values[index]) * (1 - dark)
    }
  }

  private func paint(_ map: inout [Float], _ x: Int, _ y: Int, _ value: Float) {
    guard x >= 0, x < side, y >= 0, y < side else { return }
    map[y * side + x] = max(map[y * side + x], value)
  }

  /// Two means over squares, which come close to a bell curve.
  private func blur(_ map: inout [Float], radius: Int) {
    var other = map
    for _ in 0..<2 {
      blurLines(map, &other, radius: radius, step: 1, line: side)
      blurLines(other, &map, radius: radius, step: side, line: 1)
    }
  }

  private func blurLines(
    _ source: [Float], _ target: inout [Float], radius: Int, step: Int, line: Int
  ) {
    let scale = 1 / Float(2 * radius + 1)
    for row in 0..<side {
      let start = row * line
      for x in 0..<side {
        var sum: Float = 0
        for near in max(0, x - radius)...min(side - 1, x + radius) {
          sum += source[start + near * step]
        }
        target[start + x * step] = sum * scale
      }
    }
  }
}
