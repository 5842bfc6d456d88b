import Testing

@testable import Diffusion

@Suite struct ResamplingScheduleTests {
  /// The numbers of the paper's schedule and of two shorter ones.
  @Test(arguments: [(250, 10, 10, 4571, 2410), (50, 5, 3, 231, 140), (20, 5, 3, 81, 50)])
  func countsAreRePaints(steps: Int, jump: Int, resample: Int, times: Int, calls: Int) throws {
    let schedule = try ResamplingSchedule(steps: steps, jump: jump, resample: resample)
    #expect(schedule.times.count == times)
    #expect(schedule.calls == calls)
  }

  /// Worked out by hand: jumps at 2 and at 0.
  @Test func aShortOneIsWrittenOut() throws {
    let schedule = try ResamplingSchedule(steps: 6, jump: 2, resample: 2)
    #expect(schedule.times == [5, 4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0, -1])
  }

  @Test func timesAreThoseOfDiffusers() throws {
    let references = try ScheduleReferences.load().resamplings
    for reference in references {
      let schedule = try ResamplingSchedule(
        steps: reference.steps, jump: reference.jump, resample: reference.resample)
      #expect(schedule.times == reference.times)
    }
    #expect(references.count == 8)
  }

  @Test func aWalkWithoutStepsIsAtItsEnd() {
    #expect(ResamplingSchedule(steps: 0).times == [-1])
    #expect(ResamplingSchedule(steps: 0).calls == 0)
  }

  @Test(arguments: [1, 2, 250]) func sampledOnceItIsStraight(steps: Int) throws {
    let straight = ResamplingSchedule(steps: steps)
    #expect(straight.times == (-1..<steps).reversed())
    #expect(straight.calls == steps)
    // Whatever the jump would be.
    try #expect(ResamplingSchedule(steps: steps, jump: 300, resample: 1) == straight)
  }

  @Test(arguments: [(10, 10, 2), (10, 11, 2), (1, 1, 2), (0, 1, 1), (10, 0, 2), (10, 2, 0)])
  func impossibleJumpsAreRefused(steps: Int, jump: Int, resample: Int) {
    let error = #expect(throws: ScheduleError.self) {
      try ResamplingSchedule(steps: steps, jump: jump, resample: resample)
    }
    #expect(error?.description.contains("wanted") == true)
  }

  @Test(
    arguments: [
      ([3, 2, 1, 0, -1], nil), ([3, 2, 3, 2, 1, 0, 1, 0, -1], nil),
      ([], "found none first, wanted 3"), ([2, 1, 0, -1], "found 2 first, wanted 3"),
      ([4, 3, 2, 1, 0, -1], "found 4 first, wanted 3"), ([3, 2, 0, -1], "found 0 after 2 at 2"),
      ([3, 2, 2, 1, 0, -1], "found 2 after 2 at 2"),
      ([3, 4, 3, 2, 1, 0, -1], "found 4 after 3 at 1"),
      ([3, 2, 1, 0, -1, 0, -1], "found 0 after -1 at 5"),
      ([3, 2, 1, 0, -1, -2], "found -2 after -1"),
      ([3, 2, 1, 0], "found 0 last, wanted -1"), ([3], "found 3 last, wanted -1"),
    ] as [([Int], String?)])
  func ordersAreChecked(times: [Int], problem: String?) throws {
    guard let problem else {
      try #expect(ResamplingSchedule(steps: 4, times: times).times == times)
      return
    }
    let error = #expect(throws: ScheduleError.self) {
      try ResamplingSchedule(steps: 4, times: times)
    }
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
  }
}
