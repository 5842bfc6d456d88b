// suggestion.json: the suggested alpha of a sweep, kept so that a complete run has nothing to measure.

import Checkpoints
import Foundation
import Images
import Tensors

/// The content of suggestion.json.
struct SuggestionFile: Codable {
  /// The digest of what the edits' pictures say of how they were made.
  var edits: String
  var version = programVersion
  var suggestion: AlphaSuggestion?

  /// The file at `path`, if it is of these edits; nil otherwise.
  static func read(_ path: String, of edits: [Edit]) -> SuggestionFile? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let found = try? SettingsJSON.decode(SuggestionFile.self, from: text, source: path),
      found.version == programVersion, found.edits == (try? digest(of: edits))
    else { return nil }
    return found
  }

  /// - Throws: `StoreError`.
  func write(to path: String) throws {
    let text = try SettingsJSON.encode(self, pretty: true) + "\n"
    try AtomicFile.write(Array(text.utf8), to: path)
  }

  static func digest(of edits: [Edit]) throws -> String {
    SHA256Text.digest(of: try SettingsJSON.encode(edits.map(\.file.notes)).utf8)
  }
}

extension EditInputs {
  /// Measures the edits of a sweep by the base as it was before it was tuned.
  /// - Parameters:
  ///   - edits: with their pictures.
  ///   - afterStep: called with how many of all steps are done; what it throws ends the measuring.
  /// - Throws: `LoadingError`, and what `afterStep` throws.
  func measures(
    of edits: [(edit: Edit, picture: Picture)], afterStep: (_ done: Int, _ all: Int) throws -> Void
  ) throws -> [AlphaSuggestion.Measure] {
    guard let embedding = tuned?.embedding else { return [] }
    let autoencoder = try base.folder.autoencoder()
    let latents = edits.map { autoencoder.latent(of: $0.picture.tensor) }
    StoragePool.shared.trim()
    let meter = EditMeter(
      unet: try base.folder.unet(), schedule: base.schedule, seed: settings.seed)
    func batch(_ embedding: Tensor) -> Tensor {
      embedding.reshaped(Shape([1] + embedding.shape.array))
    }
    let target = batch(embedding.target)
    let source = batch(embedding.start?.embedding ?? embedding.optimized)
    var done = 0
    let all = try zip(edits, latents).map { edit, latent in
      AlphaSuggestion.Measure(
        alpha: edit.edit.place.value ?? 0,
        sentence: try meter.advantage(of: target, over: source, for: latent) {
          done += 1
          try afterStep(done, edits.count * EditMeter.levels)
        },
        // Infinity is none of JSON's numbers.
        psnr: min(edit.picture.psnr(to: photograph), 100),
        likeness: edit.picture.likeness(to: photograph))
    }
    return Dictionary(grouping: all, by: \.alpha).map { alpha, ofSeeds in
      func mean(_ figure: (AlphaSuggestion.Measure) -> Double) -> Double {
        ofSeeds.map(figure).reduce(0, +) / Double(ofSeeds.count)
      }
      return AlphaSuggestion.Measure(
        alpha: alpha, sentence: mean(\.sentence), psnr: mean(\.psnr), likeness: mean(\.likeness))
    }
  }
}
