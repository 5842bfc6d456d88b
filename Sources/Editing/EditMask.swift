// The mask of a sweep, and how its edits are joined with the photograph.

import Checkpoints
import Foundation
import Images

/// Where the edits of a sweep may change the photograph.
struct EditMask {
  let settings: MaskSettings
  let framing: Framing
  /// Nil for an automatic mask that is still to be found.
  private(set) var framed: FramedMask?
  /// SHA-256 of the mask's file; nil for an automatic mask.
  let digest: String?
  /// The photograph at its own size, where edits of that size are wanted.
  let photograph: Picture?

  /// Reads what the settings name.
  /// - Parameters:
  ///   - settings: those of the sweep, whose `size` is resolved.
  ///   - mask: those of its mask.
  ///   - imageDigest: SHA-256 of the photograph's file.
  /// - Throws: `ImageError`; `EditingError`, `badData`, where the photograph has changed since its edit began.
  init(_ mask: MaskSettings, of settings: EditSettings, picture: Picture, imageDigest: String)
    throws
  {
    self.settings = mask
    let size = (picture.width, picture.height)
    var file: (path: String, decoded: (picture: Picture, orientation: Orientation))?
    if case .file(let path) = mask.source {
      let bytes = try Picture.bytes(ofFile: path)
      digest = SHA256Text.digest(of: bytes)
      file = (path, try Picture.decode(bytes, name: path))
    } else {
      digest = nil
    }
    var orientation = Orientation.upright
    // A mask in the framing of the edits needs the photograph's own only for its full size.
    let isFramed =
      file.map { ($0.decoded.picture.width, $0.decoded.picture.height) == size } ?? true
    if isFramed && !mask.fullSize {
      framing = Framing(photograph: size, picture: size)
      photograph = nil
    } else {
      let found = try Self.decode(settings.image, digest: imageDigest)
      orientation = found.orientation
      let upright = found.picture.upright(orientation)
      framing = Framing(
        photograph: (upright.width, upright.height), picture: size, fit: settings.fit)
      photograph = mask.fullSize ? upright : nil
    }
    framed = try file.map { file in
      try FramedMask(file.decoded, name: file.path, in: framing, orientation: orientation)
    }
  }

  private static func decode(_ path: String, digest: String) throws -> (
    picture: Picture, orientation: Orientation
  ) {
    let bytes = try Picture.bytes(ofFile: path)
    guard SHA256Text.digest(of: bytes) == digest else {
      throw EditingError(
        .badData,
        "\(path): found another photograph than the one that is edited (SHA-256 \(digest.prefix(12)))"
      )
    }
    return try Picture.decode(bytes, name: path)
  }

  /// Takes over an automatic mask that was found.
  mutating func found(_ mask: Mask) { framed = FramedMask(mask, in: framing) }

  /// What an edit's PNG says of its mask.
  func notes(atFullSize: Bool, seed: UInt64) -> EditNotes.Mask {
    let size = atFullSize ? framing.photograph : framing.picture
    let feather = settings.feather(width: size.width, height: size.height)
    return digest.map { EditNotes.Mask(file: $0, feather: feather) }
      ?? EditNotes.Mask(
        threshold: settings.threshold, grow: settings.grow, seed: seed, feather: feather)
  }
}

/// Joins edits with the photograph by a mask with its rim.
struct EditJoiner {
  private let picture: Picture
  private let rim: Mask
  private let framing: Framing
  /// At the photograph's own size.
  private let whole: (photograph: Picture, rim: Mask)?

  /// - Parameter picture: the fitted photograph.
  /// - Returns: nil where the mask is still to be found.
  init?(_ mask: EditMask, picture: Picture) {
    guard let framed = mask.framed else { return nil }
    func feathered(_ plain: Mask) -> Mask {
      plain.feathered(by: mask.settings.feather(width: plain.width, height: plain.height))
    }
    self.picture = picture
    framing = framed.framing
    rim = feathered(framed.picture)
    whole = mask.photograph.map { ($0, feathered(framed.photograph)) }
  }

  /// An edit with the fitted photograph around it.
  func joined(_ edit: Picture) -> Picture { picture.joined(with: edit, by: rim) }

  /// An edit with the photograph around it at its own size; nil where that is not wanted.
  func joinedAtFullSize(_ edit: Picture) -> Picture? {
    whole.map { $0.photograph.joined(with: edit, by: $0.rim, in: framing) }
  }
}
