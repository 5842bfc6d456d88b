// What the benches work by, and the flags that set it.

import ArgumentParser
import Commands
import Editing
import Foundation
import Measuring
import Tensors

/// What a bench does with every case.
public struct CaseSettings {
  /// Settings of all edits beside photograph and sentence; absent ones are the base's own.
  public var request = EditRequest()
  /// Whether cases with words that the base has never seen are left out.
  public var knownWords = false
  /// How many cases of each kind are taken at most; nil for all.
  public var limit: Int?
  /// Where the results go.
  public var out: String
  public var threads = 1
  public var command = ""
  /// The networks that look at the edits.
  public var learned = LearnedMetrics()
  public var report: (StageEvent) -> Void = { _ in }
  public var shouldStop: () -> Bool = { StopSignal.number != nil }

  public init(out: String) { self.out = out }

  /// The base that is asked for, or the embedded one.
  /// - Throws: `EditingError` or `LoadingError`.
  func base() throws -> Base {
    var request = request
    (request.image, request.prompt) = ("", "")
    return try Base(path: EditSettings(request: request, flags: EditRequest()).base)
  }

  /// The cases that are taken.
  /// - Throws: `EditingError`.
  func taken(of cases: EditCases, by base: Base) throws -> EditCases {
    try (knownWords ? cases.known(to: base) : cases).limited(to: limit)
  }
}

/// The flags of every program that goes through a folder of cases.
public struct CaseOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of cases.", valueName: "folder"))
  public var cases: String

  @Option(help: ArgumentHelp("The base; the embedded one where not given.", valueName: "folder"))
  public var base: String?

  @Option(
    help: ArgumentHelp(
      "Settings of all edits: a request's keys embedding, finetune and generate, as YAML.",
      valueName: "file"))
  public var settings: String?

  @Option(
    help: ArgumentHelp(
      "The learned metrics' weights; imagic/metrics in the user's cache where not given.",
      valueName: "folder"))
  public var metrics: String?

  @Flag(
    name: .customLong("known-words"),
    help: "Leave out cases with words that the base has never seen.")
  public var knownWords = false

  @Option(help: ArgumentHelp("How many cases of each kind at most.", valueName: "number"))
  public var limit: Int?

  @Option(help: ArgumentHelp("How many threads compute; all processors where not given."))
  public var threads: Int?

  @Flag(help: "Only warnings and errors on standard error.")
  public var quiet = false

  public init() {}

  public mutating func validate() throws {
    try check(cases, .path, "--cases")
    try check(base, .path, "--base")
    try check(metrics, .path, "--metrics")
    try check(limit, .steps, "--limit")
    try check(threads, .threads, "--threads")
  }

  /// Reads what the flags name, and says what of the learned metrics is left out.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells.
  public func read(out: String, console: Console) throws -> (
    cases: EditCases, settings: CaseSettings
  ) {
    if let threads { Parallel.setThreads(threads) }
    var result = CaseSettings(out: out)
    if let settings { result.request = try EditRequest(requestAt: settings) }
    result.request.base = base.map(Shell.absolute) ?? result.request.base
    result.learned = try LearnedMetrics(in: metrics ?? LearnedMetrics.defaultFolder)
    result.knownWords = knownWords
    result.limit = limit
    result.threads = Parallel.threads
    result.command = Shell.command
    result.report = console.show
    let cases = try EditCases(in: Shell.absolute(cases))
    _ = try result.base()
    // Only once nothing is wrong: a wrong call gets one line.
    for left in result.learned.leftOut { console.note("left out: \(left)") }
    return (cases, result)
  }
}
