// The program that measures how well repainted regions join the rest.

import ArgumentParser
import Commands
import Editing
import Evaluation

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

  @OptionGroup var options: CaseOptions

  @Option(help: ArgumentHelp("Where the results go.", valueName: "folder"))
  var out = ".bench/seams"

  var console: Console { Console(program: Self._commandName, quiet: options.quiet) }

  func validate() throws { try check(out, .path, "--out") }

  func perform() throws {
    let console = console
    let (cases, settings) = try options.read(out: out, console: console)
    let (text, files) = try SeamBench.run(cases, settings)
    console.result(files: files, text: text)
  }
}
