// The contact sheet: all edits of a photograph in one labelled picture, to pick from.

/// A sheet with the sentence at the top, the photograph first, its mask beside it, and the edits in labelled columns and
/// rows: an alpha across, mostly, and a seed down.
public struct ContactSheet: Sendable {
  /// One line of edits.
  public struct Row: Sendable {
    /// What stands before the line, such as "seed 0"; nil for nothing, where there is one line only.
    public var label: String?
    /// An edit for each column.
    public var edits: [Picture]

    public init(label: String?, edits: [Picture]) {
      self.label = label
      self.edits = edits
    }
  }

  /// A column to point out.
  public struct Mark: Sendable {
    /// Its index.
    public var column: Int
    /// What stands below it, such as "suggested".
    public var label: String

    public init(column: Int, label: String) {
      self.column = column
      self.label = label
    }
  }

  /// The sentence. Any length; characters that DejaVu Sans lacks show as boxes.
  public var prompt: String
  /// A smaller line below the sentence, such as the settings; nil for none.
  public var detail: String?
  public var photograph: Picture
  /// Where the edits may change the photograph; nil for everywhere.
  public var mask: Picture?
  /// The columns' labels, such as "α 0.40".
  public var columns: [String]
  public var rows: [Row]
  public var mark: Mark?

  public init(
    prompt: String, detail: String? = nil, photograph: Picture, mask: Picture? = nil,
    columns: [String], rows: [Row], mark: Mark? = nil
  ) {
    self.prompt = prompt
    self.detail = detail
    self.photograph = photograph
    self.mask = mask
    self.columns = columns
    self.rows = rows
    self.mark = mark
  }

  private enum Colors {
    static let paper = SIMD3<UInt8>(250, 250, 248)
    static let text = SIMD3<UInt8>(28, 28, 30)
    static let quiet = SIMD3<UInt8>(105, 105, 110)
    static let accent = SIMD3<UInt8>(0, 105, 190)
  }

  /// Where everything lies on the sheet, in pixels. A place is that of a tile's top left corner.
  struct Layout {
    let sheet: (width: Int, height: Int)
    let tile: (width: Int, height: Int)
    let photograph: (x: Int, y: Int)
    /// Nil where there is none.
    let mask: (x: Int, y: Int)?
    /// The left sides of the columns, and the tops of the rows.
    let columns: [Int]
    let rows: [Int]
    let margin: Int
    let gap: Int
    /// Between a tile and its frame or its label.
    let inset: Int
    let promptLines: [String]
    let detailLines: [String]
  }

  /// How many times larger tiles are shown: small ones are hard to judge.
  static func enlargement(width: Int, height: Int) -> Int {
    let least = 160
    let side = min(width, height)
    return (least + side - 1) / side
  }

  /// "α 0.40": two decimals, more where the alpha has more, up to four.
  public static func label(alpha: Double) -> String {
    let tenThousandths = (abs(alpha) * 10_000).rounded()
    guard tenThousandths < 1e15 else { return "α \(alpha)" }
    let number = Int(tenThousandths)
    var decimals = String(number % 10_000)
    decimals = String(repeating: "0", count: 4 - decimals.count) + decimals
    while decimals.count > 2 && decimals.hasSuffix("0") { decimals.removeLast() }
    return "α \(alpha < 0 && number > 0 ? "−" : "")\(number / 10_000).\(decimals)"
  }

  /// The sheet as one picture. The same content gives the same pixels.
  ///
  /// - Throws: `ImageError`: `badData` if the pictures differ in size or are not one for each
  ///   column in each row, or there are none; `noInput` if the font is not installed.
  public func render() throws -> Picture {
    try check()
    let fonts = try Fonts(tile: photograph)
    let layout = layOut(fonts)
    var sheet = Picture(
      width: layout.sheet.width, height: layout.sheet.height, color: Colors.paper)
    drawHeading(layout, fonts, into: &sheet)
    if let mark { draw(mark, layout, fonts, into: &sheet) }

    draw(
      photograph, "photograph", x: layout.photograph.x, y: layout.photograph.y, layout, fonts,
      color: Colors.text, into: &sheet)
    if let mask, let place = layout.mask {
      draw(mask, "mask", x: place.x, y: place.y, layout, fonts, color: Colors.text, into: &sheet)
    }
    for (row, top) in zip(rows, layout.rows) {
      for (column, left) in layout.columns.enumerated() {
        let isFirst = top == layout.rows[0]
        draw(
          row.edits[column], isFirst ? columns[column] : nil, x: left, y: top, layout, fonts,
          color: column == mark?.column ? Colors.accent : Colors.text, into: &sheet)
      }
      if let label = row.label {
        let width = fonts.label.width(of: label)
        let middle = top + layout.tile.height / 2
        fonts.label.draw(
          label, x: layout.columns[0] - layout.gap - width,
          baseline: middle + (fonts.label.ascent - fonts.label.descent) / 2, color: Colors.text,
          into: &sheet)
      }
    }
    return sheet
  }

