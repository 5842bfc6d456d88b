// The program of the first stage.

import ArgumentParser
import Commands
import Editing

@main struct EmbedOptimize: StageCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed-optimize",
    abstract: "Optimise the sentence's embedding until the frozen model denoises the photograph.",
    usage: """
      embed-optimize --request FILE [--run DIR] [options]
      embed-optimize --image FILE --prompt TEXT --run DIR [options]
      """,
    discussion: """
      The first of three stages; model-finetune is the next. What is reached is saved in the run's embedding.h5, and the \
      same command goes on from there.
      """,
    version: programVersion)

  @OptionGroup var files: RunOptions

  @OptionGroup var edit: EditOptions
  @OptionGroup var training: TrainingOptions

  @Option(
    name: .customLong("frozen-precision"),
    help: ArgumentHelp(
      "How the model's weights are held: float32, or float16 in half the memory.",
      valueName: "precision"))
  var frozenPrecision: FrozenPrecision?

  @Option(
    help: ArgumentHelp(
      "A caption of the photograph to start from, auto for one that the base finds, none for the sentence.",
      valueName: "text|auto|none"))
  var source: String?

  @OptionGroup var options: StageOptions

  func validate() throws { try check(source, .prompt, "--source") }

  var overrides: EditRequest {
    var overrides = edit.overrides
    overrides.seed = training.seed
    overrides.embedding = training.overrides
    overrides.embedding.frozenPrecision = frozenPrecision
    overrides.embedding.source = source
    return overrides
  }

  func printedSettings(_ run: StageRun) throws -> String {
    try EmbeddingStage.printedSettings(run)
  }

  func start(_ run: StageRun) throws { try EmbeddingStage.run(run) }
}
