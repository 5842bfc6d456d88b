// How well an edit did what was wanted and nothing else, where the wanted picture is known.

import Images

/// How one edit scores. The names are those of Sinitsin et al., "Editable Neural Networks", ICLR 2020: an edit is to be
/// reliable (it happens) and local (nothing else changes).
public struct EditScore: Codable, Equatable, Sendable {
  /// Reliability, "edit": `1 - MSE(edit, truth) / MSE(input, truth)` where the truth may differ from the input. 1 is the
  /// truth, 0 is as far from it as the input; above 0.5 it is nearer to the truth than to the input. Nil without a truth.
  public var edit: Double?
  /// Locality, "kept": the peak signal-to-noise ratio to the input in decibels where nothing is to change. Nil where
  /// everything may.
  public var kept: Double?
  /// The structural similarity to the input there.
  public var similarity: Double?
  /// The learned perceptual distance to the input there; nil without its weights.
  public var distance: Double?

  public init(
    edit: Double? = nil, kept: Double? = nil, similarity: Double? = nil, distance: Double? = nil
  ) {
    self.edit = edit
    self.kept = kept
    self.similarity = similarity
    self.distance = distance
  }

  /// What an edit has to exceed to have succeeded.
  public static let leastEdit = 0.5
  /// The same, in decibels.
  public static let leastKept = 20.0

  /// Whether the edit happened and the rest stayed; nil where there is no truth to tell. Where everything may change, the
  /// edit alone decides.
  public var isSuccess: Bool? {
    edit.map { $0 > Self.leastEdit && (kept ?? .infinity) > Self.leastKept }
  }

  /// One number to rank edits of one photograph by: the edit within [-1, 1], less one for each ten decibels that are
  /// missing to ``leastKept``.
  public var rank: Double {
    let missing = max(0, Self.leastKept - (kept ?? Self.leastKept))
    return min(max(edit ?? 0, -1), 1) - missing / 10
  }
}

/// What the edits of one photograph are held against.
public struct EditTruth: Sendable {
  /// A learned distance of two pictures of one size.
  public typealias Distance = @Sendable (Picture, Picture) throws -> Double

  public let input: Picture
  public let target: Picture?
  /// Where the truth may differ from the input.
  public let mayDiffer: Region
  /// Where it may not.
  public let stays: Region
  private let distance: Distance?

  /// Parts that stay and are smaller than this share of the picture tell nothing of what stays.
  static let leastShare = 0.01

  /// - Parameters:
  ///   - mask: white where the truth may differ; where nil, that is where input and target differ.
  ///   - distance: nil where there is none.
  /// - Precondition: all pictures have the same size.
  public init(input: Picture, target: Picture?, mask: Picture?, distance: Distance?) {
    self.input = input
    self.target = target
    self.distance = distance
    let mayDiffer =
      mask.map(Region.init(white:))
      ?? target.map { Region(differing: input, from: $0, beyond: 8) }
      ?? Region(allOf: input).complement
    self.mayDiffer = mayDiffer
    let rest = mayDiffer.complement
    stays = rest.share < Self.leastShare ? Region(allOf: input).complement : rest
  }

  /// How far the input is from the truth where it may differ, as a mean squared error; nil without a truth.
  public var change: Double? { target.flatMap { input.meanSquaredError(to: $0, in: mayDiffer) } }

  /// - Throws: what the learned distance throws.
  public func score(_ edit: Picture) throws -> EditScore {
    var score = EditScore()
    if let target, let change, let left = edit.meanSquaredError(to: target, in: mayDiffer) {
      score.edit = 1 - left / change
    }
    guard stays.count > 0 else { return score }
    // With the input's own pixels where it may differ, windows and features that reach over there find no change.
    let local = edit.replacing(mayDiffer, from: input)
    score.kept = PeakSignalToNoise.decibels(local, input, in: stays)
    score.similarity = StructuralSimilarity.mean(local, input, in: stays)
    score.distance = try distance?(local, input)
    return score
  }
}
