// Curves in panels, with axes and a legend, as one picture.

import Glibc

/// A chart of several panels that share their axes and curves' names.
public struct LineChart: Sendable {
  /// A point of a curve.
  public struct Point: Equatable, Sendable {
    public var x: Double
    public var y: Double
    /// What stands beside it where there is room; nil for nothing.
    public var label: String?

    public init(x: Double, y: Double, label: String? = nil) {
      self.x = x
      self.y = y
      self.label = label
    }
  }

  /// One panel: a curve for each of the chart's names, empty ones left out.
  public struct Panel: Sendable {
    public var title: String
    public var curves: [[Point]]
    /// What stands in a panel that has nothing to show.
    public var note: String?

    public init(title: String, curves: [[Point]], note: String? = nil) {
      self.title = title
      self.curves = curves
      self.note = note
    }
  }

  /// Dashed lines across every panel.
  public struct Guide: Sendable {
    public var x: Double?
    public var y: Double?

    public init(x: Double? = nil, y: Double? = nil) {
      self.x = x
      self.y = y
    }
  }

  public var title: String
  /// A smaller line below it.
  public var detail: String
  public var xLabel: String
  public var yLabel: String
  /// The curves' names, for the legend.
  public var names: [String]
  public var panels: [Panel]
  /// The vertical axis reaches no further down; what lies below is left out.
  public var yFloor: Double?
  public var guide: Guide

  public init(
    title: String, detail: String, xLabel: String, yLabel: String, names: [String],
    panels: [Panel], yFloor: Double? = nil, guide: Guide = Guide()
  ) {
    self.title = title
    self.detail = detail
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.names = names
    self.panels = panels
    self.yFloor = yFloor
    self.guide = guide
  }

  private enum Colors {
    static let paper = SIMD3<UInt8>(255, 255, 255)
    static let text = SIMD3<UInt8>(28, 28, 30)
    static let quiet = SIMD3<UInt8>(105, 105, 110)
    static let grid = SIMD3<UInt8>(228, 228, 230)
    static let guide = SIMD3<UInt8>(150, 150, 155)
    /// Okabe and Ito's, which people with any kind of colour vision tell apart.
    static let curves: [SIMD3<UInt8>] = [
      SIMD3(0, 114, 178), SIMD3(213, 94, 0), SIMD3(0, 158, 115), SIMD3(204, 121, 167),
      SIMD3(230, 159, 0), SIMD3(86, 180, 233),
    ]
  }

  private static let plot = (width: 420, height: 320)
  private static let margin = 32
  private static let most = 3

  /// An axis from a round number to another, with round numbers between.
  struct Axis: Equatable {
    let ticks: [Double]
    var low: Double { ticks[0] }
    var high: Double { ticks[ticks.count - 1] }

    /// - Parameter values: what it has to hold; 0 to 1 where there is none.
    init(holding values: [Double], ticks count: Int = 6) {
      let finite = values.filter(\.isFinite)
      var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
      if high - low < 1e-9 * max(abs(low), abs(high), 1) { (low, high) = (low - 0.5, high + 0.5) }
      let rough = (high - low) / Double(count)
      let power = pow(10, log10(rough).rounded(.down))
      let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
      let (first, last) = ((low / step).rounded(.down), (high / step).rounded(.up))
      ticks = (Int(first)...Int(last)).map { Double($0) * step }
    }

    /// Where a value lies between the ends, 0 to 1.
    func share(_ value: Double) -> Double { (value - low) / (high - low) }

