// What a stage is run with, and what all three do around their work.

import Checkpoints
import Foundation
import Images

/// One run of a stage: what was asked for, and how it talks.
public struct StageRun {
  public var folder: RunFolder
  /// The request's file as read; nil for a run that goes by what the run folder holds.
  public var request: EditRequest?
  public var flags = EditRequest()
  /// Seconds between two saves; nil for what suits the time that a save takes.
  public var checkpointInterval: Double?
  /// Whether only to say what would run.
  public var isDry = false
  /// Whether to begin anew.
  public var restarts = false
  public var threads = 1
  /// The command that goes on after a stop, without `--restart`.
  public var command = ""
  public var report: (StageEvent) -> Void = { _ in }
  public var shouldStop: () -> Bool = { StopSignal.number != nil }

  public init(folder: RunFolder) {
    self.folder = folder
  }

  /// The photograph that was asked for here; nil where what is saved is to be used.
  var askedImage: String? { flags.image ?? request?.image }

  /// How edits are to be made, as was asked for here.
  var method: EditMethod { flags.generate.method ?? request?.generate.method ?? .imagic }

  /// What was asked for, over the defaults, or over what is saved where there is no request.
  public func settings(saved: EditSettings?) throws -> EditSettings {
    try EditSettings(
      saved: request == nil ? saved : nil, request: request ?? EditRequest(), flags: flags)
  }

  /// Runs `body` as the only process in the run folder, which is made where it is missing. A dry run writes nothing and
  /// needs no right to.
  /// - Parameter needsFolder: whether there is nothing to be done without what stages before have left in it.
  /// - Throws: `EditingError`, `noInput`, where it is needed and missing, and what `body` throws.
  func alone<Result>(needsFolder: Bool = false, _ body: () throws -> Result) throws -> Result {
    if isDry { return try body() }
    if needsFolder, !FileManager.default.fileExists(atPath: folder.path) {
      throw EditingError(
        .noInput, "\(folder.embedding): there is no such file, run embed-optimize first")
    }
    try folder.create()
    let lock = try RunLock(folder: folder.path)
    defer { lock.release() }
    return try body()
  }

  /// The settings, as they are printed before a stage starts.
  func tell(_ settings: EditSettings) throws {
    report(.note("settings: \(try SettingsJSON.encode(settings))"))
  }

  /// The SHA-256 of a photograph's file.
  static func digest(ofImage path: String) throws -> String {
    SHA256Text.digest(of: try Picture.bytes(ofFile: path))
  }

  /// The error that ends a run which was told to stop.
  func stopped(_ what: String) -> EditingError {
    EditingError(.stopped, "stopped \(what); go on with: \(command)")
  }

  /// The same of a training that has nothing to save yet: to begin anew is still to be done.
  var stoppedBeforeTheFirstStep: EditingError {
    var run = self
    if restarts { run.command += " --restart" }
    return run.stopped("before the first step")
  }

  /// Enters a stage in the manifest. The manifest is a record: where it can't be written, the stage's own files are
  /// still good, and only a warning is due.
  func enter(_ stage: Stage, _ entry: Manifest.Entry, begunAnew: Bool) {
    var (manifest, problem) = Manifest.read(folder.manifest)
    if let problem { report(.warning(problem)) }
    manifest.enter(stage, entry, begunAnew: begunAnew)
    do {
      let text = try SettingsJSON.encode(manifest, pretty: true) + "\n"
      try AtomicFile.write(Array(text.utf8), to: folder.manifest)
    } catch {
      report(.warning("\(folder.manifest): not written: \(error)"))
    }
  }
}
