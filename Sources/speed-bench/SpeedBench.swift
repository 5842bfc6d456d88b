// Times the method: whole steps one by one, or everything with its arithmetic and memory.

import ArgumentParser
import Foundation

@main
struct SpeedBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speed-bench",
    abstract: "Times the steps of the method and the kernels under them.",
    subcommands: [Repeat.self, Measure.self, Cores.self, Memory.self],
    defaultSubcommand: Repeat.self)
}

/// Where the models are, and how many threads work.
struct BenchOptions: ParsableArguments {
  @Option(help: "How many threads work.")
  var threads: Int?

  @Option(help: "The folder of the full-size configurations.")
  var full = "benchmarks/stable-diffusion-1.5"

  @Option(help: "The folder of the embedded base.")
  var base = "checkpoints/base"

  @Option(
    help:
      "How often each work is timed, after once to warm up; measure repeats short ones more often.")
  var repetitions = 3

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads \(threads), wanted at least 1") }
    if repetitions < 1 {
      throw ValidationError("--repetitions \(repetitions), wanted at least 1")
    }
  }

  var folders: ModelFolders {
    ModelFolders(full: URL(fileURLWithPath: full), base: URL(fileURLWithPath: base))
  }
}
