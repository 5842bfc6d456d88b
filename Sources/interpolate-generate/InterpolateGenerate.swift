// The program of the third stage.

import ArgumentParser
import Commands
import Editing

@main struct InterpolateGenerate: StageCommand {
  static let configuration = CommandConfiguration(
    commandName: "interpolate-generate",
    abstract: "Sample edits between the photograph (alpha 0) and the sentence (alpha 1).",
    usage: """
      interpolate-generate --request FILE [--run DIR] [options]
      interpolate-generate --run DIR [options]
      interpolate-generate --method sdedit --image FILE --prompt TEXT --run DIR [options]
      """,
    discussion: """
      The last of three stages, after model-finetune. The edits go into the run's folder edits, and all of them into one \
      contact-sheet.png. Edits that are there already are kept. The methods other than imagic take the base as it is \
      and need no stage before this one.
      """,
    version: programVersion)

  @OptionGroup var files: RunOptions
  @OptionGroup var edit: EditOptions

  @Option(help: "How the edits are made.")
  var method: EditMethod?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "From 0, the photograph, to 1, the sentence, and beyond: 0,0.5,1 or first:last:step.",
      valueName: "numbers"), transform: { try numbers($0, within: .alphas) })
  var alphas: NumberValues<Double>?

  @Option(
    help: ArgumentHelp(
      "Of sdedit: shares of the noise that the photograph gets, from 0 to 1.", valueName: "numbers"),
    transform: { try numbers($0, within: .strengths) })
  var strengths: NumberValues<Double>?

  @Option(
    name: .customLong("guidance-scales"),
    help: ArgumentHelp(
      "Of ddim-inversion: the guidance scales of its edits; 0 gives the photograph back.",
      valueName: "numbers"), transform: { try numbers($0, within: .guidanceScales) })
  var guidanceScales: NumberValues<Double>?

  @Option(
    help: ArgumentHelp(
      "A caption of the photograph: ddim-inversion inverts it under it, and --mask auto compares with it.",
      valueName: "text"))
  var source: String?

  @Option(
    help: ArgumentHelp("A row of edits for each: 0,1,2.", valueName: "numbers"),
    transform: { try Commands.seeds($0) })
  var seeds: NumberValues<UInt64>?

  @Option(
    help: "What walks from noise to a picture; dpm-solver++ needs fewer steps, ddpm adds noise.")
  var sampler: SamplingMethod?

  @Option(help: "Steps of the sampler.")
  var steps: Int?

  @Option(
    name: .customLong("guidance-scale"),
    help: ArgumentHelp("How much the sentence is pressed; 1 for not at all.", valueName: "number"))
  var guidanceScale: Double?

  @Option(
    name: .customLong("guidance-course"),
    help: ArgumentHelp(
      "Away from no sentence: constant, or rising from none at alpha 0 to all at alpha 1. Or from-photograph: away from the photograph's own embedding."
    ))
  var guidanceCourse: GuidanceCourse?

  @Option(help: "What the sampling starts from: noise, or the photograph's inversion.")
  var start: SamplingStart?

  @Option(
    help:
      "Whose the details are of what an edit leaves as it was: the model's, or the photograph's own."
  )
  var details: Details?

  @Option(
    help: ArgumentHelp(
      "How often each stretch of the sampling is gone through, to harmonise what a mask joins.",
      valueName: "times"))
  var resample: Int?

  @Option(
    name: .customLong("resample-jump"),
    help: ArgumentHelp("How many steps such a stretch has.", valueName: "steps"))
  var resampleJump: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Measure the edits and suggest one of the alphas; on where not given.")
  var suggest: Bool?

  @OptionGroup var masking: MaskOptions
  @OptionGroup var options: StageOptions

  func validate() throws {
    try check(source, .prompt, "--source")
    try check(steps, .samplingSteps, "--steps")
    try check(guidanceScale, .guidanceScale, "--guidance-scale")
    try check(resample, .resample, "--resample")
    try check(resampleJump, .samplingSteps, "--resample-jump")
  }

  var overrides: EditRequest {
    var overrides = edit.overrides
    overrides.generate = EditRequest.Generation(
      method: method, alphas: alphas?.values, strengths: strengths?.values,
      guidanceScales: guidanceScales?.values, source: source, seeds: seeds?.values,
      sampler: sampler, steps: steps, guidanceScale: guidanceScale,
      guidanceCourse: guidanceCourse, start: start, details: details, resample: resample,
      resampleJump: resampleJump, suggests: suggest)
    overrides.masking = masking.overrides
    return overrides
  }

  func printedSettings(_ run: StageRun) throws -> String {
    try GenerateStage.printedSettings(run)
  }

  func start(_ run: StageRun) throws { try GenerateStage.run(run) }
}
