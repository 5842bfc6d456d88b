// Where an edit belongs, found by the model itself: Couairon et al., "DiffEdit: Diffusion-based semantic image editing with
// mask guidance", ICLR 2023, section 3.2, step 1.

import Autodiff
import Diffusion
import Glibc
import Images
import Models
import Tensors

/// Finds the mask of an edit: where the noise that the model sees in the photograph depends on the sentence.
struct MaskFinder {
  /// What the model's answer to the sentence is compared with.
  enum Reference {
    /// Its answer to the embedding of a caption, or to the one that was optimised, `[1, tokens, width]`.
    case embedding(Tensor)
    /// Its answers to the sentence with one word replaced: for each word that others can stand for, the embeddings of the
    /// sentence with each of them, `[others, tokens, width]`.
    case words([Tensor])
  }

  /// How many draws of noise the differences are averaged over, as in the paper.
  static let draws = 10
  /// The share of the timesteps at which the photograph gets its noise, as in the paper.
  static let strength = 0.5
  /// With a threshold, differences count up to so many times their mean, so that a few large ones don't hide the others.
  static let ceiling: Float = 3
  /// By how much the differences are smoothed: the standard deviation of a Gaussian, in elements of the latent.
  static let smoothing: Float = 1
  /// At how many noise levels it is asked which word the photograph contradicts.
  private static let levels = 32
  /// Of the words that can stand for it, how many of those that fit best are compared with.
  private static let replacements = 8

  let unet: UNet2DConditionModel
  let schedule: NoiseSchedule
  /// The embedding of the sentence, `[1, tokens, width]`.
  let target: Tensor
  let reference: Reference

  /// How often the search tells that it goes on.
  static func steps(_ reference: Reference) -> Int {
    guard case .words(let words) = reference else { return draws }
    return draws + words.reduce(0) { $0 + $1.shape[0] }
  }

  /// The mean over draws and channels of how far the noise predicted for the sentence is from that predicted for the
  /// reference, `[height, width]`; with words, from those for the sentence with other words in the place of the one that
  /// the photograph contradicts.
  /// - Parameters:
  ///   - latent: the photograph's, `[1, height, width, channels]`.
  ///   - seed: of the draws. A draw depends on it and its number alone.
  ///   - afterStep: called as often as `steps` says; what it throws ends the search.
  func differences(
    in latent: Tensor, seed: UInt64, afterStep: () throws -> Void
  ) rethrows -> Tensor {
    switch reference {
    case .embedding(let source):
      return try differences(from: source, in: latent, seed: seed, afterStep: afterStep)
    case .words(let words):
      let others = try contradicted(words, by: latent, seed: seed, afterStep: afterStep)
      return try differences(from: others, in: latent, seed: seed, afterStep: afterStep)
    }
  }

  /// - Parameter sources: `[sources, tokens, width]`; the differences from all are averaged.
  private func differences(
    from sources: Tensor, in latent: Tensor, seed: UInt64, afterStep: () throws -> Void
  ) rethrows -> Tensor {
    let count = sources.shape[0]
    let timesteps = Array(
      repeating: Int(Double(schedule.parameters.trainingSteps - 1) * Self.strength),
      count: count + 1)
    let context = Variable(Tensor(concatenating: [sources, target]))
    let channels = latent.shape[3]
    var sum = Tensor(zeros: [latent.shape[1], latent.shape[2]])
    for draw in 0..<Self.draws {
      let noise = Philox(seed: seed, stream: .maskNoise, step: draw).normal(latent.shape)
      let noisy = schedule.noisy(latent, noise: noise, timesteps: [timesteps[0]])
      let all = Tensor(concatenating: Array(repeating: noisy, count: count + 1))
      let answer = unet(Variable(all), timesteps: timesteps, context: context).value
      let seen = schedule.parameters.prediction.parts(
        of: answer, for: all, alpha: schedule.alphas[timesteps[0]]
      ).noise
      let difference = Tensor(zeros: sum.shape)
      let wanted = seen.pointer + count * latent.count
      for source in 0..<count {
        let found = seen.pointer + source * latent.count
        for index in 0..<latent.count {
          difference.pointer[index / channels] +=
            abs(found[index] - wanted[index]) / Float(channels * count)
        }
      }
      sum = sum + difference
      try afterStep()
    }
    return smoothed((1 / Float(Self.draws)) * sum, by: Self.smoothing)
  }

