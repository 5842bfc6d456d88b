// Products of few rows with a right operand that no cache holds, as of the lower levels of a large denoiser: what they
// take is the time in which the right operand comes from memory.
//
// It is packed a block at a time, in runs of several lines; while one block is multiplied, the next is asked for, a few lines
// at a time, so that memory and arithmetic work at once. Asked for all together they would stop the processor until they came.

import CProcessor

enum StreamedProduct {
  /// The most rows for which the right operand's way from memory counts. Columns are turned over while they are packed, which
  /// pays for more.
  private static func mostRows(_ layout: RightOperand.Layout) -> Int { layout == .rows ? 96 : 256 }
  /// How many columns of a right operand of rows are packed at once, and how much of their inner dimension: two blocks lie
  /// in the second-level cache.
  private static let columnsPerGroup = 64
  private static let rowsPerBlock = 256
  /// How much of the inner dimension is packed at once of a right operand of columns, sixteen of them: here a run lies along
  /// the inner dimension.
  private static let longestColumn = 1280
  private static let tasks = 16
  /// Of so few rows the products take less time than the right operand's way from memory. Then a thread takes more groups at once,
  /// so that this goes more in order.
  private static let fewRows = 24
  private static let mostGroups = 10

  /// Only with registers of 256 bits: with the wider strips of AVX-512, packing strip by strip reads runs of three lines, and
  /// `FewRows` needs no packing.
  static func suits(
    rows: Int, columns: Int, inner: Int, left: LeftOperand, right: RightOperand
  ) -> Bool {
    processor_target_has_avx512() == 0 && rows <= mostRows(right.layout) && columns % 16 == 0
      && left.layout == .rows && inner * columns > MatrixProduct.cachedCount
  }

  /// `target = left * right (+ target) (+ bias)`.
  static func run(
    rows: Int, columns: Int, pieces: [Piece], left: LeftOperand, right: RightOperand,
    into target: ProductTarget
  ) {
    let (width, longest, innerStride) =
      switch right.layout {
      case .rows: (columnsPerGroup, rowsPerBlock, right.stride)
      case .columns: (16, longestColumn, 1)
      }
    let blocks = cut(pieces, longest: longest, rightStride: innerStride)
    let groups = (columns + width - 1) / width
    var grain = (groups + tasks - 1) / tasks
    if rows <= fewRows, right.layout == .rows {
      grain = max(grain, min(mostGroups, (groups + Parallel.threads - 1) / Parallel.threads))
    }
    Parallel.forEachRange(of: groups, grain: grain) { range in
      let packed = StoragePool.shared.storage(count: longest * width)
      func columnRange(_ group: Int) -> Range<Int> {
        (group * width)..<min(columns, (group + 1) * width)
      }
      func source(_ block: Int, _ group: Int) -> UnsafePointer<Float> {
        let column = group * width
        return right.base + blocks[block].right
          + (right.layout == .rows ? column : column * right.stride)
      }
      func linesAhead(_ block: Int, _ group: Int) -> LinesAhead {
        let (length, count) = (blocks[block].length, columnRange(group).count)
        return right.layout == .rows
          ? LinesAhead(source(block, group), rows: length, stride: right.stride, run: count)
          : LinesAhead(source(block, group), rows: count, stride: right.stride, run: length)
      }
      for (index, block) in blocks.enumerated() {
        var part = target
        part.accumulates = target.accumulates || index > 0
        part.bias = index + 1 == blocks.count ? target.bias : nil
        for group in range {
          let columns = columnRange(group)
          switch right.layout {
          case .rows:
            MatrixProduct.pack(
              rows: source(index, group), right.stride, count: block.length,
              columns: columns.count, into: packed.pointer)
          case .columns:
            MatrixProduct.pack(
              columns: source(index, group), right.stride, count: block.length,
              into: packed.pointer)
          }
          var ahead = LinesAhead.none
          if group + 1 < range.upperBound {
            ahead = linesAhead(index, group + 1)
          } else if index + 1 < blocks.count {
            ahead = linesAhead(index + 1, range.lowerBound)
          }
          multiply(
            left, block, rows: rows, packed: packed.pointer, columns: columns, into: part, &ahead)
        }
      }
    }
  }

  /// The pieces in parts of at most `longest`, each piece cut evenly.
  private static func cut(_ pieces: [Piece], longest: Int, rightStride: Int) -> [Piece] {
    var parts: [Piece] = []
    for piece in pieces where piece.length > 0 {
      let count = (piece.length + longest - 1) / longest
      let each = ((piece.length + count - 1) / count + 15) / 16 * 16
      for start in stride(from: 0, to: piece.length, by: each) {
        parts.append(
          Piece(
            left: piece.left + start, right: piece.right + start * rightStride,
            length: min(each, piece.length - start)))
      }
    }
    return parts
  }

