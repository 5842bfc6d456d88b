import Testing

@testable import Editing

@Suite struct TrainingLoopTests {
  /// A loop of ten steps of a second each, and what it did.
  private final class Recorder {
    var time = 0.0
    var saves: [(count: Int, complete: Bool)] = []
    var events: [StageEvent] = []
    var stopsBefore = Int.max

    func run(
      _ losses: inout [Float], steps: Int = 10, goal: LossGoal? = nil, interval: Double? = 3,
      saveTime: Double = 0,
      loss: (Int) -> Float = { Float($0) }
    ) throws -> TrainingLoop.Outcome {
      var done = losses.count
      let loop = TrainingLoop(
        stage: .embedOptimize, steps: steps, goal: goal, saveInterval: interval,
        report: { self.events.append($0) }, shouldStop: { done >= self.stopsBefore },
        clock: { self.time })
      return try loop.run(losses: &losses) { step in
        self.time += 1
        done = step + 1
        return loss(step)
      } save: { losses, complete in
        self.saves.append((losses.count, complete))
        self.time += saveTime
      }
    }
  }

  @Test func itSavesNowAndThenAndAtTheEnd() throws {
    let recorder = Recorder()
    var losses: [Float] = []
    #expect(try recorder.run(&losses) == .complete)
    #expect(losses == (0..<10).map(Float.init))
    #expect(recorder.saves.map(\.count) == [3, 6, 9, 10])
    #expect(recorder.saves.map(\.complete) == [false, false, false, true])
    #expect(recorder.events.count == 10)
    #expect(
      recorder.events.last
        == .progress(StageProgress(stage: .embedOptimize, step: 10, steps: 10, loss: 9)))
  }

  @Test func leftToItselfItSpendsATenthOfTheTimeSaving() throws {
    let quick = Recorder()
    var losses: [Float] = []
    _ = try quick.run(&losses, steps: 200, interval: nil, saveTime: 1)
    #expect(quick.saves.map(\.count) == [60, 120, 180, 200])
    let slow = Recorder()
    losses = []
    _ = try slow.run(&losses, steps: 1000, interval: nil, saveTime: 30)
    #expect(slow.saves.map(\.count) == [60, 360, 660, 960, 1000])
  }

  /// Losses fall from 100 by one a step: the mean of 50 of them is 60 after step 66.
  @Test(arguments: [0, 10, 65, 66])
  func itEndsAtItsGoalWhereverItGoesOnFrom(done: Int) throws {
    let recorder = Recorder()
    var losses = (0..<done).map { Float(100 - $0) }
    let outcome = try recorder.run(&losses, steps: 100, goal: LossGoal(loss: 59.5), interval: 1000)
    {
      Float(100 - $0)
    }
    #expect(outcome == .complete && losses.count == 66)
    #expect(recorder.saves.map(\.count) == [66] && recorder.saves[0].complete)
  }

  @Test func itGoesOnFromWhereItWas() throws {
    let recorder = Recorder()
    var losses: [Float] = [7, 7, 7, 7, 7, 7, 7]
    #expect(try recorder.run(&losses) == .complete)
    #expect(losses == [7, 7, 7, 7, 7, 7, 7, 7, 8, 9])
  }

  @Test func whenToldToStopItSavesAndStops() throws {
    let recorder = Recorder()
    recorder.stopsBefore = 5
    var losses: [Float] = []
    #expect(try recorder.run(&losses) == .stopped)
    #expect(losses.count == 5)
    #expect(recorder.saves.last.map { $0 == (5, false) } == true)
  }

  @Test func beforeTheFirstStepThereIsNothingToSave() throws {
    let recorder = Recorder()
    recorder.stopsBefore = 0
    var losses: [Float] = []
    #expect(try recorder.run(&losses) == .stopped)
    #expect(recorder.saves.isEmpty)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func aLossThatIsNoNumberStopsItUnsaved(bad: Float) throws {
    let recorder = Recorder()
    var losses: [Float] = []
    let error = try #require(throws: EditingError.self) {
      try recorder.run(&losses, interval: 0) { $0 == 4 ? bad : 1 }
    }
    #expect(error.status == .internalError)
    #expect(error.description.hasPrefix("step 5: found the loss \(bad), wanted a finite number"))
    #expect(recorder.saves.map(\.count) == [1, 2, 3, 4])
    #expect(losses.count == 4)
  }
}
