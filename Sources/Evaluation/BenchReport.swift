// What the bench leaves: results.json, results.md and trade-off.png.

import Checkpoints
import Editing
import Foundation
import Images
import Measuring

/// All results of a run of the bench.
public struct BenchReport: Codable, Equatable, Sendable {
  public var format = "imagic-edit-bench"
  public var formatVersion = 1
  public var version = programVersion
  /// The base's SHA-256.
  public var base: String
  /// That of the pictures that were compared.
  public var size: PictureSize
  /// The networks that have looked at the edits.
  public var learned: [String]
  /// What was not measured, and why.
  public var leftOut: [String]
  public var summaries: [BenchSummary]
  /// What another picture of all that is known of the truth comes to, of the cases of a kind that have one.
  public struct Again: Codable, Equatable, Sendable {
    public var kind: EditKind
    public var cases: Int
    /// The mean of ``EditScore/edit``.
    public var edit: Double
  }
  public var again: [Again]
  public var results: [CaseResult]
  public var skipped: [EditCases.Skipped]

  enum CodingKeys: String, CodingKey {
    case format
    case formatVersion = "format_version"
    case version, base, size, learned
    case leftOut = "left_out"
    case summaries, again, results, skipped
  }

  init(
    base: String, size: PictureSize, learned: LearnedMetrics, results: [CaseResult],
    again: [(kind: EditKind, edit: Double)], skipped: [EditCases.Skipped]
  ) {
    self.base = base
    self.size = size
    self.learned = learned.names
    leftOut = learned.leftOut
    self.results = results
    self.skipped = skipped
    summaries = BenchSummary.all(of: results)
    self.again = EditKind.allCases.compactMap { kind in
      let edits = again.filter { $0.kind == kind }.map(\.edit)
      return edits.mean.map { Again(kind: kind, cases: edits.count, edit: $0) }
    }
  }

  /// Writes the three files into a folder, each as a whole.
  /// - Returns: their paths.
  /// - Throws: `StoreError` or `ImageError`.
  func write(to folder: String) throws -> [String] {
    let json = try SettingsJSON.encode(self, pretty: true) + "\n"
    let chart = try tradeOff.render().png(text: [PNGText("Software", "imagic \(version)")])
    let files: [(name: String, bytes: [UInt8])] = [
      ("results.json", Array(json.utf8)), ("results.md", Array(markdown.utf8)),
      ("trade-off.png", chart),
    ]
    return try files.map { file in
      let path = "\(folder)/\(file.name)"
      try AtomicFile.write(file.bytes, to: path)
      return path
    }
  }

  /// The summaries as a table, and what the columns are.
  public var markdown: String {
    let header = [
      "kind", "cases", "method", "best at", "edit", "kept (dB)", "SSIM", "distance", "seen",
      "success", "own best: edit", "kept (dB)", "success", "suggested: edit", "kept (dB)",
      "of best", "unchanged (dB)", "mask IoU", "steps", "s",
    ]
    var lines = [row(header), row(header.indices.map { $0 == 0 || $0 == 2 ? "---" : "---:" })]
    lines += summaries.map { summary in
      let (best, own) = (summary.best.figures, summary.ownBest)
      return row([
        summary.kind?.rawValue ?? "all", "\(summary.cases)", summary.method.rawValue,
        summary.best.value.map(NumberList.label) ?? "–", number(best.edit, 2),
        number(best.kept, 1), number(best.similarity, 3), number(best.distance, 3),
        number(best.seen, 2),
        percent(best.success), number(own.edit, 2), number(own.kept, 1), percent(own.success),
        number(summary.suggested?.edit, 2), number(summary.suggested?.kept, 1),
        percent(summary.suggestedShare),
        number(summary.reconstruction, 1), number(summary.overlap, 2),
        number(summary.gradientSteps, 0),
        number(summary.seconds, 1),
      ])
    }
    lines += ["", Self.legend]
    if !again.isEmpty {
      let means = again.map { "\($0.kind.rawValue) \(number($0.edit, 2)) (\($0.cases))" }
      lines += [
        "",
        "The truth drawn once more, with all anew that neither the input nor the sentence tells, comes "
          + "to an *edit* of \(means.joined(separator: ", ")): on average, what pictures as good as the "
          + "truth reach.",
      ]
    }
    if !leftOut.isEmpty { lines += ["", "Left out:", ""] + leftOut.map { "- \($0)" } }
    if !skipped.isEmpty {
      lines += ["", "Skipped:", ""] + skipped.map { "- \($0.name): \($0.reason)" }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let legend = """
    Means over the cases of a kind. *edit* (reliability): 1 - MSE(edit, truth) / MSE(input, truth) where the truth may \
    differ from the input. *kept* (locality): PSNR to the input where it may not; SSIM and the \
    learned perceptual *distance* there too. *seen*: how much of the \
    way from a classifier's logits of the input to those of the truth the edit goes. An edit succeeds with \
    edit > \(EditScore.leastEdit) and kept > \(Int(EditScore.leastKept)) dB. *best at*: the alpha, strength or guidance scale at which the most edits of the kind \
    succeed; *own best*: each case at its own; *suggested*: at the alpha that interpolate-generate suggests, and how much \
    of the edits at their own best that reaches, where they are above 0. *unchanged*: PSNR to the input at alpha, strength or guidance 0. *mask IoU*: \
    intersection over union of the masks that the model has found and of where the truth may differ. *steps* of \
    training and seconds (*s*) are for a case, with all its edits.
    """

  private func row(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |" }

  private func number(_ value: Double?, _ decimals: Int) -> String {
    value.map { String(format: "%.\(decimals)f", $0) } ?? "–"
  }

  private func percent(_ value: Double?) -> String {
    value.map { String(format: "%.0f%%", 100 * $0) } ?? "–"
  }

  /// Reliability against locality over the axis: a curve for each method, a panel for each kind.
  var tradeOff: LineChart {
    let methods = BenchMethod.allCases.filter { method in
      summaries.contains { $0.method == method }
    }
    let panels = EditKind.allCases.compactMap { kind -> LineChart.Panel? in
      let ofKind = summaries.filter { $0.kind == kind }
      guard let cases = ofKind.map(\.cases).max() else { return nil }
      let curves = methods.map { method in
        let places = ofKind.first { $0.method == method }?.curve ?? []
        return places.compactMap { place -> LineChart.Point? in
          guard let edit = place.figures.edit, let kept = place.figures.kept else { return nil }
          return LineChart.Point(x: kept, y: edit, label: place.value.map { $0.formatted() })
        }
      }
      return LineChart.Panel(
        title: "\(kind.rawValue) (\(cases) case\(cases == 1 ? "" : "s"))", curves: curves,
        note: curves.allSatisfy(\.isEmpty) ? "nothing in these cases has to stay, or no truth" : nil
      )
    }
    return LineChart(
      title: "How much of the edit happens, and how much of the rest stays",
      detail:
        "Means over the cases of a kind; the numbers are alphas, strengths and guidance scales. "
        + "Right of 20 dB and above 0.5 an edit succeeds.",
      xLabel: "kept: PSNR to the input where nothing is to change (dB)",
      yLabel: "edit: 1 − MSE(edit, truth) / MSE(input, truth)",
      names: methods.map(\.rawValue), panels: panels, yFloor: -1,
      guide: LineChart.Guide(x: EditScore.leastKept, y: EditScore.leastEdit))
  }
}
