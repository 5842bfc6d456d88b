// The program that measures how well repainted regions join the rest.

import ArgumentParser
import Commands
import Editing
import Evaluation
import Foundation
import Measuring
import Tensors

@main struct SeamBenchProgram: Program {
  static let configuration = CommandConfiguration(
    commandName: "seam-bench",
    abstract: "Compare RePaint's resampling with as many calls of the model spent on more steps.",
    usage: "seam-bench --cases DIR [options]",
    discussion: """
      Repaints the region of each case's mask.png in its input.png by its caption (see edit-bench for the form of a case), \
      and measures the jump of colour across the seam and the learned distance to the photograph. Results go into \
      seams.json and seams.md; what is there already is not made again.
      """,
    version: programVersion)

  @Option(help: ArgumentHelp("The folder of cases.", valueName: "folder"))
  var cases: String

  @Option(help: ArgumentHelp("The base; the embedded one where not given.", valueName: "folder"))
  var base: String?

  @Option(
    help: ArgumentHelp(
      "Settings of all edits: a request's key generate, as YAML.", valueName: "file"))
  var settings: String?

  @Option(
    help: ArgumentHelp(
      "The learned metrics' weights; imagic/metrics in the user's cache where not given.",
      valueName: "folder"))
  var metrics: String?

  @Flag(
    name: .customLong("known-words"),
    help: "Leave out cases with words that the base has never seen.")
  var knownWords = false

  @Option(help: ArgumentHelp("How many cases of each kind at most.", valueName: "number"))
  var limit: Int?

  @Option(help: ArgumentHelp("Where the results go.", valueName: "folder"))
  var out = ".bench/seams"

  @Option(help: ArgumentHelp("How many threads compute; all processors where not given."))
  var threads: Int?

  @Flag(help: "Only warnings and errors on standard error.")
  var quiet = false

  var console: Console { Console(program: Self._commandName, quiet: quiet) }

  func validate() throws {
    try check(cases, .path, "--cases")
    try check(base, .path, "--base")
    try check(metrics, .path, "--metrics")
    try check(out, .path, "--out")
    try check(limit, .steps, "--limit")
    try check(threads, .threads, "--threads")
  }

  func perform() throws {
    let console = console
    if let threads { Parallel.setThreads(threads) }
    var bench = SeamSettings(out: out)
    if let settings { bench.request = try EditRequest(requestAt: settings) }
    bench.request.base = base.map(Shell.absolute) ?? bench.request.base
    bench.learned = try LearnedMetrics(in: metrics ?? LearnedMetrics.defaultFolder)
    bench.knownWords = knownWords
    bench.limit = limit
    bench.threads = Parallel.threads
    bench.command = Shell.command
    bench.report = console.show
    for left in bench.learned.leftOut { console.note("left out: \(left)") }
    let (text, files) = try SeamBench.run(
      EditCases(in: Shell.absolute(cases)), bench)
    console.result(files: files, text: text)
  }
}
