// What the seams of all cases say together: seams.json and seams.md.

import Editing
import Foundation

/// All results, and their means.
struct SeamReport: Codable, Equatable {
  var format = "imagic-seam-bench"
  var version = programVersion
  /// The base's SHA-256.
  var base: String
  var size: PictureSize
  var results: [SeamResult]

  /// A mean with its standard error.
  struct Mean: Equatable {
    let value: Double
    let error: Double

    /// - Returns: nil where there are no values.
    init?(_ values: [Double]) {
      guard let mean = values.mean else { return nil }
      let spread = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let count = Double(values.count)
      self.value = mean
      error = count > 1 ? (spread / (count - 1) / count).squareRoot() : 0
    }

    func described(_ decimals: Int) -> String {
      String(format: "%+.\(decimals)f ± %.\(decimals)f", value, error)
    }
  }

  /// What a plan gains over its straight rival on the same cases; below 0 is better.
  /// - Returns: nil where there is no rival, or nothing to compare.
  func gain(of plan: SeamPlan, _ figure: (SeamResult) -> Double?) -> Mean? {
    let rivals = results.filter { $0.plan.isRival(of: plan) }
    let ofRivals = Dictionary(rivals.map { ($0.name, figure($0)) }) { first, _ in first }
    return Mean(
      results.filter { $0.plan == plan }.compactMap { result in
        guard let mine = figure(result), let other = ofRivals[result.name] ?? nil else {
          return nil
        }
        return mine - other
      })
  }

  /// A row for each plan.
  var markdown: String {
    let header = [
      "calls", "sampler", "steps", "jump", "resample", "jump across the seam", "seam error",
      "against more steps", "learned distance", "against more steps",
    ]
    var lines = [row(header), row(header.map { _ in "---:" })]
    let plans = SeamPlan.all.filter { plan in results.contains { $0.plan == plan } }
    for plan in plans {
      let found = results.filter { $0.plan == plan }
      lines.append(
        row([
          "\(plan.calls)", plan.sampler.rawValue, "\(plan.steps)",
          plan.isStraight ? "–" : "\(plan.jump)", plan.isStraight ? "–" : "\(plan.resample)",
          number(found.map(\.jump).mean, 2), number(found.map(\.error).mean, 2),
          gain(of: plan, \.error)?.described(2) ?? "–",
          number(found.compactMap(\.distance).mean, 4),
          gain(of: plan, \.distance)?.described(4) ?? "–",
        ]))
    }
    let cases = Set(results.map(\.name)).count
    let own = number(results.map(\.own).mean, 2)
    lines += [
      "",
      "Means over \(cases) pictures of \(size). *Jump across the seam*: the mean absolute difference of the pixels on "
        + "either side, of 255; the photographs' own is \(own), and the *seam error* how far each is from it. *Against more "
        + "steps*: the mean difference to the walk of as many calls without resampling, with its standard error; below 0 "
        + "resampling is better.",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  private func row(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |" }

  private func number(_ value: Double?, _ decimals: Int) -> String {
    value.map { String(format: "%.\(decimals)f", $0) } ?? "–"
  }
}
