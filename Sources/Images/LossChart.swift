// The course of a training's loss as a picture.

import Glibc

/// A curve of losses by steps on a logarithmic axis, smoothed over a hundredth of the steps.
public struct LossChart: Sendable {
  public var losses: [Float]
  public var title: String

  public init(losses: [Float], title: String) {
    self.losses = losses
    self.title = title
  }

  private static let width = 900
  private static let height = 480

  /// The means of consecutive losses that are drawn, at most `count`.
  static func means(_ losses: [Float], count: Int) -> [Double] {
    let parts = min(count, losses.count)
    return (0..<parts).map { part in
      let range = (part * losses.count / parts)..<((part + 1) * losses.count / parts)
      return losses[range].reduce(0.0) { $0 + Double($1) } / Double(range.count)
    }
  }

  /// The chart as one picture. The same losses give the same pixels.
  /// - Throws: `ImageError`: `noInput` if the font is not installed.
  public func render() throws -> Picture {
    let font = try Font(size: 16)
    let ink = SIMD3<UInt8>(28, 28, 30)
    var chart = Picture(width: Self.width, height: Self.height, color: SIMD3(250, 250, 248))
    font.draw(title, x: 70, baseline: 28, color: ink, into: &chart)
    let box = (left: 70, top: 44, right: Self.width - 24, bottom: Self.height - 44)
    let means = Self.means(losses, count: 100).map { log(max($0, 1e-9)) }
    guard let low = means.min(), let high = means.max() else { return chart }
    let span = max(high - low, 0.01)
    func y(_ value: Double) -> Int {
      box.bottom - 8 - Int((value - low) / span * Double(box.bottom - box.top - 16))
    }
    for part in 0...4 {
      let value = low + span * Double(part) / 4
      chart.fill(x: box.left..<box.right, y: y(value)..<y(value) + 1, SIMD3(225, 225, 222))
      let label = Self.label(exp(value))
      font.draw(
        label, x: box.left - 8 - font.width(of: label), baseline: y(value) + font.ascent / 2 - 2,
        color: ink, into: &chart)
    }
    for part in 0...4 {
      let label = "\(losses.count * part / 4)"
      let x = box.left + (box.right - box.left) * part / 4
      font.draw(
        label, x: min(x, Self.width - 8 - font.width(of: label)), baseline: box.bottom + 28,
        color: ink, into: &chart)
    }
    func x(_ index: Int) -> Int {
      box.left + (box.right - box.left) * (2 * index + 1) / (2 * means.count)
    }
    for index in means.indices.dropLast() {
      let (start, end) = (x(index), x(index + 1))
      for column in start...end {
        let share = end > start ? Double(column - start) / Double(end - start) : 0
        let row = y(means[index] + (means[index + 1] - means[index]) * share)
        chart.fill(x: column..<column + 2, y: row - 1..<row + 2, SIMD3(0, 105, 190))
      }
    }
    return chart
  }

  /// Three significant digits.
  private static func label(_ value: Double) -> String {
    let digits = max(0, 2 - Int(log10(value).rounded(.down)))
    let scale = pow(10, Double(min(digits, 6)))
    return "\((value * scale).rounded() / scale)"
  }
}

extension Picture {
  /// Gives a rectangle of the picture one colour; what lies beyond the picture is left out.
  mutating func fill(x columns: Range<Int>, y rows: Range<Int>, _ color: SIMD3<UInt8>) {
    for y in rows.clamped(to: 0..<height) {
      for x in columns.clamped(to: 0..<width) { self[x, y] = color }
    }
  }
}
