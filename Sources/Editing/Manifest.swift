// manifest.json: what each stage of a run folder was made with. A record to read; no stage needs it to go on.

import Foundation

/// The record of a run folder.
public struct Manifest: Codable, Equatable, Sendable {
  /// A file and the digest of its content, SHA-256 in hexadecimal.
  public struct File: Codable, Equatable, Sendable {
    public var path: String
    public var sha256: String
  }

  /// What one stage was made with.
  public struct Entry: Codable, Equatable, Sendable {
    public var settings: EditSettings
    public var image: File
    public var base: File
    /// The checkpoints that the stage read or wrote.
    public var checkpoints: [File]
    /// What the edits were held to; absent for edits of the whole photograph.
    public var mask: File?
    public var step: Int
    public var steps: Int
    public var complete: Bool
    public var version: String
    public var threads: Int
    /// Time taken in all, runs that were stopped included.
    public var seconds: Double
    /// The largest resident memory of any of the stage's runs, in bytes.
    public var peakMemory: Int
    /// The alpha to look at first; absent where there is none.
    public var suggestion: AlphaSuggestion?

    enum CodingKeys: String, CodingKey {
      case settings, image, base, checkpoints, mask, step, steps, complete, version, threads,
        seconds
      case peakMemory = "peak_memory"
      case suggestion
    }
  }

  public var format = "imagic-manifest"
  public var formatVersion = 1
  /// By the stage's name; the last stage's of another method than Imagic by its name and the method's.
  public var stages: [String: Entry] = [:]

  enum CodingKeys: String, CodingKey {
    case format
    case formatVersion = "format_version"
    case stages
  }

  public init() {}

  /// Reads a manifest. A missing or broken one is empty: it is a record, and the next stage writes it anew.
  /// - Returns: the manifest, and what is wrong with the file where something is.
  public static func read(_ path: String) -> (manifest: Manifest, problem: String?) {
    guard FileManager.default.fileExists(atPath: path) else { return (Manifest(), nil) }
    do {
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      let text = String(decoding: data, as: UTF8.self)
      return (try SettingsJSON.decode(Manifest.self, from: text, source: path), nil)
    } catch {
      return (Manifest(), "\(path): can't be read and is written anew (\(error))")
    }
  }

  /// The entry of a stage that was run with such settings; nil where there is none.
  func entry(of stage: Stage, _ settings: EditSettings) -> Entry? {
    stages[Self.name(of: stage, settings)]
  }

  private static func name(of stage: Stage, _ settings: EditSettings) -> String {
    let method = settings.generate.method
    let isOther = stage == .interpolateGenerate && method != .imagic
    return stage.rawValue + (isOther ? " \(method.rawValue)" : "")
  }

  /// Enters a stage, adding to the time that its earlier runs took.
  /// - Parameter begunAnew: whether the stage's earlier runs are void.
  mutating func enter(_ stage: Stage, _ entry: Entry, begunAnew: Bool) {
    let name = Self.name(of: stage, entry.settings)
    var entry = entry
    if !begunAnew, let before = stages[name] {
      entry.seconds += before.seconds
      entry.peakMemory = max(entry.peakMemory, before.peakMemory)
    }
    stages[name] = entry
  }
}
