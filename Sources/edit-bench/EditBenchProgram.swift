// The program that measures the methods on a folder of cases.

import ArgumentParser
import Commands
import Editing
import Evaluation

@main struct EditBenchProgram: Program {
  static let configuration = CommandConfiguration(
    commandName: "edit-bench",
    abstract: "Measure how reliable and how local edits are, where the truth is known.",
    usage: "edit-bench --cases DIR [options]",
    discussion: """
      Each case is a folder with input.png, prompt.txt, case.json ({"kind": "colour", "source": "a caption"}), and, where \
      they are known, target.png, mask.png (white where the truth may differ from the input) and again.png (the truth once \
      more, with all drawn anew that neither the input nor the sentence tells). Results go into results.json, results.md \
      and trade-off.png; what is there already is not made again.
      """,
    version: programVersion)

  @OptionGroup var options: CaseOptions

  @Option(
    help: ArgumentHelp(
      "Which of \(BenchMethod.allCases.map(\.rawValue).joined(separator: ", ")); all where not given.",
      valueName: "names"))
  var methods: MethodList?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Imagic's alphas: 0,0.5,1 or first:last:step.", valueName: "numbers"),
    transform: { try numbers($0, within: .alphas) })
  var alphas: NumberValues<Double>?

  @Option(
    help: ArgumentHelp("SDEdit's strengths.", valueName: "numbers"),
    transform: { try numbers($0, within: .strengths) })
  var strengths: NumberValues<Double>?

  @Option(
    name: .customLong("guidance-scales"),
    help: ArgumentHelp("The guidance scales of DDIM inversion.", valueName: "numbers"),
    transform: { try numbers($0, within: .guidanceScales) })
  var guidanceScales: NumberValues<Double>?

  @Option(help: ArgumentHelp("Where the results go.", valueName: "folder"))
  var out = ".bench/edits"

  @Flag(name: .customLong("keep-checkpoints"), help: "Keep what was trained; it takes much room.")
  var keepCheckpoints = false

  @Flag(help: "One JSON object a line on standard output.")
  var json = false

  var console: Console { Console(program: Self._commandName, json: json, quiet: options.quiet) }

  func validate() throws { try check(out, .path, "--out") }

  func perform() throws {
    let console = console
    var (cases, settings) = try options.read(out: out, console: console)
    settings.request.generate.alphas = alphas?.values ?? settings.request.generate.alphas
    settings.request.generate.strengths = strengths?.values ?? settings.request.generate.strengths
    settings.request.generate.guidanceScales =
      guidanceScales?.values ?? settings.request.generate.guidanceScales
    let (report, files) = try EditBench.run(
      cases, settings, methods: methods?.values ?? BenchMethod.allCases,
      keepsCheckpoints: keepCheckpoints)
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
