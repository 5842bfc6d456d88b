// The program that trains a base.

import ArgumentParser
import Commands
import Editing
import Foundation
import Tensors
import Training

@main struct BaseTrain: Program {
  static let configuration = CommandConfiguration(
    commandName: "base-train",
    abstract: "Train a base from captioned pictures: autoencoder, text encoder and denoiser.",
    usage: "base-train --data DIR --run DIR [options]",
    discussion: """
      A folder of pictures has a file metadata.jsonl, with an object on each line: file_name, relative to the folder, and \
      text. The base comes to be in the run's folder, as base, and is one that diffusers opens; samples.png and the \
      curves of the losses beside it show how far it is. The same command goes on from what is saved.
      """,
    version: programVersion)

  @Option(
    help: ArgumentHelp("A folder of captioned pictures; may be given again.", valueName: "folder"))
  var data: [String]

  @Option(
    help: ArgumentHelp(
      "A folder of more pictures, without captions, for the autoencoder; may be given again.",
      valueName: "folder"))
  var pictures: [String] = []

  @Option(
    name: .customLong("held-out"),
    help: ArgumentHelp(
      "A folder of pictures to measure on and never to train on; may be given again.",
      valueName: "folder"))
  var heldOut: [String] = []

  @Option(help: ArgumentHelp("The folder of the training.", valueName: "folder"))
  var run: String

  @Option(
    help: ArgumentHelp(
      "The form of the networks and the numbers of the training, a YAML file.", valueName: "file"))
  var recipe: String?

  @Option(
    help: ArgumentHelp("A base of the same form whose weights to begin with.", valueName: "folder"))
  var from: String?

  @Option(
    help: ArgumentHelp(
      "A base, or a folder with its vae alone, whose autoencoder to take over instead of training one.",
      valueName: "folder"))
  var autoencoder: String?

  @Option(help: "The seed of all that is drawn.")
  var seed: UInt64 = 0

  @OptionGroup var options: StageOptions

  func validate() throws {
    for path in data + pictures + heldOut { try check(path, .path, "a folder") }
    try check(run, .path, "--run")
    try check(recipe, .path, "--recipe")
    try check(from, .path, "--from")
    try check(autoencoder, .path, "--autoencoder")
    try check(seed, .seed, "--seed")
  }

  var console: Console {
    Console(program: Self._commandName, json: options.json, quiet: options.quiet)
  }

  func perform() throws {
    let console = console
    if let threads = options.threads { Parallel.setThreads(threads) }
    var training = BaseTraining(folder: run)
    training.recipe = try recipe.map { try Recipe(contentsOf: $0) } ?? Recipe()
    training.data = data
    training.pictures = pictures
    training.heldOut = heldOut
    training.origin = from
    training.autoencoder = autoencoder
    training.seed = seed
    training.checkpointInterval = options.checkpointEvery
    training.isDry = options.dryRun
    training.restarts = options.restart
    training.command = Shell.command
    training.report = console.show
    try training.run()
  }
}
