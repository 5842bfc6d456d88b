// The program that measures the methods on a folder of cases.

import ArgumentParser
import Commands
import Editing
import Evaluation
import Foundation
import Measuring
import Tensors

@main struct EditBenchProgram: Program {
  static let configuration = CommandConfiguration(
    commandName: "edit-bench",
    abstract: "Measure how reliable and how local edits are, where the truth is known.",
    usage: "edit-bench --cases DIR [options]",
    discussion: """
      Each case is a folder with input.png, prompt.txt, case.json ({"kind": "colour", "source": "a caption"}), and, where \
      they are known, target.png and mask.png (white where the truth may differ from the input). Results go into \
      results.json, results.md and trade-off.png; what is there already is not made again.
      """,
    version: programVersion)

  @Option(help: ArgumentHelp("The folder of cases.", valueName: "folder"))
  var cases: String

  @Option(
    help: ArgumentHelp(
      "The base; the embedded one where not given.", valueName: "folder"))
  var base: String?

  @Option(
    help: ArgumentHelp(
      "Which of \(BenchMethod.allCases.map(\.rawValue).joined(separator: ", ")); all where not given.",
      valueName: "names"))
  var methods: MethodList?

  @Option(help: ArgumentHelp("Imagic's alphas: 0,0.5,1 or first:last:step.", valueName: "numbers"))
  var alphas: AlphaList?

  @Option(help: ArgumentHelp("SDEdit's strengths.", valueName: "numbers"))
  var strengths: StrengthList?

  @Option(
    name: .customLong("guidance-scales"),
    help: ArgumentHelp("The guidance scales of DDIM inversion.", valueName: "numbers"))
  var guidanceScales: GuidanceScaleList?

  @Option(
    help: ArgumentHelp(
      "Settings of all edits: a request's keys embedding, finetune and generate, as YAML.",
      valueName: "file"))
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
  var out = ".bench/edits"

  @Flag(name: .customLong("keep-checkpoints"), help: "Keep what was trained; it takes much room.")
  var keepCheckpoints = false

  @Option(help: ArgumentHelp("How many threads compute; all processors where not given."))
  var threads: Int?

  @Flag(help: "One JSON object a line on standard output.")
  var json = false

  @Flag(help: "Only warnings and errors on standard error.")
  var quiet = false

  var console: Console { Console(program: Self._commandName, json: json, quiet: quiet) }

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
    var bench = BenchSettings(out: out)
    if let settings { bench.request = try EditRequest(requestAt: settings) }
    bench.request.base = base.map(Shell.absolute) ?? bench.request.base
    bench.request.generate.alphas = alphas?.values ?? bench.request.generate.alphas
    bench.request.generate.strengths = strengths?.values ?? bench.request.generate.strengths
    bench.request.generate.guidanceScales =
      guidanceScales?.values ?? bench.request.generate.guidanceScales
    bench.methods = methods?.values ?? bench.methods
    bench.learned = try LearnedMetrics(in: metrics ?? LearnedMetrics.defaultFolder)
    bench.keepsCheckpoints = keepCheckpoints
    bench.knownWords = knownWords
    bench.limit = limit
    bench.threads = Parallel.threads
    bench.command = Shell.command
    bench.report = console.show
    for left in bench.learned.leftOut { console.note("left out: \(left)") }
    let folder = Shell.absolute(cases)
    let (report, files) = try EditBench.run(EditCases(in: folder), bench)
    console.result(files: files, text: report.markdown)
  }
}

/// Names of methods, "imagic,sdedit".
struct MethodList: ExpressibleByArgument {
  let values: [BenchMethod]

  init?(argument: String) {
    let values = argument.split(separator: ",").map { BenchMethod(rawValue: String($0)) }
    guard !values.isEmpty, !values.contains(nil), Set(values).count == values.count else {
      return nil
    }
    self.values = values.compactMap { $0 }
  }
}
