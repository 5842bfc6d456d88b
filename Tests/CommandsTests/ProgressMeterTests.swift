import Editing
import Testing

@testable import Commands

@Suite struct ProgressMeterTests {
  @Test func rateAndTimeLeftComeFromTheLastSteps() throws {
    var meter = ProgressMeter()
    #expect(meter.rate == nil && meter.secondsLeft(of: 10) == nil)
    meter.note(step: 1, at: 100)
    #expect(meter.rate == nil)
    // Two seconds a step, then half a second a step: after the window only the latter counts.
    for step in 2...4 { meter.note(step: step, at: 100 + 2 * Double(step - 1)) }
    #expect(meter.rate == 0.5)
    #expect(meter.secondsLeft(of: 10) == 12)
    for step in 5...40 { meter.note(step: step, at: 106 + 0.5 * Double(step - 4)) }
    #expect(meter.rate == 2)
  }

  @Test func aNewStageStartsTheMeasurementAnew() {
    var meter = ProgressMeter()
    meter.note(step: 5, at: 1)
    meter.note(step: 6, at: 2)
    meter.note(step: 1, at: 3)
    #expect(meter.rate == nil)
  }

  @Test func theLineTellsStepLossRateAndTimeLeft() {
    var meter = ProgressMeter()
    meter.note(step: 9, at: 0)
    meter.note(step: 10, at: 0.1)
    let progress = StageProgress(stage: .embedOptimize, step: 10, steps: 100, loss: 0.12345)
    #expect(meter.line(progress) == "step 10/100, loss 0.1235, 10.0 steps/s, 9 s left")
    let last = StageProgress(stage: .embedOptimize, step: 10, steps: 10, subject: "alpha 0.50")
    #expect(meter.line(last) == "step 10/10, alpha 0.50, 10.0 steps/s")
  }

  @Test func durationsAndRatesAreWords() {
    #expect(ProgressMeter.describe(seconds: 59.4) == "59 s")
    #expect(ProgressMeter.describe(seconds: 200) == "3 min 20 s")
    #expect(ProgressMeter.describe(seconds: 7500) == "2 h 05 min")
    #expect(ProgressMeter.describe(rate: 0.1) == "10.0 s/step")
  }

  @Test func theBarIsFilledAsFarAsTheStageIs() {
    let progress = StageProgress(stage: .embedOptimize, step: 3, steps: 4)
    #expect(ProgressMeter.bar(progress, width: 8) == "██████░░")
  }
}
