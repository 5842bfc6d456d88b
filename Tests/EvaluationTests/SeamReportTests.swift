import Editing
import Testing

@testable import Evaluation

@Suite struct SeamReportTests {
  private let straight = SeamPlan(sampler: .ddpm, steps: 50, jump: 1, resample: 1)
  private let again = SeamPlan(sampler: .ddpm, steps: 20, jump: 5, resample: 3)

  private func result(_ name: String, _ plan: SeamPlan, jump: Double, distance: Double? = nil)
    -> SeamResult
  {
    SeamResult(name: name, plan: plan, jump: jump, own: 10, distance: distance)
  }

  private func report(_ results: [SeamResult]) -> SeamReport {
    SeamReport(base: "01", size: PictureSize(width: 64, height: 64), results: results)
  }

  @Test func aGainIsThatOnTheSameCasesWithItsStandardError() throws {
    let report = report([
      result("a", straight, jump: 14, distance: 0.5), result("b", straight, jump: 8),
      result("a", again, jump: 11, distance: 0.25), result("b", again, jump: 13),
      result("c", again, jump: 99),
    ])
    // Errors 4 and 2 become 1 and 3: by -3 and +1, whose mean is -1 and whose deviation is the root of 8.
    let gain = try #require(report.gain(of: again, \.error))
    #expect(gain.value == -1 && abs(gain.error - 2) < 1e-12)
    #expect(report.gain(of: again, \.distance)?.value == -0.25)
    #expect(report.gain(of: straight, \.error) == nil)
  }

  @Test func theTableHasALineForEachPlanThatWasRun() {
    let lines = report([
      result("a", straight, jump: 14), result("a", again, jump: 11.5),
    ]).markdown.split(separator: "\n")
    #expect(lines[2] == "| 50 | ddpm | 50 | – | – | 14.00 | 4.00 | – | – | – |")
    #expect(lines[3] == "| 50 | ddpm | 20 | 5 | 3 | 11.50 | 1.50 | -2.50 ± 0.00 | – | – |")
    #expect(lines.count == 5 && lines[4].contains("Means over 1 pictures of 64x64."))
  }
}
