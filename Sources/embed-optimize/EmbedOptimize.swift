import ArgumentParser
import Commands
import Editing

@main struct EmbedOptimize: Program {
  static let configuration = CommandConfiguration(
    commandName: "embed-optimize",
    abstract: "Optimise the sentence's embedding until the frozen model denoises the photograph.",
    version: programVersion)

  @OptionGroup var run: RunOptions
  @OptionGroup var stage: StageOptions
  @OptionGroup var training: TrainingOptions

  var console: Console {
    Console(program: Self._commandName, json: stage.json, quiet: stage.quiet)
  }

  func perform() throws {
    console.note("hello")
  }
}
