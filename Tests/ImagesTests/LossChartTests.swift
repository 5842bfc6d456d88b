import Testing

@testable import Images

@Suite struct LossChartTests {
  @Test func meansCoverAllLosses() {
    #expect(LossChart.means([1, 3, 5, 7], count: 2) == [2, 6])
    #expect(LossChart.means([1, 2], count: 100) == [1, 2])
    #expect(LossChart.means([], count: 100).isEmpty)
  }

  /// A falling loss ends lower in the picture than it begins.
  @Test func theCurveFalls() throws {
    let losses = (0..<1000).map { 1 / Float($0 + 1) }
    let chart = try LossChart(losses: losses, title: "loss").render()
    let blue = SIMD3<UInt8>(0, 105, 190)
    func rows(_ columns: Range<Int>) -> [Int] {
      (0..<chart.height).filter { y in columns.contains { chart[$0, y] == blue } }
    }
    let (left, right) = (rows(80..<90), rows(850..<870))
    #expect(!left.isEmpty && !right.isEmpty)
    #expect(left.max()! < right.min()!)
  }

  @Test func noLossesMakeAnEmptyChart() throws {
    #expect(try LossChart(losses: [], title: "loss").render().width == 900)
  }
}

@Suite struct PictureGridTests {
  @Test func placesPicturesInRows() throws {
    let red = Picture(width: 64, height: 64, color: SIMD3(200, 0, 0))
    let blue = Picture(width: 64, height: 64, color: SIMD3(0, 0, 200))
    let grid = try PictureGrid(
      pictures: [red, blue, red], captions: ["one", "two", "a longer one that takes some lines"],
      columns: 2
    ).render()
    let factor = ContactSheet.enlargement(width: 64, height: 64)
    let tile = 64 * factor
    #expect(grid.width == 2 * tile + 36)
    #expect(grid[12 + tile / 2, 12 + tile / 2] == SIMD3(200, 0, 0))
    #expect(grid[24 + tile + tile / 2, 12 + tile / 2] == SIMD3(0, 0, 200))
  }

  @Test func refusesUnequalPictures() {
    let small = Picture(width: 8, height: 8, color: .zero)
    let large = Picture(width: 9, height: 8, color: .zero)
    #expect(throws: ImageError.self) {
      try PictureGrid(pictures: [small, large], captions: ["", ""]).render()
    }
    #expect(throws: ImageError.self) { try PictureGrid(pictures: [], captions: []).render() }
  }
}
