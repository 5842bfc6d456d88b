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
  /// Reliability as a classifier sees it: how much of the way from its logits of the input to those of the truth the edit
  /// has gone along that way, 0 for the input and 1 for the truth. What changes across the way, as softness does mostly,
  /// does not count. Nil without a truth or the classifier's weights.
  public var seen: Double?

  public init(
    edit: Double? = nil, kept: Double? = nil, similarity: Double? = nil, distance: Double? = nil,
    seen: Double? = nil
  ) {
    self.edit = edit
    self.kept = kept
    self.similarity = similarity
    self.distance = distance
    self.seen = seen
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
public struct EditTruth {
  /// A learned distance of two pictures of one size; nil where they are too small for it.
  public typealias Distance = (Picture, Picture) -> Double?
  /// What a network sees in a picture, as numbers.
  public typealias Features = (Picture) -> [Float]

  public let input: Picture
  public let target: Picture?
  /// Where the truth may differ from the input.
  public let mayDiffer: Region
  /// Where it may not.
  public let stays: Region
  private let distance: Distance?
  private let features: Features?
  /// What is seen in the input and in the truth.
  private let seen: (input: [Float], target: [Float])?

  /// Parts that stay and are smaller than this share of the picture tell nothing of what stays.
  static let leastShare = 0.01

  /// - Parameters:
  ///   - mask: white where the truth may differ; where nil, that is where input and target differ.
  ///   - distance: nil where there is none.
  ///   - features: nil where there are none.
  /// - Precondition: all pictures have the same size.
  public init(
    input: Picture, target: Picture?, mask: Picture?, distance: Distance? = nil,
    features: Features? = nil
  ) {
    self.input = input
    self.target = target
    self.distance = distance
    self.features = features
    seen = features.flatMap { features in target.map { (features(input), features($0)) } }
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

  public func score(_ edit: Picture) -> EditScore {
    var score = EditScore()
    if let features, let seen {
      score.seen = share(of: features(edit), from: seen.input, to: seen.target)
    }
    if let target, let change, let left = edit.meanSquaredError(to: target, in: mayDiffer) {
      score.edit = 1 - left / change
    }
    guard stays.count > 0 else { return score }
    // With the input's own pixels where it may differ, windows and features that reach over there find no change.
    let local = edit.replacing(mayDiffer, from: input)
    score.kept = PeakSignalToNoise.decibels(local, input, in: stays)
    score.similarity = StructuralSimilarity.mean(local, input, in: stays)
    score.distance = distance?(local, input)
    return score
  }

  /// Where the foot of a point on the way from one point to another lies; nil where there is no way.
  private func share(of point: [Float], from start: [Float], to end: [Float]) -> Double? {
    var (along, length) = (0.0, 0.0)
    for index in point.indices {
      let way = Double(end[index]) - Double(start[index])
      along += way * (Double(point[index]) - Double(start[index]))
      length += way * way
    }
    return length > 0 ? along / length : nil
  }
}
