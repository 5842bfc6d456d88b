// What the programs of the three stages share: from flags to a run of a stage.

import ArgumentParser
import Editing
import Foundation
import Tensors

/// A program that runs a stage.
public protocol StageCommand: Program {
  var files: RunOptions { get }
  var options: StageOptions { get }

  /// The settings that flags override.
  var overrides: EditRequest { get }

  /// The settings that the stage depends on, as `make` compares them.
  func printedSettings(_ run: StageRun) throws -> String

  /// Runs the stage.
  func start(_ run: StageRun) throws
}

extension StageCommand {
  public var console: Console {
    Console(program: Self._commandName, json: options.json, quiet: options.quiet)
  }

  public func perform() throws {
    let console = console
    if let threads = options.threads { Parallel.setThreads(threads) }
    let request = try files.request.map { try EditRequest(requestAt: $0) }
    guard let path = files.run ?? files.request.map(RunFolder.path(ofRequestAt:)) else {
      throw ValidationError("found neither --request nor --run, wanted one of them")
    }
    var run = StageRun(folder: RunFolder(path: path))
    run.request = request
    run.flags = overrides
    run.flags.base = files.base.map(Shell.absolute)
    run.checkpointInterval = options.checkpointEvery
    run.isDry = options.dryRun
    if run.isDry { StopSignal.endAtOnce() }
    run.restarts = options.restart
    run.threads = Parallel.threads
    run.command = Shell.command
    run.report = console.show
    if options.printSettings {
      console.result(try printedSettings(run))
    } else {
      try start(run)
    }
  }

}
