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
/// but for what is to change, so that only captions that differ from the sentence in one part are in question, besides
/// one that may be left unsaid. Of a sentence that is true already, another caption may be found that fits by chance.
struct CaptionFinder {
  /// At how many noise levels the photograph is denoised.
  private static let levels = 16
  /// With how much noise at each, for the captions that come nearest, and how many these are.
  private static let draws = 4
  private static let nearest = 6
  // What kinds of captions count beside others, as seen on the photographs of the examples and on 36 scenes.
  /// Another word for a thing that the sentence describes: such a sentence mostly asks for the description, and of many words
  /// for things one is always near.
  private static let shareOfDescribed = 0.4
  /// One that says that there is nothing: a sentence mostly asks for what the photograph lacks.
  private static let shareOfAbsence = 1.25
  /// One that leaves unsaid what another says, for it fits more photographs.
  private static let shareOfUnsaid = 0.8

  private let captions: BaseCaptions
  private let unet: UNet2DConditionModel
  private let embeddings: ([String]) throws -> Tensor
  private let timesteps: [Int]
  /// The photograph's latent with noise at each of the timesteps, and what the denoiser should answer; for each draw.
  private let looks: [(noisy: Variable, wanted: Tensor)]

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
    let timesteps = (0..<Self.levels).map { (2 * $0 + 1) * total / (2 * Self.levels) }
    let clean = Tensor(concatenating: Array(repeating: latent, count: Self.levels))
    looks = (0..<Self.draws).map { draw in
      let noise = Philox(seed: seed, stream: .measurement, step: EditMeter.levels + draw)
        .normal(clean.shape)
      return (
        Variable(schedule.noisy(clean, noise: noise, timesteps: timesteps)),
        schedule.target(clean: clean, noise: noise, timesteps: timesteps)
      )
    }
    self.timesteps = timesteps
  }

  /// The caption, which is the sentence itself where no other describes the photograph better; nil where the sentence is
  /// none of the base's captions.
  /// - Parameter afterEach: called each time the denoiser was asked about a caption; what it throws ends the search.
  /// - Throws: what `embeddings` and `afterEach` throw.
  func caption(near sentence: String, afterEach: () throws -> Void) throws
    -> String?
  {
    guard let asked = captions.caption(of: sentence) else { return nil }
    let sentence = captions.sentence(of: asked)
    let nearest = try gains(
      captions.changes(of: asked), over: sentence, draws: 1, afterEach
    ).sorted { rank($0) > rank($1) }.prefix(Self.nearest)
    let best = try gains(
      nearest.map(\.change), over: sentence, draws: Self.draws, afterEach
    ).max { rank($0) < rank($1) }
    guard let best, best.gain > 0 else { return sentence }
    // What takes the place of a thing is not described yet. And a caption that leaves a part unsaid contradicts none, so
    // that the sentence may still say what the photograph lacks.
    let descriptions = best.change.part.map { part in
      captions.descriptions(of: part, in: best.change.caption)
    }
    let absences =
      best.change.isUnsaid
      ? captions.changes(of: best.change.caption).filter(\.isAbsence) : []
    let further = try gains(
      (descriptions ?? []) + absences, over: sentence, draws: Self.draws, afterEach
    ).max { $0.gain < $1.gain }
    let found = further.flatMap { $0.gain > best.gain ? $0 : nil } ?? best
    return captions.sentence(of: found.change.caption)
  }

  /// How long the search takes, in seconds, by a measurement.
  func seconds(near sentence: String) throws -> Double {
    guard let asked = captions.caption(of: sentence) else { return 0 }
    let text = try embeddings([captions.sentence(of: asked)])
    // The first is slower: it takes its memory from the system.
    _ = error(given: text, draws: 1)
    let began = Resources.seconds
    _ = error(given: text, draws: 1)
    let count = captions.changes(of: asked).count + 1 + Self.draws * (Self.nearest + 1)
    return (Resources.seconds - began) * Double(count)
  }

  private typealias Gain = (change: BaseCaptions.Change, gain: Double)

  private func rank(_ gain: Gain) -> Double {
    let change = gain.change
    return gain.gain * (change.isDescribed ? Self.shareOfDescribed : 1)
      * (change.isAbsence ? Self.shareOfAbsence : change.isUnsaid ? Self.shareOfUnsaid : 1)
  }

  /// How much smaller the error is, given each of several captions, than given a sentence.
  private func gains(
    _ changes: [BaseCaptions.Change], over sentence: String, draws: Int,
    _ afterEach: () throws -> Void
  ) throws -> [Gain] {
    guard !changes.isEmpty else { return [] }
    let texts = try embeddings([sentence] + changes.map { captions.sentence(of: $0.caption) })
    let own = error(given: texts.slice(0..<1), draws: draws)
    return try changes.enumerated().map { index, change in
      let gain = own - error(given: texts.slice((index + 1)..<(index + 2)), draws: draws)
      try afterEach()
      return (change, gain)
    }
  }

  /// The error with which the photograph is denoised, the mean over the levels and the first draws of noise.
  /// - Parameter text: `[1, tokens, width]`.
  private func error(given text: Tensor, draws: Int) -> Double {
    let context = Variable(
      Tensor(concatenating: Array(repeating: text, count: timesteps.count)))
    return looks.prefix(draws).reduce(0) { sum, look in
      sum
        + unet(look.noisy, timesteps: timesteps, context: context).value
        .meanSquaredDifference(look.wanted) / Double(draws)
    }
  }
}
