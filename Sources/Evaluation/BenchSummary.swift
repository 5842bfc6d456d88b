// What the cases of a kind say together.

import Editing
import Measuring

/// The figures of one method for the cases of one kind.
public struct BenchSummary: Codable, Equatable, Sendable {
  /// Means of edits' scores, each over the edits that have it.
  public struct Figures: Codable, Equatable, Sendable {
    public var edit: Double?
    public var kept: Double?
    public var similarity: Double?
    public var distance: Double?
    public var seen: Double?
    /// The share of the edits that succeed.
    public var success: Double?
    /// The mean of ``EditScore/rank``.
    public var rank: Double

    init(_ scores: [EditScore]) {
      edit = scores.compactMap(\.edit).mean
      kept = scores.compactMap(\.kept).mean
      similarity = scores.compactMap(\.similarity).mean
      distance = scores.compactMap(\.distance).mean
      seen = scores.compactMap(\.seen).mean
      success = scores.compactMap(\.isSuccess).map { $0 ? 1 : 0 }.mean
      rank = scores.map(\.rank).mean ?? 0
    }
  }

  /// All cases' edits at one place of the axis.
  public struct Place: Codable, Equatable, Sendable {
    /// Nil for the one place of a method without an axis.
    public var value: Double?
    public var figures: Figures
  }

  /// Nil for all kinds together.
  public var kind: EditKind?
  public var method: BenchMethod
  /// How many cases there are.
  public var cases: Int
  /// By the axis, rising.
  public var curve: [Place]
  /// The place that is best on average: where the most edits succeed, and of several such by the mean rank.
  public var best: Place
  /// Each case's own best edit.
  public var ownBest: Figures
  /// Each case's edit at the alpha that the last stage suggests; nil for the other methods.
  public var suggested: Figures?
  /// How much of the edits' sum at each case's own best the suggested alphas reach, of the cases whose best edit is above
  /// 0; nil where there are none.
  public var suggestedShare: Double?
  /// In decibels.
  public var reconstruction: Double?
  /// The mean intersection over union of the masks that the model has found and of where the truth may differ.
  public var overlap: Double?
  public var gradientSteps: Double
  public var seconds: Double

  /// - Parameter results: of one method, and of the kind.
  /// - Returns: nil where there is none.
  init?(kind: EditKind?, method: BenchMethod, results: [CaseResult]) {
    let points = results.flatMap(\.points)
    let values = Set(points.map(\.place)).sorted { $0 ?? 0 < $1 ?? 0 }
    curve = values.map { value in
      Place(value: value, figures: Figures(points.filter { $0.place == value }.map(\.score)))
    }
    let best = curve.max {
      ($0.figures.success ?? 0, $0.figures.rank) < ($1.figures.success ?? 0, $1.figures.rank)
    }
    guard let best else { return nil }
    self.kind = kind
    self.method = method
    self.best = best
    cases = results.count
    ownBest = Figures(results.compactMap { $0.best?.score })
    let pairs = results.compactMap { result in
      result.suggestedPoint.flatMap { point in
        result.best.map { (suggested: point.score, best: $0.score) }
      }
    }
    suggested = pairs.isEmpty ? nil : Figures(pairs.map(\.suggested))
    let edits = pairs.compactMap { pair in
      pair.suggested.edit.flatMap { edit in pair.best.edit.map { (suggested: edit, best: $0) } }
    }.filter { $0.best > 0 }
    suggestedShare =
      edits.isEmpty
      ? nil : edits.map(\.suggested).reduce(0, +) / edits.map(\.best).reduce(0, +)
    reconstruction = results.compactMap(\.reconstruction).mean
    overlap = results.compactMap(\.overlap).mean
    gradientSteps = results.map { Double($0.gradientSteps) }.mean ?? 0
    seconds = results.map(\.seconds).mean ?? 0
  }

  /// A summary for each kind and method that there are results of, and for all kinds together.
  static func all(of results: [CaseResult]) -> [BenchSummary] {
    (EditKind.allCases.map(Optional.some) + [nil]).flatMap { kind in
      BenchMethod.allCases.compactMap { method in
        BenchSummary(
          kind: kind, method: method,
          results: results.filter { $0.method == method && (kind == nil || $0.kind == kind) })
      }
    }
  }
}

extension [Double] {
  /// Nil where there are none.
  var mean: Double? { isEmpty ? nil : reduce(0, +) / Double(count) }
}