  /// Which word of the sentence the photograph contradicts, by the embeddings of the sentence with the words that fit best
  /// in its place, `[replacements, tokens, width]`.
  ///
  /// With d the difference that a word makes to what the model predicts, and r what the sentence's prediction lacks of the
  /// truth, the word explains the share d·r / d·d of its own difference: 1 on average where it describes the photograph
  /// and the model is right, whether what it describes is small or large, and 0 where it has nothing to do with it. The
  /// loss alone would find the places of photographs wrong which the model has not seen, for they fill the picture.
  private func contradicted(
    _ words: [Tensor], by latent: Tensor, seed: UInt64, afterStep: () throws -> Void
  ) rethrows -> Tensor {
    let total = schedule.parameters.trainingSteps
    let timesteps = (0..<Self.levels).map { (2 * $0 + 1) * total / (2 * Self.levels) }
    let shape = Shape([Self.levels] + latent.shape.array.dropFirst())
    let clean = Tensor(concatenating: Array(repeating: latent, count: Self.levels))
    let noise = Philox(seed: seed, stream: .maskNoise, step: Self.draws).normal(shape)
    let noisy = Variable(schedule.noisy(clean, noise: noise, timesteps: timesteps))
    func answer(to embedding: Tensor) -> Tensor {
      let context = Tensor(concatenating: Array(repeating: embedding, count: Self.levels))
      return unet(noisy, timesteps: timesteps, context: Variable(context)).value
    }
    let answered = answer(to: target)
    let lacking = schedule.target(clean: clean, noise: noise, timesteps: timesteps) - answered
    var best: (share: Double, word: Int) = (-.infinity, 0)
    var shares: [[(share: Double, other: Int)]] = []
    for (number, others) in words.enumerated() {
      var found: [(share: Double, other: Int)] = []
      for other in 0..<others.shape[0] {
        let difference = answer(to: others.slice(other..<(other + 1))) - answered
        let squares = difference.dot(difference)
        found.append((squares > 0 ? difference.dot(lacking) / squares : 0, other))
        try afterStep()
      }
      found.sort { ($1.share, $0.other) < ($0.share, $1.other) }
      if let first = found.first, first.share > best.share { best = (first.share, number) }
      shares.append(found)
    }
    return Tensor(
      concatenating: shares[best.word].prefix(Self.replacements).map {
        words[best.word].slice($0.other..<($0.other + 1))
      })
  }

  /// The mask of differences, brought to a picture's size first.
  /// - Parameters:
  ///   - differences: `[height, width]`, at least 0.
  ///   - threshold: the share of the ceiling from which on a difference counts; nil for the one that parts them best.
  static func mask(
    of differences: Tensor, threshold: Double?, grow: Int, width: Int, height: Int
  ) -> Mask {
    let values = differences.array
    let ceiling =
      threshold == nil
      ? values.max() ?? 0 : Self.ceiling * values.reduce(0, +) / Float(values.count)
    let small = Mask(
      width: differences.shape[1], height: differences.shape[0],
      values: values.map { ceiling > 0 ? min($0 / ceiling, 1) : 0 })
    let large = small.resized(width: width, height: height).values
    let white: (Float) -> Bool
    if let threshold {
      white = { Double($0) >= threshold }
    } else {
      let most = parting(large)
      white = { $0 > most }
    }
    return Mask(width: width, height: height, values: large.map { white($0) ? 1 : 0 })
      .grown(by: grow)
  }

  /// The largest of the lower values where values are parted in two so that those of each part are most alike (Otsu, "A
  /// threshold selection method from gray-level histograms", 1979, with each value a level of its own).
  static func parting(_ values: [Float]) -> Float {
    let sorted = values.sorted()
    guard let last = sorted.last else { return 0 }
    let (count, total) = (Double(sorted.count), sorted.reduce(0) { $0 + Double($1) })
    var best = (spread: 0.0, value: last)
    var sum = 0.0
    for (index, value) in sorted.dropLast().enumerated() {
      sum += Double(value)
      // Values that are equal can't be parted.
      guard sorted[index + 1] > value else { continue }
      let lower = Double(index + 1)
      let distance = sum / lower - (total - sum) / (count - lower)
      let spread = lower * (count - lower) * distance * distance
      if spread > best.spread { best = (spread, value) }
    }
    return best.value
  }
}
