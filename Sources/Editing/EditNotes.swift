// What an edit's PNG says of how it was made, by which a later run knows whether it is the one that is wanted.

import Foundation
import Images

/// The settings that one edit depends on.
struct EditNotes: Codable, Equatable {
  static let software = "imagic \(programVersion)"

  /// Nil for Imagic, so that edits which were made before there was a choice are still known.
  let method: EditMethod?
  /// Imagic's place on the way to the sentence; nil for the other methods.
  let alpha: Double?
  /// SDEdit's share of the noise; nil for the other methods.
  let strength: Double?
  /// Nil where the sampling started from the photograph's inversion.
  let seed: UInt64?
  let prompt: String
  /// The caption that the photograph was inverted under; nil for no sentence, and for the other methods.
  let source: String?
  /// Nil for DDIM, so that edits which were made before there was a choice are still known.
  let sampler: SamplingMethod?
  let steps: Int
  let guidanceScale: Double
  /// Nil for all but Imagic.
  let start: SamplingStart?
  /// SHA-256 of weights.h5, which itself depends on embedding.h5; nil for the methods that take the base as it is.
  let weights: String?
  /// SHA-256 of the fitted photograph's pixels, where no weights tell of it.
  let photograph: String?
  /// SHA-256 of the base.
  let base: String

  enum CodingKeys: String, CodingKey {
    case method, alpha, strength, seed, prompt, source, sampler, steps
    case guidanceScale = "guidance-scale"
    case start, weights, photograph, base
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
