// Pictures side by side with a caption under each.

/// A grid of pictures of one size.
public struct PictureGrid: Sendable {
  public var pictures: [Picture]
  /// One for each picture; a long one is broken into lines.
  public var captions: [String]
  /// How many pictures stand side by side.
  public var columns: Int

  public init(pictures: [Picture], captions: [String], columns: Int = 4) {
    self.pictures = pictures
    self.captions = captions
    self.columns = columns
  }

  /// The grid as one picture. The same content gives the same pixels.
  /// - Throws: `ImageError`: `badData` if there are no pictures, they differ in size, or the captions are not as many;
  ///   `noInput` if the font is not installed.
  public func render() throws -> Picture {
    guard let first = pictures.first, captions.count == pictures.count, columns > 0,
      pictures.allSatisfy({ ($0.width, $0.height) == (first.width, first.height) })
    else {
      throw ImageError.badData(
        "a grid of pictures",
        "\(pictures.count) pictures with \(captions.count) captions, wanted some of one size and a "
          + "caption for each")
    }
    let factor = ContactSheet.enlargement(width: first.width, height: first.height)
    let tile = (width: first.width * factor, height: first.height * factor)
    let font = try Font(size: 16)
    let gap = 12
    let lines = captions.map { font.wrapped($0, width: tile.width) }
    let rows = (pictures.count + columns - 1) / columns
    // Each row has room for its longest caption.
    let heights = (0..<rows).map { row in
      let most = lines[(row * columns)..<min((row + 1) * columns, lines.count)].map(\.count).max()
      return tile.height + gap + (most ?? 1) * font.lineHeight
    }
    let across = min(columns, pictures.count)
    var sheet = Picture(
      width: across * (tile.width + gap) + gap,
      height: heights.reduce(gap) { $0 + $1 + gap }, color: SIMD3(250, 250, 248))
    var top = gap
    for row in 0..<rows {
      for index in (row * columns)..<min((row + 1) * columns, pictures.count) {
        let left = gap + (index - row * columns) * (tile.width + gap)
        sheet.paste(
          pictures[index].resized(width: tile.width, height: tile.height), x: left, y: top)
        for (number, line) in lines[index].enumerated() {
          font.draw(
            line, x: left,
            baseline: top + tile.height + gap / 2 + font.ascent
              + number * font.lineHeight, color: SIMD3(28, 28, 30), into: &sheet)
        }
      }
      top += heights[row] + gap
    }
    return sheet
  }
}
