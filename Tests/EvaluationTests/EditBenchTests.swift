// The bench on cases made on the spot, a few steps each.

import Foundation
import Images
import TestSupport
import Testing

@testable import Editing
@testable import Evaluation

/// Serialised: each test keeps all processors busy as it is.
@Suite(.serialized) struct EditBenchTests {
  private static let program = BuiltProgram("edit-bench")
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func arguments(out: String = "out", _ more: [String] = []) throws -> [String] {
    [
      "--cases", folder.path, "--settings", try folder.settings(), "--out",
      "\(folder.path)/.\(out)", "--base", Repository.base,
    ] + more
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/.\(name)"))
  }

  private func report(_ out: String) throws -> BenchReport {
    let text = String(decoding: try bytes("\(out)/results.json"), as: UTF8.self)
    return try SettingsJSON.decode(BenchReport.self, from: text, source: out)
  }

  /// The results without the times that they took.
  private func results(_ out: String) throws -> [CaseResult] {
    try report(out).results.map { result in
      var result = result
      result.seconds = 0
      return result
    }
  }

  @Test func everyMethodIsMeasuredAndNothingIsMadeTwice() throws {
    try folder.writeCase("a")
    try folder.writeCase("b", kind: "background", withTarget: false)
    try folder.writeCase("bad", kind: "size")
    let first = try Self.program.run(arguments())
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.errors.contains("warning: skipped bad: "))
    #expect(first.output.contains("| colour | 1 | imagic |") && first.output.contains("- bad: "))
    let results = try results("out")
    #expect(
      results.map(\.name) == Array(repeating: "a", count: 8) + Array(repeating: "b", count: 8))
    #expect(results.prefix(8).map(\.method) == BenchMethod.allCases)
    // Only the case with a truth has it drawn once more.
    let onceMore = try report("out").again
    #expect(onceMore.map(\.kind) == [.colour] && onceMore[0].cases == 1)
    #expect((0.9..<0.999).contains(onceMore[0].edit), "\(onceMore[0].edit)")
    #expect(results.map(\.points.count) == [3, 3, 2, 2, 1, 3, 3, 1, 3, 3, 2, 2, 1, 3, 3, 1])
    #expect(results.map(\.gradientSteps) == [6, 6, 0, 0, 0, 6, 6, 0, 6, 6, 0, 0, 0, 6, 6, 0])
    let (imagic, sdedit) = (results[0], results[2])
    #expect(imagic.points.allSatisfy { $0.score.edit != nil && $0.score.kept != nil })
    #expect(results[8].points.allSatisfy { $0.score.edit == nil && $0.score.kept != nil })
    // Within the case's mask all else stays the input, and what is trained is trained once.
    for (point, masked) in zip(imagic.points, results[5].points) {
      #expect(masked.place == point.place)
      #expect(try #require(masked.score.kept) > #require(point.score.kept) + 3)
    }
    #expect(results.map { $0.overlap != nil } == results.map { $0.method == .autoMaskedImagic })
    for name in ["training", "training-captioned-imagic"] {
      let training = try FileManager.default.contentsOfDirectory(
        atPath: "\(folder.path)/.out/cases/a/\(name)"
      ).sorted()
      #expect(training == [".lock", "identity.json", "manifest.json"])
    }
    // SDEdit of no strength is what the autoencoder gives, and nothing else gives more.
    let reconstruction = try #require(sdedit.reconstruction)
    #expect(reconstruction > 18 && reconstruction >= (imagic.reconstruction ?? 0) - 0.5)
    #expect(results[4].reconstruction == nil)
    #expect(
      [0.5, 1].contains(imagic.suggested) && results[1].suggested != nil && sdedit.suggested == nil)
    let left = try FileManager.default.contentsOfDirectory(
      atPath: "\(folder.path)/.out/cases/a/imagic"
    ).sorted()
    #expect(
      left == [
        ".lock", "contact-sheet.png", "edits", "identity.json", "manifest.json", "result.json",
        "suggestion.json",
      ])
    for file in ["results.md", "trade-off.png"] { #expect(try !bytes("out/\(file)").isEmpty) }

    let before = try bytes("out/results.json")
    let again = try Self.program.run(arguments())
    #expect(again.status == 0 && !again.errors.contains("step ") && !again.errors.contains("case "))
    #expect(try bytes("out/results.json") == before)

    // Another sentence: that case is made anew.
    _ = try folder.write("a photo of a blue cow", to: "a/prompt.txt")
    let other = try Self.program.run(arguments(["--methods", "sdedit,imagic"]))
    #expect(other.errors.contains("case 1/2 a sdedit") && !other.errors.contains("2/2 b sdedit"))
    let changed = try self.results("out")
    #expect(changed.map(\.method) == [.sdedit, .imagic, .sdedit, .imagic])
    #expect(changed[0].points != sdedit.points && changed[2].points == results[10].points)
  }

  @Test func killedAndRunAgainItComesToTheSame() throws {
    try folder.writeCase("a")
    try folder.writeCase("b", kind: "object")
    // One of each kind: trained, lent what was trained, and neither.
    let methods = ["--methods", "imagic,masked-imagic,sdedit"]
    let start = Date()
    #expect(try Self.program.run(arguments(out: "whole", methods)).status == 0)
    let kills = try Self.program.killedUntilComplete(
      arguments(out: "killed", methods), whole: -start.timeIntervalSinceNow)
    #expect(kills > 0)
    #expect(try results("killed") == results("whole"))
  }

  @Test func toldToStopItReportsWhatThereIsAndSaysHowToGoOn() throws {
    try folder.writeCase("a")
    try folder.writeCase("b")
    var bench = CaseSettings(out: "\(folder.path)/.out")
    bench.request = try EditRequest(requestAt: folder.settings())
    bench.request.base = Repository.base
    bench.command = "the command"
    final class Counter { var value = 0 }
    let done = Counter()
    bench.report = { if case .note = $0 { done.value += 1 } }
    bench.shouldStop = { done.value == 1 }
    let cases = try EditCases(in: folder.path)
    let error = try #require(throws: EditingError.self) {
      try EditBench.run(cases, bench, methods: [.sdedit])
    }
    #expect(error.status == .stopped && error.description.hasSuffix("go on with: the command"))
    #expect(try results("out").map(\.name) == ["a"])
    bench.shouldStop = { false }
    let whole = try EditBench.run(cases, bench, methods: [.sdedit])
    #expect(whole.report.results.map(\.name) == ["a", "b"])
  }

  @Test func aCaseThatIsNoneIsLeftOut() throws {
    try folder.writeCase("a")
    try folder.writeCase("same")
    try FileManager.default.removeItem(atPath: "\(folder.path)/same/target.png")
    try FileManager.default.copyItem(
      atPath: "\(folder.path)/same/input.png", toPath: "\(folder.path)/same/target.png")
    let result = try Self.program.run(arguments(["--methods", "sample"]))
    #expect(result.status == 0)
    #expect(
      result.errors.contains("skipped same sample: ")
        && result.errors.contains("found a target that is no other than the input"))
    #expect(try results("out").map(\.name) == ["a"])
  }

  @Test(arguments: [
    (["--methods", "magic"], 64, "--methods"), (["--limit", "0"], 64, "--limit: found 0"),
    (["--base", "none"], 66, "none"), (["--settings", "none.yaml"], 66, "none.yaml"),
    (["--cases", "none"], 66, "none: there is no such folder"),
  ]) func aWrongCallGetsOneLine(arguments: [String], status: Int32, says: String) throws {
    try folder.writeCase("a")
    var all = ["--cases", folder.path, "--out", "\(folder.path)/.out"]
    if arguments[0] == "--cases" { all.removeFirst(2) }
    let result = try Self.program.run(all + arguments)
    #expect(result.status == status && result.errors.contains(says), "\(result.errors)")
    #expect(result.errors.filter { $0 == "\n" }.count == 1 && result.output.isEmpty)
  }
}
