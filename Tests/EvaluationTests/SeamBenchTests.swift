// The bench of seams on a case made on the spot, a few steps each.

import Foundation
import TestSupport
import Testing

@testable import Evaluation

/// Serialised: each test keeps all processors busy as it is.
@Suite(.serialized) struct SeamBenchTests {
  private static let program = BuiltProgram("seam-bench")
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func arguments(_ more: [String] = []) throws -> [String] {
    [
      "--cases", folder.path, "--settings", try folder.settings(), "--out", "\(folder.path)/.out",
      "--base", Repository.base,
    ] + more
  }

  @Test func everyPlanIsMeasuredOnceAndTheSameEveryTime() throws {
    try folder.writeCase("a")
    let first = try Self.program.run(arguments())
    #expect(first.status == 0, "\(first.errors)")
    let table = first.output.split(separator: "\n").filter { $0.hasPrefix("| ") }
    #expect(table.count == 2 + SeamPlan.all.count)
    let results = URL(fileURLWithPath: "\(folder.path)/.out/seams.json")
    let before = try Data(contentsOf: results)
    let again = try Self.program.run(arguments())
    #expect(again.status == 0 && !again.errors.contains("step "))
    #expect(try Data(contentsOf: results) == before)
  }

  @Test func withoutAMaskThereIsNothingToMeasure() throws {
    try folder.writeCase("a")
    try FileManager.default.removeItem(atPath: "\(folder.path)/a/mask.png")
    let result = try Self.program.run(arguments())
    #expect(result.status == 65)
    #expect(result.errors.contains("found no case with a caption and a mask"))
  }
}
