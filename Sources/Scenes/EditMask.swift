// Where an edit's two pictures may differ.

extension Edit {
  /// `[side, side]`, 255 where the pictures may differ, else 0: around the things and their shadows in both pictures;
  /// for a background all but the thing; for light everything.
  func mask(_ source: RenderedScene, _ target: RenderedScene) -> [UInt8] {
    let side = source.picture.width
    let margin = max(1, side / 64)
    let things = zip(source.things, target.things).map { max($0, $1) }
    switch kind {
    case .lighting:
      return [UInt8](repeating: 255, count: things.count)
    case .background:
      // At the thing's edge the background shows through.
      return dilated(things.map { $0 < 255 ? 255 : 0 }, side: side, margin: 1)
    case .colour:
      return dilated(things.map { $0 > 0 ? 255 : 0 }, side: side, margin: margin)
    case .object, .number, .position:
      let shadows = zip(source.shadows, target.shadows).map { max($0, $1) }
      let touched = zip(things, shadows).map { UInt8($0 > 0 || $1 > 0 ? 255 : 0) }
      return dilated(touched, side: side, margin: margin)
    }
  }

  /// Each pixel the largest within a square of `margin` around it.
  private func dilated(_ mask: [UInt8], side: Int, margin: Int) -> [UInt8] {
    func widened(_ mask: [UInt8], step: Int, line: Int) -> [UInt8] {
      var result = mask
      for row in 0..<side {
        for place in 0..<side {
          var most: UInt8 = 0
          for near in max(0, place - margin)...min(side - 1, place + margin) {
            most = max(most, mask[row * line + near * step])
          }
          result[row * line + place * step] = most
        }
      }
      return result
    }
    return widened(widened(mask, step: 1, line: side), step: side, line: 1)
  }
}

/// An edit's two pictures, and where they may differ.
public struct RenderedEdit: Equatable, Sendable {
  public let source: RenderedScene
  public let target: RenderedScene
  /// `[side, side]`, 0 or 255.
  public let mask: [UInt8]
}

extension SceneRenderer {
  /// The pictures of an edit.
  /// - Throws: `SceneError` or `ImageError` where a photograph can't be read.
  public func render(_ edit: Edit) throws -> RenderedEdit {
    let (source, target) = (try render(edit.source), try render(edit.target))
    return RenderedEdit(source: source, target: target, mask: edit.mask(source, target))
  }
}
