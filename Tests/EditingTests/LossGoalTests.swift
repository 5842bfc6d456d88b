import Testing

@testable import Editing

@Suite struct LossGoalTests {
  private let window = LossGoal.window

  @Test func theMeanIsOfTheNewestLosses() {
    let losses = [100] + (1...window).map(Float.init)
    #expect(LossGoal.mean(losses) == Double(window + 1) / 2)
    #expect(LossGoal.mean(Array(losses.prefix(window - 1))) == nil)
  }

  @Test func itIsReachedAtTheLossAndBelow() {
    let losses = Array(repeating: Float(0.25), count: window)
    #expect(LossGoal(loss: 0.25).isReached(by: losses))
    #expect(!LossGoal(loss: 0.24).isReached(by: losses))
    #expect(!LossGoal(loss: 0).isReached(by: losses))
    // One low loss is no sign of anything.
    #expect(!LossGoal(loss: 0.25).isReached(by: [0.01]))
  }
}
