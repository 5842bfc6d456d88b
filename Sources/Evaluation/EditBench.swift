// The bench: every method on every case, and what they say together.

import Checkpoints
import Editing
import Foundation

/// Measures methods on a folder of cases.
public enum EditBench {
  private static let badCase: Set<ExitStatus> = [.badData, .noInput, .internalError]

  /// Runs what is not there yet, and writes the report. A case that turns out bad is told and left out.
  /// - Parameter keepsCheckpoints: whether what was trained is kept once the edits are made; it is large.
  /// - Returns: the report, and the files that were written.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to
  ///   stop, after a report of what there is.
  public static func run(
    _ cases: EditCases, _ settings: CaseSettings, methods: [BenchMethod] = BenchMethod.allCases,
    keepsCheckpoints: Bool = false
  ) throws -> (report: BenchReport, files: [String]) {
    try RunFolder(path: settings.out).create()
    let lock = try RunLock(folder: settings.out)
    defer { lock.release() }
    let base = try settings.base()
    let size = settings.request.size ?? base.defaultSize
    let baseDigest = try base.digest()
    let cases = try settings.taken(of: cases, by: base)
    var skipped = cases.skipped
    for bad in skipped { settings.report(.warning("skipped \(bad.name): \(bad.reason)")) }

    var results: [CaseResult] = []
    var again: [(kind: EditKind, edit: Double)] = []
    func report() throws -> (report: BenchReport, files: [String]) {
      let report = BenchReport(
        base: baseDigest, size: size, learned: settings.learned, results: results, again: again,
        skipped: skipped)
      return (report, try report.write(to: settings.out))
    }
    for (index, editCase) in cases.cases.enumerated() {
      let subject = "case \(index + 1)/\(cases.cases.count) \(editCase.name)"
      func run(_ method: BenchMethod) -> CaseRun {
        CaseRun(
          editCase: editCase, method: method, settings: settings, baseDigest: baseDigest,
          size: size,
          subject: "\(subject) \(method.rawValue)")
      }
      for method in methods where method.suits(editCase) {
        let run = run(method)
        do {
          let (result, isOld) = try run.result()
          results.append(result)
          if !isOld { settings.report(.note("\(subject) \(result.description)")) }
        } catch  where badCase.contains(ExitStatus(of: error)) {
          skipped.append(.init(name: "\(editCase.name) \(method.rawValue)", reason: "\(error)"))
          settings.report(.warning("skipped \(editCase.name) \(method.rawValue): \(error)"))
        } catch let error as EditingError where error.status == .stopped {
          if !results.isEmpty { _ = try report() }
          throw error
        }
      }
      if results.last?.name == editCase.name, let edit = try? editCase.again(at: size) {
        again.append((editCase.kind, edit))
      }
      if !keepsCheckpoints {
        for method in [BenchMethod.imagic, .captionedImagic] { run(method).removeCheckpoints() }
      }
    }
    guard !results.isEmpty else {
      throw EditingError(
        .badData, "found no case that can be used: \(skipped.last?.reason ?? "there is none")")
    }
    return try report()
  }
}

extension CaseResult: CustomStringConvertible {
  /// The best edit in one line.
  public var description: String {
    var parts = [method.rawValue]
    if let best {
      if let place = best.place { parts[0] += " at \(NumberList.label(place))" }
      if let edit = best.score.edit { parts.append(String(format: "edit %.2f", edit)) }
      if let kept = best.score.kept { parts.append(String(format: "kept %.1f dB", kept)) }
    }
    parts.append(String(format: "%.1f s", seconds))
    return parts.joined(separator: ", ")
  }
}