  // MARK: - Tiles

  /// Multiplies all rows with packed strips, and asks for the lines ahead evenly as it goes.
  private static func multiply(
    _ left: LeftOperand, _ block: Piece, rows: Int, packed: UnsafePointer<Float>,
    columns: Range<Int>, into target: ProductTarget, _ ahead: inout LinesAhead
  ) {
    let whole = Panel.rowsInSixes(rows)
    let tiles = whole / 6 + (rows - whole + 3) / 4
    let steps = (columns.count / 16) * tiles * ((block.length + chunk - 1) / chunk)
    ahead.spread(over: steps)
    withUnsafePointer(to: block) { block in
      var strip = packed
      for column in stride(from: columns.lowerBound, to: columns.upperBound, by: 16) {
        let panel = Panel(
          pieces: UnsafeBufferPointer(start: block, count: 1), inner: block.pointee.length,
          strip: strip, valid: 16, rows: 0..<rows, column: column, target: target)
        var row = 0
        while row < whole {
          tileOf6(panel, left, row, &ahead)
          row &+= 6
        }
        while row < rows {
          tileOf4(panel, left, row, &ahead)
          row &+= 4
        }
        strip += block.pointee.length &* 16
      }
    }
  }

  /// After so many steps of the inner dimension lines ahead are asked for again.
  private static let chunk = 64

  @inline(never)
  private static func tileOf6(
    _ panel: Panel, _ left: LeftOperand, _ row: Int, _ ahead: inout LinesAhead
  ) {
    let piece = panel.pieces[0]
    @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
      left.base + (left.offsets[min(row &+ i, panel.rows.upperBound &- 1)] &+ piece.left)
    }
    var (r0, r1, r2, r3, r4, r5) = (Row16(), Row16(), Row16(), Row16(), Row16(), Row16())
    let (a0, a1, a2, a3, a4, a5) = (start(0), start(1), start(2), start(3), start(4), start(5))
    var b = panel.strip
    var k = 0
    while k < piece.length {
      ahead.ask()
      let end = min(piece.length, k &+ chunk)
      while k < end {
        r0.add(a0[k], b)
        r1.add(a1[k], b)
        r2.add(a2[k], b)
        r3.add(a3[k], b)
        r4.add(a4[k], b)
        r5.add(a5[k], b)
        b += 16
        k &+= 1
      }
    }
    panel.finish6(row, r0, r1, r2, r3, r4, r5)
  }

  @inline(never)
  private static func tileOf4(
    _ panel: Panel, _ left: LeftOperand, _ row: Int, _ ahead: inout LinesAhead
  ) {
    let piece = panel.pieces[0]
    @_transparent func start(_ i: Int) -> UnsafePointer<Float> {
      left.base + (left.offsets[min(row &+ i, panel.rows.upperBound &- 1)] &+ piece.left)
    }
    var (r0, r1, r2, r3) = (Row16(), Row16(), Row16(), Row16())
    let (a0, a1, a2, a3) = (start(0), start(1), start(2), start(3))
    var b = panel.strip
    var k = 0
    while k < piece.length {
      ahead.ask()
      let end = min(piece.length, k &+ chunk)
      while k < end {
        r0.add(a0[k], b)
        r1.add(a1[k], b)
        r2.add(a2[k], b)
        r3.add(a3[k], b)
        b += 16
        k &+= 1
      }
    }
    panel.finish(r0, row)
    panel.finish(r1, row &+ 1)
    panel.finish(r2, row &+ 2)
    panel.finish(r3, row &+ 3)
  }
}

extension MatrixProduct {
  /// Packs rows of a right operand, a row at a time, into strips of sixteen columns, each `[count][16]`.
  @inline(never)
  fileprivate static func pack(
    rows source: UnsafePointer<Float>, _ stride: Int, count: Int, columns: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    for k in 0..<count {
      var line = source + k &* stride
      var place = target + k &* 16
      for _ in 0..<(columns / 16) {
        store(load(line), place)
        line += 16
        place += count &* 16
      }
    }
  }

  /// Packs sixteen columns of a right operand of columns into one strip.
  fileprivate static func pack(
    columns source: UnsafePointer<Float>, _ stride: Int, count: Int,
    into target: UnsafeMutablePointer<Float>
  ) {
    var k = 0
    while k &+ 16 <= count {
      transpose16x16(source + k, stride, into: target + k &* 16, 16)
      k &+= 16
    }
    while k < count {
      for column in 0..<16 { target[k &* 16 &+ column] = source[column &* stride &+ k] }
      k &+= 1
    }
  }
}
