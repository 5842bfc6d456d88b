// The photographs that scenes are made of, read once and kept at the size that they are worked with.

import Foundation
import Images
import Synchronization

/// Reads photographs and cut-outs below a folder, and keeps them. Any thread may ask.
public final class SceneLibrary: Sendable {
  struct LoadedCutOut: Sendable {
    let picture: TransparentPicture
    let guide: PaintGuide
  }

  private struct Content {
    /// Given instead of files.
    var pictures: [String: TransparentPicture] = [:]
    var photographs: [String: TransparentPicture] = [:]
    var cutOuts: [String: LoadedCutOut] = [:]
    var archives: [String: QtResources] = [:]
  }

  private let folder: String
  /// The largest height of a photograph and the longest side of a cut-out that are kept.
  private let photographHeight: Int
  private let cutOutSide: Int
  private let content = Mutex(Content())

  /// - Parameters:
  ///   - folder: where `make base-data` has put the packages' files.
  ///   - side: of the pictures to be rendered.
  public convenience init(folder: String, side: Int) {
    self.init(folder: folder, side: side, pictures: [:])
  }

  /// - Parameter pictures: what stands for the files of these names.
  init(folder: String, side: Int, pictures: [String: TransparentPicture]) {
    self.folder = folder
    photographHeight = max(360, side * 3)
    cutOutSide = max(192, side * 2)
    content.withLock { $0.pictures = pictures }
  }

  func photograph(_ file: String) throws -> TransparentPicture {
    if let kept = content.withLock({ $0.photographs[file] }) { return kept }
    let picture = try read(file)
    let height = min(picture.height, photographHeight)
    let kept =
      height == picture.height
      ? picture : picture.resized(width: picture.width * height / picture.height, height: height)
    content.withLock { $0.photographs[file] = kept }
    return kept
  }

  func cutOut(_ cutOut: CutOut) throws -> LoadedCutOut {
    if let kept = content.withLock({ $0.cutOuts[cutOut.file] }) { return kept }
    let picture = try read(cutOut.file).trimmed
    let longer = max(picture.width, picture.height)
    let side = min(longer, cutOutSide)
    let shrunk =
      side == longer
      ? picture
      : picture.resized(
        width: max(1, picture.width * side / longer), height: max(1, picture.height * side / longer)
      )
    let kept = LoadedCutOut(picture: shrunk, guide: PaintGuide(shrunk, paint: cutOut.paint))
    content.withLock { $0.cutOuts[cutOut.file] = kept }
    return kept
  }

  /// Reads a file below the folder, or within a Qt resource file there.
  private func read(_ file: String) throws -> TransparentPicture {
    if let given = content.withLock({ $0.pictures[file] }) { return given }
    guard let end = file.range(of: ".rcc/")?.upperBound else {
      return try TransparentPicture(contentsOf: "\(folder)/\(file)")
    }
    let archive = "\(folder)/\(file[..<end].dropLast())"
    let resources = try content.withLock { content in
      if let kept = content.archives[archive] { return kept }
      let resources = try QtResources(contentsOf: archive)
      content.archives[archive] = resources
      return resources
    }
    let bytes = try resources.bytes(of: String(file[end...]))
    return TransparentPicture(try Picture(decoding: bytes, name: "\(folder)/\(file)"))
  }
}

extension TransparentPicture {
  func resized(width: Int, height: Int) -> TransparentPicture {
    let layer = Layer(self, .whole(of: self), width: width, height: height)
    return TransparentPicture(
      width: width, height: height,
      pixels: layer.pixels.map { SIMD4<UInt8>($0 * 255 + 0.5) })
  }
}
