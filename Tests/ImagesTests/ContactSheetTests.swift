import Testing

@testable import Images

@Suite struct ContactSheetTests {
  private func sheet(tile: Int, alphas: Int, rows: Int, labels: Bool = true) -> ContactSheet {
    ContactSheet(
      prompt: "a photo of a cow on grass at sunset", photograph: pattern(tile, tile),
      columns: (0..<alphas).map { ContactSheet.label(alpha: Double($0) / 10) },
      rows: (0..<rows).map { row in
        ContactSheet.Row(
          label: labels ? "seed \(row)" : nil,
          edits: (0..<alphas).map { column in
            Picture(
              width: tile, height: tile,
              color: SIMD3(UInt8(10 * row + 5), UInt8(10 * column), UInt8(99)))
          })
      })
  }

  @Test func tilesStandAsGiven() throws {
    let sheet = sheet(tile: 200, alphas: 4, rows: 3)
    let rendered = try sheet.render()
    let layout = sheet.layOut(try ContactSheet.Fonts(tile: sheet.photograph))
    #expect((rendered.width, rendered.height) == layout.sheet)
    #expect(layout.tile == (200, 200))
    let (x, y) = layout.photograph
    #expect(rendered.cropped(x: x, y: y, width: 200, height: 200) == sheet.photograph)
    for (row, top) in layout.rows.enumerated() {
      for (column, left) in layout.columns.enumerated() {
        #expect(
          rendered.cropped(x: left, y: top, width: 200, height: 200)
            == sheet.rows[row].edits[column])
      }
    }
  }

  @Test(arguments: [(64, 3), (159, 2), (160, 1), (512, 1), (8, 20)])
  func smallTilesGrowByWholeFactors(tile: Int, factor: Int) throws {
    let sheet = sheet(tile: tile, alphas: 2, rows: 1)
    let layout = sheet.layOut(try ContactSheet.Fonts(tile: sheet.photograph))
    #expect(layout.tile == (tile * factor, tile * factor))
    let (x, y) = layout.photograph
    let side = tile * factor
    #expect(
      try sheet.render().cropped(x: x, y: y, width: side, height: side)
        == sheet.photograph.resized(width: side, height: side))
  }

  /// Tiles lie within the sheet, apart from each other, the photograph before the edits, and
  /// nothing is reserved for what is not there.
  @Test(arguments: [(1, 1), (2, 3), (11, 1), (5, 8)])
  func placesAreApart(alphas: Int, rows: Int) throws {
    for labels in [false, true] {
      let sheet = sheet(tile: 64, alphas: alphas, rows: rows, labels: labels)
      let layout = sheet.layOut(try ContactSheet.Fonts(tile: sheet.photograph))
      #expect(layout.photograph.x == layout.margin)
      #expect(layout.photograph.y == layout.rows[0])
      #expect(layout.columns[0] > layout.photograph.x + layout.tile.width)
      for (one, next) in zip(layout.columns, layout.columns.dropFirst()) {
        #expect(next >= one + layout.tile.width + layout.gap)
      }
      for (one, next) in zip(layout.rows, layout.rows.dropFirst()) {
        #expect(next == one + layout.tile.height + layout.gap)
      }
      #expect(layout.sheet.width >= layout.columns.last! + layout.tile.width + layout.margin)
      #expect(layout.sheet.height == layout.rows.last! + layout.tile.height + layout.margin)
    }
  }

  @Test func aMarkFramesItsColumn() throws {
    var sheet = sheet(tile: 64, alphas: 3, rows: 2)
    sheet.mark = ContactSheet.Mark(column: 1, label: "suggested")
    let marked = try sheet.render()
    let layout = sheet.layOut(try ContactSheet.Fonts(tile: sheet.photograph))
    let (left, top) = (layout.columns[1], layout.rows[0])
    #expect(marked[left - 1, top - 1] == SIMD3(0, 105, 190))
    #expect(marked[layout.columns[0] - 1, top - 1] != SIMD3(0, 105, 190))
    // The tiles themselves stay as they are.
    let shown = sheet.rows[0].edits[1].resized(width: 192, height: 192)
    #expect(marked.cropped(x: left, y: top, width: 192, height: 192) == shown)
  }

  @Test func theMaskStandsBesideThePhotograph() throws {
    var sheet = sheet(tile: 160, alphas: 2, rows: 2)
    sheet.mask = pattern(160, 160)
    let layout = sheet.layOut(try ContactSheet.Fonts(tile: sheet.photograph))
    let place = try #require(layout.mask)
    #expect(place.x >= layout.photograph.x + layout.tile.width + layout.gap)
    #expect(layout.columns[0] > place.x + layout.tile.width)
    let rendered = try sheet.render()
    #expect(
      rendered.cropped(x: place.x, y: place.y, width: 160, height: 160) == pattern(160, 160))
    let (x, y) = layout.photograph
    #expect(rendered.cropped(x: x, y: y, width: 160, height: 160) == sheet.photograph)
  }

  @Test func sameContentSamePixels() throws {
    #expect(
      try sheet(tile: 64, alphas: 3, rows: 2).render()
        == sheet(tile: 64, alphas: 3, rows: 2).render())
  }

  @Test func alphasAreWrittenShort() {
    #expect(ContactSheet.label(alpha: 0.4) == "α 0.40")
    #expect(ContactSheet.label(alpha: 1) == "α 1.00")
    #expect(ContactSheet.label(alpha: 0.125) == "α 0.125")
    #expect(ContactSheet.label(alpha: 0.12345) == "α 0.1235")
    #expect(ContactSheet.label(alpha: Double(Float(0.7))) == "α 0.70")
    #expect(ContactSheet.label(alpha: -0.5) == "α −0.50")
    #expect(ContactSheet.label(alpha: -0.0) == "α 0.00")
    #expect(ContactSheet.label(alpha: 12.005) == "α 12.005")
  }

  @Test func refusesWhatDoesNotFitTogether() {
    var missing = sheet(tile: 16, alphas: 3, rows: 2)
    missing.rows[1].edits.removeLast()
    var odd = sheet(tile: 16, alphas: 3, rows: 2)
    odd.rows[0].edits[2] = pattern(16, 17)
    var otherMask = sheet(tile: 16, alphas: 3, rows: 2)
    otherMask.mask = pattern(16, 8)
    var beyond = sheet(tile: 16, alphas: 3, rows: 2)
    beyond.mark = ContactSheet.Mark(column: 3, label: "x")
    for bad in [
      missing, odd, otherMask, beyond, sheet(tile: 16, alphas: 0, rows: 1),
      sheet(tile: 16, alphas: 1, rows: 0),
    ] {
      let error = #expect(throws: ImageError.self) { try bad.render() }
      #expect(error?.kind == .badData)
    }
  }
}
