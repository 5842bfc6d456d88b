// The program of the first stage.

import ArgumentParser
import Commands
import Editing
import Images

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

  @Option(help: ArgumentHelp("The photograph: PNG, JPEG or WebP.", valueName: "file"))
  var image: String?

  @Option(help: ArgumentHelp("The sentence that the edit makes true.", valueName: "text"))
  var prompt: String?

  @Option(help: "How the photograph is brought to the model's proportions: crop, pad or stretch.")
  var fit: Fit?

  @Option(
    help: ArgumentHelp(
      "The pictures' size, 512 or 512x384; the size that the base was trained at where not given."))
  var size: PictureSize?

  @OptionGroup var training: TrainingOptions
  @OptionGroup var options: StageOptions

  func validate() throws {
    try check(image, .path, "--image")
    try check(prompt, .prompt, "--prompt")
  }

  var overrides: EditRequest {
    var overrides = EditRequest()
    overrides.image = image.map(Self.absolute)
    overrides.prompt = prompt
    overrides.fit = fit
    overrides.size = size
    overrides.seed = training.seed
    overrides.embedding = training.overrides
    return overrides
  }

  func printedSettings(_ run: StageRun) throws -> String {
    try EmbeddingStage.printedSettings(run)
  }

  func start(_ run: StageRun) throws { try EmbeddingStage.run(run) }
}
