// Which alpha to look at first, from what can be seen without knowing the truth.

/// The alpha at which an edit has set in: the lowest at which the base, as it was before it was tuned, finds that the sentence
/// describes the edit better than the photograph's own embedding or caption does, by three tenths of what it does worse for what
/// comes back of the photograph. Far beyond the sentence none is suggested: an edit that has not set in by then is mostly
/// another one.
public struct AlphaSuggestion: Codable, Equatable, Sendable {
  /// What was measured of the edits of one alpha, the mean over seeds.
  public struct Measure: Codable, Equatable, Sendable {
    public var alpha: Double
    /// By how much the sentence describes the edit better than the photograph's own embedding (``EditMeter``); below 0
    /// where it does worse.
    public var sentence: Double
    /// The peak signal-to-noise ratio to the photograph, in decibels.
    public var psnr: Double
    /// How much of the photograph's structure the edit has.
    public var likeness: Double

    public init(alpha: Double, sentence: Double, psnr: Double, likeness: Double) {
      self.alpha = alpha
      self.sentence = sentence
      self.psnr = psnr
      self.likeness = likeness
    }
  }

  /// What share of the structure that the edit nearest to the photograph has is left at least, where a part of the
  /// picture changes.
  private static let leastLikeness = 0.6
  /// By what share of the sentence's deficit at the lowest alpha it is to be ahead.
  private static let lead = 0.3
  /// The highest alpha that is suggested, where there are lower ones.
  private static let highest = 1.2

  public var alpha: Double
  /// Whether the sentence describes no edit better than the photograph's embedding does.
  public var isWeak: Bool
  /// Whether the picture has changed as a whole by the suggested alpha.
  public var isWhole: Bool
  /// By alpha, rising.
  public var measures: [Measure]

  enum CodingKeys: String, CodingKey {
    case alpha
    case isWeak = "too_weak"
    case isWhole = "changed_as_a_whole"
    case measures
  }

  /// - Returns: nil where there is nothing to choose from: fewer than two alphas above 0.
  public init?(_ measures: [Measure]) {
    let measures = measures.sorted { $0.alpha < $1.alpha }
    // Alpha 0 is the photograph, whatever is found there.
    let edits = measures.filter { $0.alpha > 0 }
    guard edits.count > 1, let strongest = edits.max(by: { $0.sentence < $1.sentence }) else {
      return nil
    }
    let wanted = max(0, -Self.lead * measures[0].sentence)
    let near = edits.filter { $0.alpha <= Self.highest }
    let candidates = near.isEmpty ? edits : near
    // Where none is so far ahead, the one that comes closest.
    let chosen =
      candidates.first { $0.sentence >= wanted }
      ?? candidates.max { $0.sentence < $1.sentence } ?? strongest
    alpha = chosen.alpha
    isWeak = strongest.sentence < 0
    isWhole = chosen.likeness < Self.leastLikeness * measures[0].likeness
    self.measures = measures
  }

  /// What a person should know, one line each.
  public var warnings: [String] {
    let label = NumberList.label(alpha)
    var lines: [String] = []
    if isWeak {
      lines.append(
        "the edit is weak at every alpha up to \(NumberList.label(measures.last?.alpha ?? alpha)): "
          + "try higher ones, or a higher --guidance-scale")
    }
    if isWhole {
      lines.append(
        "by alpha \(label) the picture has changed as a whole"
          + (isWeak ? "" : ", before or when the edit set in")
          + ": look at lower ones too, or try a mask")
    }
    return lines
  }
}
