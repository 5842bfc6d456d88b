// When a training stage has learned enough.

/// A loss that ends a training stage before its last step.
///
/// The loss of one step is noisy, as it depends on the timesteps drawn; the goal is held against the mean of the newest
/// ones. It is derived from the losses alone, which are saved, so a resumed run stops at the step at which an
/// uninterrupted one does.
package struct LossGoal: Equatable {
  /// How many losses the mean is over.
  static let window = 50

  /// The loss to reach.
  let loss: Double

  /// The mean of the newest `window` losses, added up in their order; nil while there are fewer.
  static func mean(_ losses: [Float]) -> Double? {
    guard losses.count >= window else { return nil }
    return losses.suffix(window).reduce(0.0) { $0 + Double($1) } / Double(window)
  }

  func isReached(by losses: [Float]) -> Bool {
    Self.mean(losses).map { $0 <= loss } ?? false
  }
}
