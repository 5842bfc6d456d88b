import Testing

@testable import Images

@Suite struct LineChartTests {
  private func chart(_ curves: [[LineChart.Point]], note: String? = nil) -> LineChart {
    LineChart(
      title: "title", detail: "detail", xLabel: "x", yLabel: "y", names: ["a", "b"],
      panels: [LineChart.Panel(title: "panel", curves: curves, note: note)],
      guide: LineChart.Guide(x: 5, y: 0.5))
  }

  @Test(
    arguments: [
      ([0, 1], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
      ([10.2, 27.3], ["10", "15", "20", "25", "30"]),
      ([-0.31, 0.5], ["−0.4", "−0.2", "0.0", "0.2", "0.4", "0.6"]), ([0.001, 0.0012], nil),
      ([3, 3], ["2.4", "2.6", "2.8", "3.0", "3.2", "3.4", "3.6"]), ([-1200, 4000], nil), ([], nil),
    ] as [([Double], [String]?)]) func axesHaveRoundTicksAroundTheirValues(
      values: [Double], labels: [String]?
    )
  {
    let axis = LineChart.Axis(holding: values)
    #expect(axis.low <= values.min() ?? 0 && axis.high >= values.max() ?? 1)
    #expect((3...9).contains(axis.ticks.count), "\(axis.ticks)")
    #expect(Set(axis.labels).count == axis.ticks.count, "\(axis.labels)")
    if let labels { #expect(axis.labels == labels) }
    for (tick, label) in zip(axis.ticks, axis.labels) {
      let written = Double(label.replacing("−", with: "-")) ?? .nan
      #expect(abs(tick - written) < 1e-9 * max(1, abs(tick)))
    }
  }

  @Test func curvesAreDrawnInTheirColours() throws {
    let rising = [LineChart.Point(x: 0, y: 0), LineChart.Point(x: 10, y: 1)]
    let blue = SIMD3<UInt8>(0, 114, 178)
    func count(_ picture: Picture) -> Int {
      (0..<picture.width * picture.height).count { pixel in
        picture[pixel % picture.width, pixel / picture.width] == blue
      }
    }
    // The legend has the colour too.
    let (empty, drawn) = try (chart([[], []]).render(), chart([rising, []]).render())
    #expect(count(empty) > 20 && count(drawn) > count(empty) + 400)
  }

  @Test func sameContentSamePixelsAndALabelMakesADifference() throws {
    func points(_ label: String?) -> [[LineChart.Point]] {
      [[], [LineChart.Point(x: 1, y: 1, label: label), LineChart.Point(x: 2, y: 3)]]
    }
    #expect(try chart(points("0.7")).render() == chart(points("0.7")).render())
    #expect(try chart(points("0.7")).render() != chart(points(nil)).render())
    #expect(try chart([[], []], note: "none").render() != chart([[], []]).render())
  }

  @Test(arguments: [1, 3, 4, 7]) func panelsStandInRowsOfThree(count: Int) throws {
    var chart = chart([[], []])
    chart.panels = Array(repeating: chart.panels[0], count: count)
    let one = try self.chart([[], []]).render()
    let picture = try chart.render()
    let (columns, rows) = (min(count, 3), (count + 2) / 3)
    #expect(picture.width == max(900, 64 + 500 * columns))
    #expect(rows == 1 ? picture.height == one.height : picture.height > one.height * rows * 2 / 3)
  }
}
