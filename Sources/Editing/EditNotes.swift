// What an edit's PNG says of how it was made, by which a later run knows whether it is the one that is wanted.

import Foundation
import Images

/// The settings that one edit, or a mask that was found for edits, depends on.
struct EditNotes: Codable, Equatable {
  /// Where the edit may have changed the photograph.
  struct Mask: Codable, Equatable {
    /// SHA-256 of the mask's file; nil for an automatic one.
    var file: String?
    /// Of an automatic mask, as its seed.
    var threshold: Double?
    var grow: Int?
    var seed: UInt64?
    /// SHA-256 of the base's words, where an automatic one was looked for by them.
    var words: String?
    /// In pixels of the picture that bears the note; nil in that of a mask.
    var feather: Int?
  }

  static let software = "imagic \(programVersion)"

  /// Nil for Imagic, so that edits which were made before there was a choice are still known.
  var method: EditMethod?
  /// Imagic's place on the way to the sentence; nil for the other methods.
  var alpha: Double?
  /// SDEdit's share of the noise; nil for the other methods.
  var strength: Double?
  /// Nil where nothing was drawn: the sampling started from the photograph's inversion, and its steps added no noise.
  var seed: UInt64?
  let prompt: String
  /// The caption that the photograph was inverted under, or that its automatic mask was found by; nil for no sentence,
  /// and for edits with neither.
  let source: String?
  /// Nil for DDIM, so that edits which were made before there was a choice are still known.
  var sampler: SamplingMethod?
  /// Nil for a mask, as the guidance scale.
  var steps: Int?
  var guidanceScale: Double?
  /// Nil for guidance that leads away from no sentence.
  var guidanceCourse: GuidanceCourse?
  /// Nil for all but Imagic.
  var start: SamplingStart?
  /// Nil for the model's.
  var details: Details?
  /// How often each stretch of the sampling was gone through, and how many steps it has; nil for once.
  var resample: Int?
  var resampleJump: Int?
  /// Nil for an edit of the whole photograph.
  var mask: Mask?
  /// SHA-256 of the photograph's file, in an edit of the photograph's own size.
  var image: String?
  /// SHA-256 of weights.h5, which itself depends on embedding.h5; nil for the methods that take the base as it is.
  let weights: String?
  /// SHA-256 of the fitted photograph's pixels, where no weights tell of it.
  let photograph: String?
  /// SHA-256 of the base.
  let base: String

  enum CodingKeys: String, CodingKey {
    case method, alpha, strength, seed, prompt, source, sampler, steps
    case guidanceScale = "guidance-scale"
    case guidanceCourse = "guidance-course"
    case start, details, resample
    case resampleJump = "resample-jump"
    case mask, image, weights, photograph, base
  }

  /// What the PNG of an automatic mask says: what the mask depends on, and nothing else of the edits.
  var ofMask: EditNotes {
    var notes = self
    (notes.alpha, notes.strength, notes.seed, notes.sampler) = (nil, nil, nil, nil)
    (notes.steps, notes.guidanceScale, notes.guidanceCourse, notes.start) = (nil, nil, nil, nil)
    (notes.details, notes.resample, notes.resampleJump, notes.image) = (nil, nil, nil, nil)
    notes.mask?.feather = nil
    return notes
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
