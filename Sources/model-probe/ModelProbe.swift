// The program that compares this one with others.

import ArgumentParser
import Commands
import Editing
import Tensors

@main struct ModelProbe: Program {
  static let configuration = CommandConfiguration(
    commandName: "model-probe",
    abstract: "Run single parts of a base on given tensors, to compare with other programs.",
    discussion: """
      IN.h5 holds any of: /tokenizer/text; /text/input_ids; /unet/sample, /unet/timestep and /unet/encoder_hidden_states, \
      with /unet/target for the loss and its gradients; /vae/image; /vae/latent; /sampler/latents, \
      /sampler/encoder_hidden_states and /sampler/unconditional_hidden_states with the attributes steps and \
      guidance_scale of /sampler. OUT.h5 gets the answers.
      """,
    version: programVersion)

  @Option(
    help: ArgumentHelp("The base's folder; the embedded one where not given.", valueName: "folder"))
  var base: String?

  @Option(help: ArgumentHelp("The tensors to run on, HDF5.", valueName: "file"))
  var inputs: String

  @Option(help: ArgumentHelp("Where the answers go, HDF5.", valueName: "file"))
  var outputs: String

  @Option(help: ArgumentHelp("How many threads compute; all processors where not given."))
  var threads: Int?

  var console: Console { Console(program: Self._commandName) }

  func validate() throws { try check(threads, .threads, "--threads") }

  func perform() throws {
    if let threads { Parallel.setThreads(threads) }
    try Probe.run(base: base, inputs: inputs, outputs: outputs)
    console.result(outputs)
  }
}