    /// The ticks as text, with as many decimals as the step has.
    var labels: [String] {
      let step = ticks[1] - ticks[0]
      let decimals = Int(max(0, (-log10(step * 1.0001)).rounded(.up)))
      let scale = pow(10, Double(decimals))
      return ticks.map { tick in
        let units = Int((abs(tick) * scale).rounded())
        var digits = String(units)
        while digits.count <= decimals { digits = "0" + digits }
        if decimals > 0 {
          digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -decimals))
        }
        return (tick < 0 && units > 0 ? "−" : "") + digits
      }
    }
  }

  private struct Fonts {
    let title: Font
    let panel: Font
    let label: Font

    init() throws {
      title = try Font(size: 24)
      panel = try Font(size: 18)
      label = try Font(size: 14)
    }
  }

  /// The chart as one picture. The same content gives the same pixels.
  /// - Precondition: at least one panel, each with a curve for each name.
  /// - Throws: `ImageError.noInput` if the font is not installed.
  public func render() throws -> Picture {
    precondition(!panels.isEmpty && panels.allSatisfy { $0.curves.count == names.count })
    let fonts = try Fonts()
    let title = fonts.title
    let columns = min(panels.count, Self.most)
    let rows = (panels.count + columns - 1) / columns
    // Room for the vertical ticks left of a panel, for its title above and the horizontal ticks below.
    let (left, above, below) = (58, fonts.panel.lineHeight + 8, fonts.label.lineHeight + 10)
    let pitch = (x: left + Self.plot.width + 22, y: above + Self.plot.height + below + 22)
    let width = max(2 * Self.margin + columns * pitch.x, 900)
    let details = fonts.label.wrapped(detail, width: width - 2 * Self.margin)
    let heading = title.lineHeight + (details.count + 3) * fonts.label.lineHeight + 16
    let height = 2 * Self.margin + heading + rows * pitch.y + fonts.label.lineHeight
    var picture = Picture(width: width, height: height, color: Colors.paper)

    var baseline = Self.margin + title.ascent
    title.draw(self.title, x: Self.margin, baseline: baseline, color: Colors.text, into: &picture)
    baseline += title.descent + fonts.label.ascent
    for line in details {
      fonts.label.draw(
        line, x: Self.margin, baseline: baseline, color: Colors.quiet, into: &picture)
      baseline += fonts.label.lineHeight
    }
    baseline += fonts.label.lineHeight / 2
    drawLegend(baseline: baseline, fonts.label, into: &picture)
    baseline += fonts.label.lineHeight * 3 / 2
    fonts.label.draw(
      "\u{2191} " + yLabel, x: Self.margin, baseline: baseline, color: Colors.text, into: &picture)
    let rightmost = "\u{2192} " + xLabel
    fonts.label.draw(
      rightmost, x: width - Self.margin - 22 - fonts.label.width(of: rightmost),
      baseline: height - Self.margin, color: Colors.text, into: &picture)

    let axes = self.axes
    for (index, panel) in panels.enumerated() {
      let x = Self.margin + index % columns * pitch.x + left
      let y = Self.margin + heading + index / columns * pitch.y + above
      let box = PixelBox(left: x, top: y, right: x + Self.plot.width, bottom: y + Self.plot.height)
      drawFrame(panel, box, axes, fonts, into: &picture)
      drawCurves(panel, box, axes, fonts.label, into: &picture)
    }
    return picture
  }

  private var axes: (x: Axis, y: Axis) {
    let points = panels.flatMap(\.curves).joined()
    let floor = yFloor ?? -.infinity
    return (
      Axis(holding: points.map(\.x) + [guide.x].compactMap { $0 }),
      Axis(holding: points.map { max($0.y, floor) } + [guide.y].compactMap { $0 })
    )
  }

  private func drawLegend(baseline: Int, _ font: Font, into picture: inout Picture) {
    var x = Self.margin
    let whole = PixelBox(left: 0, top: 0, right: picture.width, bottom: picture.height)
    for (index, name) in names.enumerated() {
      let middle = Double(baseline) - Double(font.ascent) * 0.36
      let (start, end) = (SIMD2(Double(x), middle), SIMD2(Double(x) + 34, middle))
      picture.stroke([start, end], width: 2, color: color(index), clip: whole)
      picture.draw(
        marker(index), at: (start + end) / 2, radius: 5.5, color: color(index), clip: whole)
      font.draw(name, x: x + 42, baseline: baseline, color: Colors.text, into: &picture)
      x += 42 + font.width(of: name) + 28
    }
  }

  private func drawFrame(
    _ panel: Panel, _ box: PixelBox, _ axes: (x: Axis, y: Axis), _ fonts: Fonts,
    into picture: inout Picture
  ) {
    fonts.panel.draw(
      panel.title, x: box.left, baseline: box.top - 8 - fonts.panel.descent, color: Colors.text,
      into: &picture)
    for (tick, label) in zip(axes.x.ticks, axes.x.labels) {
      let x = place(tick, axes.x.low, box, axes).x
      picture.stroke(
        [SIMD2(x, Double(box.top)), SIMD2(x, Double(box.bottom))], width: 1, color: Colors.grid,
        clip: box.widened)
      fonts.label.draw(
        label, x: Int(x) - fonts.label.width(of: label) / 2,
        baseline: box.bottom + 8 + fonts.label.ascent, color: Colors.quiet, into: &picture)
    }
    for (tick, label) in zip(axes.y.ticks, axes.y.labels) {
      let y = place(axes.x.low, tick, box, axes).y
      picture.stroke(
        [SIMD2(Double(box.left), y), SIMD2(Double(box.right), y)], width: 1, color: Colors.grid,
        clip: box.widened)
      fonts.label.draw(
        label, x: box.left - 8 - fonts.label.width(of: label),
        baseline: Int(y) + (fonts.label.ascent - fonts.label.descent) / 2, color: Colors.quiet,
        into: &picture)
    }
    if let x = guide.x {
      let x = place(x, axes.y.low, box, axes).x
      for y in stride(from: box.top, to: box.bottom, by: 10) {
        let dash = [SIMD2(x, Double(y)), SIMD2(x, Double(min(y + 5, box.bottom)))]
        picture.stroke(dash, width: 1.2, color: Colors.guide, clip: box)
      }
    }
    if let y = guide.y {
      let y = place(axes.x.low, y, box, axes).y
      for x in stride(from: box.left, to: box.right, by: 10) {
        let dash = [SIMD2(Double(x), y), SIMD2(Double(min(x + 5, box.right)), y)]
        picture.stroke(dash, width: 1.2, color: Colors.guide, clip: box)
      }
    }
    if let note = panel.note {
      fonts.label.draw(
        note, x: box.left + (Self.plot.width - fonts.label.width(of: note)) / 2,
        baseline: (box.top + box.bottom) / 2, color: Colors.quiet, into: &picture)
    }
  }

  private func drawCurves(
    _ panel: Panel, _ box: PixelBox, _ axes: (x: Axis, y: Axis), _ font: Font,
    into picture: inout Picture
  ) {
    var taken: [PixelBox] = []
    let curves = panel.curves.map { curve in curve.map { place($0.x, $0.y, box, axes) } }
    for (index, points) in curves.enumerated() {
      picture.stroke(points, width: 2, color: color(index), clip: box.widened)
    }
    for (index, points) in curves.enumerated() {
      for point in points where box.widened.contains(point.x, point.y) {
        picture.draw(
          marker(index), at: point, radius: 5, color: color(index), clip: box.widened)
        let (x, y) = (Int(point.x), Int(point.y))
        taken.append(PixelBox(left: x - 5, top: y - 5, right: x + 6, bottom: y + 6))
      }
    }
    for (index, points) in curves.enumerated() {
      for (point, place) in zip(panel.curves[index], points)
      where box.widened.contains(place.x, place.y) {
        guard let label = point.label else { continue }
        let (width, ascent) = (font.width(of: label), font.ascent * 3 / 4)
        let (x, y) = (Int(place.x), Int(place.y))
        // Right, left, above and below, whichever is free first.
        let corners = [
          (x + 8, y + ascent / 2), (x - 8 - width, y + ascent / 2), (x - width / 2, y - 9),
          (x - width / 2, y + 9 + ascent),
        ]
        let free = corners.first { corner in
          let own = PixelBox(
            left: corner.0, top: corner.1 - ascent, right: corner.0 + width, bottom: corner.1)
          return own.intersection(box) == own && !taken.contains(where: own.intersects)
        }
        guard let free else { continue }
        taken.append(
          PixelBox(left: free.0, top: free.1 - ascent, right: free.0 + width, bottom: free.1))
        font.draw(label, x: free.0, baseline: free.1, color: color(index), into: &picture)
      }
    }
  }

  private func place(_ x: Double, _ y: Double, _ box: PixelBox, _ axes: (x: Axis, y: Axis))
    -> SIMD2<Double>
  {
    SIMD2(
      Double(box.left) + axes.x.share(x) * Double(box.right - box.left),
      Double(box.bottom) - axes.y.share(y) * Double(box.bottom - box.top))
  }

  private func color(_ curve: Int) -> SIMD3<UInt8> {
    Colors.curves[curve % Colors.curves.count]
  }

  private func marker(_ curve: Int) -> Marker { Marker.allCases[curve % Marker.allCases.count] }
}

extension PixelBox {
  /// With room for half a marker at its sides.
  fileprivate var widened: PixelBox {
    PixelBox(left: left - 5, top: top - 5, right: right + 5, bottom: bottom + 5)
  }
}
