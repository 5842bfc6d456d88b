// A folder of a bench's run, which is made anew only where it is of other inputs.

import Checkpoints
import Editing
import Foundation

/// A run folder with two more files: `identity.json`, what the run depends on, and `result.json`, which is there exactly
/// when the run is complete.
struct KeptRun {
  let folder: RunFolder
  let settings: CaseSettings
  let baseDigest: String

  /// What a run's result depends on.
  struct Identity: Codable, Equatable {
    let settings: EditSettings
    let files: [String: String]
    let base: String
    let learned: [String]
    let version: String
  }

  private var resultPath: String { "\(folder.path)/result.json" }
  private var identityPath: String { "\(folder.path)/identity.json" }

  /// A run in the folder that tells its progress under `subject`.
  func stageRun(_ request: EditRequest, subject: String) -> StageRun {
    var run = StageRun(folder: folder)
    run.request = request
    run.threads = settings.threads
    run.command = settings.command
    run.shouldStop = settings.shouldStop
    let report = settings.report
    run.report = { event in
      switch event {
      case .progress(var progress):
        progress.subject = [subject, progress.subject].compactMap { $0 }.joined(separator: ", ")
        report(.progress(progress))
      case .warning: report(event)
      default: break
      }
    }
    return run
  }

  /// - Parameter paths: the files that the run reads.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells.
  func identity(_ run: StageRun, size: PictureSize, files paths: [String]) throws -> Identity {
    var edit = try run.settings(saved: nil)
    edit.size = size
    return Identity(
      settings: edit,
      files: Dictionary(
        uniqueKeysWithValues: try paths.map { ($0, try SHA256Text.digest(ofFile: $0)) }),
      base: baseDigest, learned: settings.learned.names, version: programVersion)
  }

  /// Readies the folder for a run: one of another identity goes.
  func begin(_ identity: Identity) throws {
    let saved: Identity? = try? Self.read(identityPath)
    if saved != identity, FileManager.default.fileExists(atPath: folder.path) {
      try FileManager.default.removeItem(atPath: folder.path)
    }
    try folder.create()
    try Self.write(identity, to: identityPath)
  }

  /// The result, from the folder or made now.
  /// - Returns: whether it was there already, too.
  func result<Value: Codable>(of identity: Identity, make: () throws -> Value) throws -> (
    value: Value, isOld: Bool
  ) {
    if let saved: Identity = try? Self.read(identityPath), saved == identity,
      let value: Value = try? Self.read(resultPath)
    {
      return (value, true)
    }
    try begin(identity)
    let value = try make()
    try Self.write(value, to: resultPath)
    return (value, false)
  }

  private static func read<Value: Decodable>(_ path: String) throws -> Value {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    return try SettingsJSON.decode(Value.self, from: text, source: path)
  }

  private static func write(_ value: some Encodable, to path: String) throws {
    let text = try SettingsJSON.encode(value, pretty: true) + "\n"
    try AtomicFile.write(Array(text.utf8), to: path)
  }
}
