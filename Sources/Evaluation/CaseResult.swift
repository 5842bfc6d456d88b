// What the bench knows of one case by one method, as it is saved.

import Editing
import Measuring

/// One method's edits of one case.
public struct CaseResult: Codable, Equatable, Sendable {
  /// One edit.
  public struct Point: Codable, Equatable, Sendable {
    /// Its place on the method's axis (alpha, strength or guidance scale); nil where there is none.
    public var place: Double?
    public var seed: UInt64?
    public var score: EditScore
    /// The picture, relative to the result.
    public var file: String
  }

  public var name: String
  public var kind: EditKind
  public var method: BenchMethod
  public var points: [Point]
  /// The peak signal-to-noise ratio of the edit that should change nothing to the input, in decibels: alpha, strength or
  /// guidance 0. Nil where the method has no such place.
  public var reconstruction: Double?
  /// The intersection over union of a mask that the model has found and of where the truth may differ; nil for methods that
  /// find none, and where everything may differ.
  public var overlap: Double?
  /// The alpha that the last stage suggests; nil for the other methods.
  public var suggested: Double?
  /// Steps of training.
  public var gradientSteps: Int
  /// Time taken in all, in seconds.
  public var seconds: Double

  /// The edit at the suggested alpha; of several seeds the first.
  public var suggestedPoint: Point? {
    suggested.flatMap { alpha in points.first { $0.place == alpha } }
  }

  /// The best edit: one that succeeds before one that does not, then by ``EditScore/rank``.
  public var best: Point? {
    points.max { left, right in
      let (a, b) = (left.score, right.score)
      return (a.isSuccess == true ? 1 : 0, a.rank) < (b.isSuccess == true ? 1 : 0, b.rank)
    }
  }
}
