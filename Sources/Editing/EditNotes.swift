// What an edit's PNG says of how it was made, by which a later run knows whether it is the one that is wanted.

import Foundation
import Images

/// The settings that one edit depends on.
struct EditNotes: Codable, Equatable {
  static let software = "imagic \(programVersion)"

  let alpha: Double
  /// Nil where the sampling started from the photograph.
  let seed: UInt64?
  let prompt: String
  /// Nil for DDIM, so that edits which were made before there was a choice are still known.
  let sampler: SamplingMethod?
  let steps: Int
  let guidanceScale: Double
  let start: SamplingStart
  /// SHA-256 of weights.h5, which itself depends on embedding.h5.
  let weights: String
  /// SHA-256 of the base.
  let base: String

  enum CodingKeys: String, CodingKey {
    case alpha, seed, prompt, sampler, steps
    case guidanceScale = "guidance-scale"
    case start, weights, base
  }

  /// The text chunks of the edit's PNG.
  var chunks: [PNGText] {
    get throws {
      [
        PNGText("Software", Self.software), PNGText("Description", prompt),
        PNGText("Settings", try SettingsJSON.encode(self)),
      ]
    }
  }

  /// The picture at `path`, if it is whole and was made with these settings; nil otherwise.
  static func picture(at path: String, _ notes: EditNotes) -> Picture? {
    guard let bytes = try? Picture.bytes(ofFile: path),
      let chunks = try? PNGText.read(bytes, name: path),
      let settings = chunks.first(where: { $0.keyword == "Settings" })?.text,
      let found = try? SettingsJSON.decode(EditNotes.self, from: settings, source: path),
      found == notes
    else { return nil }
    return try? Picture(decoding: bytes, name: path)
  }
}
