// Makes the pictures that a base is trained on.

import ArgumentParser
import Commands
import Editing
import Foundation
import Scenes
import Tensors

extension Split: ExpressibleByArgument {}

@main struct SceneRender: Program {
  static let configuration = CommandConfiguration(
    commandName: "scene-render",
    abstract:
      "Make scenes with captions from photographs and cut-outs, to train and to measure a base by.",
    discussion: """
      The photographs come from Debian packages that `make base-data` fetches; what they show is in scenes/scenes.yaml. \
      The same seed gives the same pictures, whatever the number of threads.
      """,
    version: programVersion)

  @Option(help: ArgumentHelp("Where the packages' files are.", valueName: "folder"))
  var data = "~/.cache/imagic/base-data"

  @Option(help: ArgumentHelp("The table of what scenes are made of.", valueName: "file"))
  var table = "scenes/scenes.yaml"

  @Option(help: ArgumentHelp("Where the pictures go.", valueName: "folder"))
  var out: String

  @Option(help: "How many scenes.")
  var count = 1000

  @Option(help: "The seed of the scenes.")
  var seed: UInt64 = 0

  @Option(help: "Width and height of the pictures.")
  var size = 128

  @Option(
    help: ArgumentHelp("train, or held-out: with something in each that training never sees."))
  var split = Split.train

  @Flag(help: "Parts of real photographs without captions instead of scenes, for an autoencoder.")
  var photos = false

  @Flag(help: "Also write where the things are, white on black.")
  var masks = false

  @Flag(help: "Also write each scene with one thing changed, and where the two may differ.")
  var twins = false

  @Flag(
    help:
      "Edits of scenes that training never sees instead, each with its truth, to measure a base by."
  )
  var cases = false

  @Option(name: .customLong("per-kind"), help: "How many cases of each kind of edit.")
  var perKind = 40

  @Option(help: ArgumentHelp("How many threads work; all processors where not given."))
  var threads: Int?

  @Flag(help: "Only warnings and errors on standard error.")
  var quiet = false

  var console: Console { Console(program: Self._commandName, quiet: quiet) }

  func validate() throws {
    try check(threads, .threads, "--threads")
    try check(seed, .seed, "--seed")
    try check(size, .pictureSide, "--size")
    if photos && (masks || twins || cases) || cases && (masks || twins) {
      throw ValidationError("--photos and --cases go with none of --masks, --twins and each other")
    }
    guard (1...1000).contains(perKind) else {
      throw ValidationError("--per-kind: found \(perKind), wanted a whole number from 1 to 1000")
    }
    guard (1...10_000_000).contains(count) else {
      throw ValidationError("--count: found \(count), wanted a whole number from 1 to 10000000")
    }
  }

  func perform() throws {
    if let threads { Parallel.setThreads(threads) }
    do {
      try render()
    } catch let error as SceneError {
      let status: ExitStatus =
        switch error.kind {
        case .noInput: .noInput
        case .badData: .badData
        case .cannotCreate: .cannotCreate
        }
      throw EditingError(status, error.description)
    }
  }

  private func render() throws {
    let library = SceneLibrary(folder: (data as NSString).expandingTildeInPath, side: size)
    let renderer = SceneRenderer(library: library, side: size)
    let table = try SceneTable(contentsOf: table)
    let start = Resources.seconds
    var shown = start
    func progress(_ done: Int) -> Bool {
      let now = Resources.seconds
      if now - shown >= 10 || done == pictures {
        shown = now
        let rate = Double(done) / max(now - start, 0.001)
        console.note("\(done) of \(pictures) pictures, \(String(format: "%.0f", rate)) a second")
      }
      return StopSignal.number == nil
    }
    let isWhole: Bool
    if cases {
      let stream = EditStream(SceneStream(table: table, seed: seed, split: .heldOut))
      isWhole = try CaseFolder(path: out).write(
        stream, perKind: perKind, renderer: renderer, progress: progress)
    } else if photos {
      isWhole = try SceneFolder(path: out).write(
        PhotographStream(table: table, seed: seed, split: split), count: count, renderer: renderer,
        progress: progress)
    } else {
      isWhole = try SceneFolder(path: out).write(
        SceneStream(table: table, seed: seed, split: split), count: count, renderer: renderer,
        extras: SceneFolder.Extras(masks: masks, twins: twins), progress: progress)
    }
    guard isWhole else {
      throw EditingError(.stopped, "stopped; run again to render from the start")
    }
    console.result(cases ? out : "\(out)/metadata.jsonl")
  }

  private var pictures: Int { cases ? EditKind.allCases.count * perKind : count }
}
