// What both training stages do around a step: count, tell, save now and then, stop when told to, and never go on from
// a loss that is not a number.

import Foundation

/// A run of training steps, from where it was left to its end.
package struct TrainingLoop {
  /// How a run of steps ended.
  package enum Outcome: Equatable {
    case complete
    /// It was told to stop, and what was reached is saved.
    case stopped
  }

  let stage: Stage
  /// Steps to have done in the end.
  let steps: Int
  /// What ends the training before that.
  var goal: LossGoal?
  /// Seconds from the end of a save to the next; nil for a minute, or ten times what the last save took where that is
  /// longer: the weights of a large model take a minute to save by themselves.
  let saveInterval: Double?
  let report: (StageEvent) -> Void
  let shouldStop: () -> Bool
  /// How many samples a step takes, where their rate is worth telling.
  var samplesPerStep: Int?
  var clock: () -> Double = { Resources.seconds }

  package init(
    stage: Stage, steps: Int, goal: LossGoal? = nil, saveInterval: Double?,
    samplesPerStep: Int? = nil, report: @escaping (StageEvent) -> Void,
    shouldStop: @escaping () -> Bool, clock: @escaping () -> Double = { Resources.seconds }
  ) {
    self.stage = stage
    self.steps = steps
    self.goal = goal
    self.saveInterval = saveInterval
    self.samplesPerStep = samplesPerStep
    self.report = report
    self.shouldStop = shouldStop
    self.clock = clock
  }

  /// Trains until `steps` are done, the goal is reached or the run is told to stop.
  /// - Parameters:
  ///   - losses: the losses of the steps done so far; those of this run are added.
  ///   - step: trains one step, whose number counts from 0, and gives its loss.
  ///   - save: saves what was reached, with all losses and whether it is complete.
  /// - Throws: `EditingError`, `internalError`, where a loss is not a finite number; nothing of it is saved.
  package func run(
    losses: inout [Float], step: (Int) throws -> Float,
    save: ([Float], _ complete: Bool) throws -> Void
  ) throws -> Outcome {
    var lastSave = clock()
    var saveDuration = 0.0
    while losses.count < steps, !isGoalReached(losses) {
      if shouldStop() {
        // Before the first step there is nothing to save.
        if !losses.isEmpty { try save(losses, false) }
        return .stopped
      }
      let number = losses.count
      let loss = try step(number)
      guard loss.isFinite else {
        throw EditingError(
          .internalError,
          "step \(number + 1): found the loss \(loss), wanted a finite number; nothing of it was "
            + "saved, try a lower --learning-rate")
      }
      losses.append(loss)
      report(
        .progress(
          StageProgress(
            stage: stage, step: losses.count, steps: steps, loss: Double(loss),
            samplesPerStep: samplesPerStep)))
      let interval = saveInterval ?? max(60, 10 * saveDuration)
      if losses.count < steps, !isGoalReached(losses), clock() - lastSave >= interval {
        let began = clock()
        try save(losses, false)
        lastSave = clock()
        saveDuration = lastSave - began
      }
    }
    try save(losses, true)
    return .complete
  }

  private func isGoalReached(_ losses: [Float]) -> Bool { goal?.isReached(by: losses) ?? false }
}