  private func check() throws {
    let name = "a contact sheet"
    guard !columns.isEmpty, !rows.isEmpty else {
      throw ImageError.badData(name, "\(rows.count) rows of \(columns.count), wanted at least one")
    }
    if let row = rows.first(where: { $0.edits.count != columns.count }) {
      throw ImageError.badData(
        name, "a row of \(row.edits.count) edits, wanted one for each of \(columns.count) columns")
    }
    let others = rows.flatMap(\.edits) + (mask.map { [$0] } ?? [])
    let size = (photograph.width, photograph.height)
    if let odd = others.first(where: { ($0.width, $0.height) != size }) {
      throw ImageError.badData(
        name,
        "a tile of \(odd.width)x\(odd.height), wanted the photograph's \(size.0)x\(size.1)")
    }
    if let mark, !columns.indices.contains(mark.column) {
      throw ImageError.badData(name, "column \(mark.column) of \(columns.count) marked")
    }
  }

  /// The sizes of text that go with a size of tiles.
  struct Fonts {
    let prompt: Font
    let label: Font

    init(tile: Picture) throws {
      let side = min(tile.width, tile.height)
      let shown = side * ContactSheet.enlargement(width: tile.width, height: tile.height)
      label = try Font(size: max(16, shown / 10))
      prompt = try Font(size: max(22, shown / 7))
    }
  }

  func layOut(_ fonts: Fonts) -> Layout {
    let factor = Self.enlargement(width: photograph.width, height: photograph.height)
    let tile = (width: photograph.width * factor, height: photograph.height * factor)
    let margin = fonts.label.lineHeight
    let gap = max(8, fonts.label.lineHeight / 2)
    let inset = max(3, gap / 3)
    let labelHeight = fonts.label.lineHeight + inset

    // The photograph, its mask, a wider gap, the rows' labels, the edits.
    let rowLabels = rows.compactMap { $0.label.map(fonts.label.width(of:)) }.max()
    let maskLeft = margin + tile.width + gap
    let lastLeft = mask == nil ? margin : maskLeft
    let firstColumn = lastLeft + tile.width + 3 * gap + (rowLabels.map { $0 + gap } ?? 0)
    let pitch = max(tile.width, columns.map(fonts.label.width(of:)).max() ?? 0) + gap
    let lefts = columns.indices.map { firstColumn + $0 * pitch }
    let width = firstColumn + columns.count * pitch - gap + margin

    let promptLines = fonts.prompt.wrapped(prompt, width: width - 2 * margin)
    let detailLines = detail.map { fonts.label.wrapped($0, width: width - 2 * margin) } ?? []
    let heading =
      promptLines.count * fonts.prompt.lineHeight + detailLines.count * fonts.label.lineHeight
    let firstRow = margin + heading + 2 * gap + labelHeight
    let tops = rows.indices.map { firstRow + $0 * (tile.height + gap) }
    let bottom = firstRow + rows.count * (tile.height + gap) - gap
    return Layout(
      sheet: (width, bottom + (mark == nil ? 0 : labelHeight + inset) + margin), tile: tile,
      photograph: (margin, firstRow), mask: mask == nil ? nil : (maskLeft, firstRow),
      columns: lefts, rows: tops, margin: margin, gap: gap,
      inset: inset, promptLines: promptLines, detailLines: detailLines)
  }

  private func drawHeading(_ layout: Layout, _ fonts: Fonts, into sheet: inout Picture) {
    var top = layout.margin
    for line in layout.promptLines {
      fonts.prompt.draw(
        line, x: layout.margin, baseline: top + fonts.prompt.ascent, color: Colors.text,
        into: &sheet)
      top += fonts.prompt.lineHeight
    }
    for line in layout.detailLines {
      fonts.label.draw(
        line, x: layout.margin, baseline: top + fonts.label.ascent, color: Colors.quiet,
        into: &sheet)
      top += fonts.label.lineHeight
    }
  }

  /// A tile at its size on the sheet, and a label over its middle.
  private func draw(
    _ picture: Picture, _ label: String?, x: Int, y: Int, _ layout: Layout, _ fonts: Fonts,
    color: SIMD3<UInt8>, into sheet: inout Picture
  ) {
    let shown = picture.resized(width: layout.tile.width, height: layout.tile.height)
    sheet.paste(shown, x: x, y: y)
    guard let label else { return }
    let left = x + (layout.tile.width - fonts.label.width(of: label)) / 2
    fonts.label.draw(
      label, x: left, baseline: y - layout.inset - fonts.label.descent, color: color, into: &sheet)
  }

  /// A frame around the tiles of a column, and its label below.
  private func draw(_ mark: Mark, _ layout: Layout, _ fonts: Fonts, into sheet: inout Picture) {
    let left = layout.columns[mark.column]
    let (top, bottom) = (layout.rows[0], layout.rows[layout.rows.count - 1] + layout.tile.height)
    let frame = Picture(
      width: layout.tile.width + 2 * layout.inset, height: bottom - top + 2 * layout.inset,
      color: Colors.accent)
    sheet.paste(frame, x: left - layout.inset, y: top - layout.inset)
    let inside = Picture(width: layout.tile.width, height: bottom - top, color: Colors.paper)
    sheet.paste(inside, x: left, y: top)
    let width = fonts.label.width(of: mark.label)
    let middle = left + (layout.tile.width - width) / 2
    let rightmost = layout.sheet.width - layout.margin - width
    fonts.label.draw(
      mark.label, x: max(layout.margin, min(middle, rightmost)),
      baseline: bottom + 2 * layout.inset + fonts.label.ascent, color: Colors.accent, into: &sheet)
  }
}
