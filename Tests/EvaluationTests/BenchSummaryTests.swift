import Measuring
import Testing

@testable import Editing
@testable import Evaluation

@Suite struct BenchSummaryTests {
  /// A case with an edit for each of the alphas 0, 0.5 and 1.
  private func result(
    _ name: String, kind: EditKind = .colour, method: BenchMethod = .imagic, edits: [Double],
    kept: [Double], suggested: Double? = nil
  ) -> CaseResult {
    CaseResult(
      name: name, kind: kind, method: method,
      points: zip([0, 0.5, 1], zip(edits, kept)).map { place, figures in
        CaseResult.Point(
          place: place, seed: nil, score: EditScore(edit: figures.0, kept: figures.1), file: "")
      },
      reconstruction: 26, suggested: suggested, gradientSteps: 300, seconds: 5)
  }

  @Test func theBestPlaceIsWhereMostSucceed() throws {
    let results = [
      result("a", edits: [0, 0.6, 0.9], kept: [26, 24, 21]),
      result("b", edits: [0, 0.2, 0.7], kept: [26, 24, 22]),
      result("c", edits: [0, 0.8, 0.9], kept: [26, 23, 10]),
    ]
    let summary = try #require(BenchSummary(kind: .colour, method: .imagic, results: results))
    #expect(summary.cases == 3 && summary.curve.map(\.value) == [0, 0.5, 1])
    // Two succeed at 0.5 and at 1; with what is missing of 20 dB, 0.5 is the better.
    #expect(summary.curve.map { $0.figures.success } == [0, 2.0 / 3, 2.0 / 3])
    #expect(summary.best.value == 0.5)
    #expect(abs(try #require(summary.best.figures.edit) - 1.6 / 3) < 1e-12)
    // Each at its own: 1, 1 and 0.5.
    #expect(summary.ownBest.success == 1)
    #expect(abs(try #require(summary.ownBest.edit) - 2.4 / 3) < 1e-12)
    #expect(abs(try #require(summary.ownBest.kept) - 66.0 / 3) < 1e-12)
    #expect(summary.reconstruction == 26 && summary.gradientSteps == 300 && summary.seconds == 5)
  }

  @Test func theSuggestedAlphaIsHeldAgainstTheBest() throws {
    let results = [
      result("a", edits: [0, 0.6, 0.9], kept: [26, 24, 21], suggested: 0.5),
      result("b", edits: [0, 0.2, 0.7], kept: [26, 24, 22], suggested: 1),
      // Nothing to reach.
      result("c", edits: [-0.1, -0.2, -0.3], kept: [26, 23, 15], suggested: 1),
    ]
    let summary = try #require(BenchSummary(kind: .colour, method: .imagic, results: results))
    #expect(abs(try #require(summary.suggestedShare) - 1.3 / 1.6) < 1e-12)
    #expect(abs(try #require(summary.suggested?.edit) - 1.0 / 3) < 1e-12)
    let none = try #require(
      BenchSummary(
        kind: .colour, method: .sdedit,
        results: [result("a", edits: [0, 0.6, 0.9], kept: [26, 24, 21])]))
    #expect(none.suggested == nil && none.suggestedShare == nil)
  }

  @Test func aSuccessIsBetterThanAHigherRank() {
    // 0.52 of the edit with 20.1 dB succeeds; 0.9 with 19.9 dB does not, and ranks higher.
    let result = result("a", edits: [0, 0.52, 0.9], kept: [26, 20.1, 19.9])
    #expect(result.best?.place == 0.5)
  }

  @Test func kindsAndMethodsStandByThemselvesAndTogether() {
    let results = [
      result("a", edits: [0, 0.6, 0.9], kept: [26, 24, 21]),
      result("a", method: .sample, edits: [0, 0, 0], kept: [10, 10, 10]),
      result("b", kind: .lighting, edits: [0, 0.2, 0.7], kept: [26, 24, 22]),
    ]
    let summaries = BenchSummary.all(of: results)
    #expect(
      summaries.map { "\($0.kind?.rawValue ?? "all") \($0.method.rawValue) \($0.cases)" } == [
        "colour imagic 1", "colour sample 1", "lighting imagic 1", "all imagic 2", "all sample 1",
      ])
  }

  @Test func theTableHasALineForEachSummaryAndTellsWhatWasLeftOut() {
    let report = BenchReport(
      base: "01", size: PictureSize(width: 64, height: 64), learned: LearnedMetrics(),
      results: [
        result("a", edits: [0, 0.6, 0.9], kept: [26, 24, 21]),
        CaseResult(
          name: "a", kind: .colour, method: .sample,
          points: [.init(place: nil, seed: 0, score: EditScore(edit: -0.25, kept: 9), file: "")],
          reconstruction: nil, gradientSteps: 0, seconds: 0.25),
      ], again: [(.colour, 0.5), (.colour, 0.25), (.position, -1)],
      skipped: [.init(name: "b", reason: "why")])
    let lines = report.markdown.split(separator: "\n")
    #expect(
      lines[2]
        == "| colour | 1 | imagic | 1.00 | 0.90 | 21.0 | – | – | – | 100% | 0.90 | 21.0 | 100% | – | – | – | 26.0 | – | 300 | 5.0 |"
    )
    #expect(
      lines[3]
        == "| colour | 1 | sample | – | -0.25 | 9.0 | – | – | – | 0% | -0.25 | 9.0 | 0% | – | – | – | – | – | 0 | 0.2 |"
    )
    #expect(lines.contains("- b: why"))
    #expect(
      report.markdown.contains("an *edit* of colour 0.38 (2), position -1.00 (1): on average,"))
    // A table's lines all have as many cells.
    #expect(Set(lines[0..<6].map { $0.filter { $0 == "|" }.count }).count == 1)
  }

  @Test func theChartHasAPanelForEachKindAndACurveForEachMethod() {
    let report = BenchReport(
      base: "01", size: PictureSize(width: 64, height: 64), learned: LearnedMetrics(),
      results: [
        result("a", edits: [0, 0.6, 0.9], kept: [26, 24, 21]),
        result("b", kind: .lighting, edits: [0, 0.2, 0.7], kept: [26, 24, 22]),
        result("b", kind: .lighting, method: .sdedit, edits: [0, 0.1, 0.2], kept: [20, 19, 18]),
      ], again: [], skipped: [])
    let chart = report.tradeOff
    #expect(chart.names == ["imagic", "sdedit"])
    #expect(chart.panels.map(\.title) == ["colour (1 case)", "lighting (1 case)"])
    #expect(chart.panels[0].curves[1].isEmpty)
    #expect(
      chart.panels[1].curves[1] == [
        .init(x: 20, y: 0, label: "0"), .init(x: 19, y: 0.1, label: "0.5"),
        .init(x: 18, y: 0.2, label: "1"),
      ])
  }
}
