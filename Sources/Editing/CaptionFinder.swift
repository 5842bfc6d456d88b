// What a photograph shows, in a base's own words.

import Autodiff
import Diffusion
import Models
import Tensors

/// Finds the caption of a photograph near a sentence that contradicts it in one part.
///
/// A diffusion model is a classifier: the smaller the error with which it denoises a picture given a text, the likelier is
/// the text for the picture (Li et al., "Your Diffusion Model is Secretly a Zero-Shot Classifier", ICCV 2023, equation 6;
/// with the same noise for all texts, as their section 4.2 has it). A person who asks for an edit describes the photograph
/// but for what is to change, so that only captions that differ from the sentence in one part are in question. Of a
/// sentence that is true already, another caption may be found that fits by chance.
struct CaptionFinder {
  /// At how many noise levels the photograph is denoised.
  static let levels = 16
  /// What another word for a thing that the sentence describes counts: such a sentence mostly asks for the description, and
  /// of many words for things one is always near.
  private static let shareOfDescribed = 0.5

  let captions: BaseCaptions
  let unet: UNet2DConditionModel
  let schedule: NoiseSchedule
  /// The embeddings of sentences, `[sentences, tokens, width]`.
  let embeddings: ([String]) throws -> Tensor

  /// The caption, which may be the sentence itself, where no other describes the photograph better; nil where the sentence
  /// is none of the base's captions.
  /// - Parameters:
  ///   - latent: the photograph's, `[1, height, width, channels]`.
  ///   - seed: of the noise.
  ///   - afterEach: told how many captions were asked about, and of how many; what it throws ends the search.
  func caption(
    near sentence: String, of latent: Tensor, seed: UInt64,
    afterEach: (_ done: Int, _ all: Int) throws -> Void
  ) throws -> String? {
    guard let asked = captions.caption(of: sentence) else { return nil }
    let changes = captions.changes(of: asked)
    let meter = Meter(
      unet: unet, schedule: schedule, latent: latent, seed: seed, levels: Self.levels)
    /// How much smaller the error is given each caption than given the sentence.
    func advantages(_ changes: [BaseCaptions.Change], over base: Double) throws -> [Double] {
      guard !changes.isEmpty else { return [] }
      let texts = try embeddings(changes.map { captions.sentence(of: $0.caption) })
      return try changes.indices.map { index in
        defer { done += 1 }
        try afterEach(done, changes.count)
        return base - meter.error(given: texts.slice(index..<(index + 1)))
      }
    }
    var done = 0
    let own = meter.error(given: try embeddings([captions.sentence(of: asked)]))
    let gains = try advantages(changes, over: own)
    let counted = zip(changes, gains).map { change, gain in
      (change: change, gain: gain, rank: change.isDescribed ? gain * Self.shareOfDescribed : gain)
    }
    guard let best = counted.max(by: { $0.rank < $1.rank }), best.gain > 0 else {
      return captions.sentence(of: asked)
    }
    guard let part = best.change.part else { return captions.sentence(of: best.change.caption) }
    // What takes the place of a thing is not described yet.
    done = 0
    let further = captions.descriptions(of: part, in: best.change.caption)
    let described = zip(further, try advantages(further, over: own)).max { $0.1 < $1.1 }
    let found = described.flatMap { $0.1 > best.gain ? $0.0 : nil } ?? best.change
    return captions.sentence(of: found.caption)
  }

  /// The error with which a photograph is denoised, given a text.
  private struct Meter {
    let unet: UNet2DConditionModel
    let timesteps: [Int]
    let noisy: Variable
    let wanted: Tensor

    init(
      unet: UNet2DConditionModel, schedule: NoiseSchedule, latent: Tensor, seed: UInt64, levels: Int
    ) {
      self.unet = unet
      let total = schedule.parameters.trainingSteps
      timesteps = (0..<levels).map { (2 * $0 + 1) * total / (2 * levels) }
      let clean = Tensor(concatenating: Array(repeating: latent, count: levels))
      let noise = Philox(seed: seed, stream: .measurement, step: EditMeter.levels).normal(
        clean.shape)
      noisy = Variable(schedule.noisy(clean, noise: noise, timesteps: timesteps))
      wanted = schedule.target(clean: clean, noise: noise, timesteps: timesteps)
    }

    /// - Parameter text: `[1, tokens, width]`.
    func error(given text: Tensor) -> Double {
      let context = Tensor(concatenating: Array(repeating: text, count: timesteps.count))
      return unet(noisy, timesteps: timesteps, context: Variable(context)).value
        .meanSquaredDifference(wanted)
    }
  }
}
