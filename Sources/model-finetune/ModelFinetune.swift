// The program of the second stage.

import ArgumentParser
import Commands
import Editing

@main struct ModelFinetune: StageCommand {
  static let configuration = CommandConfiguration(
    commandName: "model-finetune",
    abstract: "Fine-tune the model until the optimised embedding reproduces the photograph.",
    usage: """
      model-finetune --request FILE [--run DIR] [options]
      model-finetune --run DIR [options]
      """,
    discussion: """
      The second of three stages, after embed-optimize and before interpolate-generate. What is reached is saved in the \
      run's weights.h5, and the same command goes on from there.
      """,
    version: programVersion)

  @OptionGroup var files: RunOptions
  @OptionGroup var training: TrainingOptions

  @Option(help: "What is tuned: all weights, or LoRA, which wants a higher learning rate.")
  var tune: Tuning?

  @Option(help: "The rank of LoRA.")
  var rank: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Whether LoRA is of the residual blocks' convolutions too.")
  var loraConvolutions: Bool?

  @Option(
    help: ArgumentHelp(
      "Also write the base with the tuned model as a diffusers folder.", valueName: "folder"))
  var export: String?

  @Option(
    name: .customLong("export-lora"),
    help: ArgumentHelp(
      "Also write LoRA as a safetensors file that diffusers loads.", valueName: "file"))
  var exportLoRA: String?

  @OptionGroup var options: StageOptions

  func validate() throws {
    try check(rank, .rank, "--rank")
    try check(export, .path, "--export")
    try check(exportLoRA, .path, "--export-lora")
  }

  var overrides: EditRequest {
    var overrides = EditRequest()
    overrides.seed = training.seed
    overrides.finetune = training.overrides
    overrides.lowRank = EditRequest.LowRank(
      tune: tune, rank: rank, convolutions: loraConvolutions)
    return overrides
  }

  func printedSettings(_ run: StageRun) throws -> String {
    try WeightsStage.printedSettings(run)
  }

  func start(_ run: StageRun) throws {
    try WeightsStage.run(run, export: export, exportLoRA: exportLoRA)
  }
}
