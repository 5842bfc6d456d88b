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

  private let captions: BaseCaptions
  private let unet: UNet2DConditionModel
  private let embeddings: ([String]) throws -> Tensor
  private let timesteps: [Int]
  /// The photograph's latent with noise at each of the timesteps, and what the denoiser should answer.
  private let noisy: Variable
  private let wanted: Tensor

  /// - Parameters:
  ///   - latent: the photograph's, `[1, height, width, channels]`.
  ///   - seed: of the noise.
  ///   - embeddings: those of sentences, `[sentences, tokens, width]`.
  init(
    captions: BaseCaptions, unet: UNet2DConditionModel, schedule: NoiseSchedule, latent: Tensor,
    seed: UInt64, embeddings: @escaping ([String]) throws -> Tensor
  ) {
    self.captions = captions
    self.unet = unet
    self.embeddings = embeddings
    let total = schedule.parameters.trainingSteps
    timesteps = (0..<Self.levels).map { (2 * $0 + 1) * total / (2 * Self.levels) }
    let clean = Tensor(concatenating: Array(repeating: latent, count: Self.levels))
    let noise = Philox(seed: seed, stream: .measurement, step: EditMeter.levels)
      .normal(clean.shape)
    noisy = Variable(schedule.noisy(clean, noise: noise, timesteps: timesteps))
    wanted = schedule.target(clean: clean, noise: noise, timesteps: timesteps)
  }

  /// The caption, which is the sentence itself where no other describes the photograph better; nil where the sentence is
  /// none of the base's captions.
  /// - Parameter afterEach: told how many captions the denoiser was asked about, and of how many; what it throws ends the
  ///   search.
  /// - Throws: what `embeddings` and `afterEach` throw.
  func caption(near sentence: String, afterEach: (_ done: Int, _ all: Int) throws -> Void) throws
    -> String?
  {
    guard let asked = captions.caption(of: sentence) else { return nil }
    let own = error(given: try embeddings([captions.sentence(of: asked)]))
    let changes = try gains(captions.changes(of: asked), over: own, afterEach)
    let best = changes.max { rank($0) < rank($1) }
    guard let best, best.gain > 0 else { return captions.sentence(of: asked) }
    // What takes the place of a thing is not described yet.
    let descriptions = best.change.part.map { part in
      captions.descriptions(of: part, in: best.change.caption)
    }
    let described = try gains(descriptions ?? [], over: own, afterEach).max { $0.gain < $1.gain }
    let found = described.flatMap { $0.gain > best.gain ? $0 : nil } ?? best
    return captions.sentence(of: found.change.caption)
  }

  /// How long the search takes, in seconds, by a measurement.
  func seconds(near sentence: String) throws -> Double {
    guard let asked = captions.caption(of: sentence) else { return 0 }
    let text = try embeddings([captions.sentence(of: asked)])
    // The first is slower: it takes its memory from the system.
    _ = error(given: text)
    let began = Resources.seconds
    _ = error(given: text)
    return (Resources.seconds - began) * Double(1 + captions.changes(of: asked).count)
  }

  private typealias Gain = (change: BaseCaptions.Change, gain: Double)

  private func rank(_ gain: Gain) -> Double {
    gain.change.isDescribed ? gain.gain * Self.shareOfDescribed : gain.gain
  }

  /// How much smaller than another the error is, given each of several captions.
  private func gains(
    _ changes: [BaseCaptions.Change], over own: Double,
    _ afterEach: (_ done: Int, _ all: Int) throws -> Void
  ) throws -> [Gain] {
    guard !changes.isEmpty else { return [] }
    let texts = try embeddings(changes.map { captions.sentence(of: $0.caption) })
    return try changes.enumerated().map { index, change in
      let gain = own - error(given: texts.slice(index..<(index + 1)))
      try afterEach(index + 1, changes.count)
      return (change, gain)
    }
  }

  /// The error with which the photograph is denoised.
  /// - Parameter text: `[1, tokens, width]`.
  private func error(given text: Tensor) -> Double {
    let context = Tensor(concatenating: Array(repeating: text, count: timesteps.count))
    return unet(noisy, timesteps: timesteps, context: Variable(context)).value
      .meanSquaredDifference(wanted)
  }
}
