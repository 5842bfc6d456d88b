// Folders of rendered scenes, as Hugging Face's datasets opens them: images/ and metadata.jsonl.

import Foundation
import Images
import Tensors

/// A folder of pictures and their captions.
public struct SceneFolder: Sendable {
  /// How many scenes are rendered between two reports.
  private static let chunk = 256

  public let path: String

  /// - Throws: `SceneError.cannotCreate`.
  public init(path: String) throws {
    self.path = path
    try Self.makeFolder("\(path)/images")
  }

  /// What is written of each scene besides its picture and caption.
  public struct Extras: Sendable {
    /// Where the things are.
    public var masks = false
    /// The same scene with one thing changed.
    public var twins = false

    public init(masks: Bool = false, twins: Bool = false) {
      self.masks = masks
      self.twins = twins
    }
  }

  /// Renders the scenes of a stream from the first on.
  /// - Parameter progress: told how many scenes are done; stops the work by answering false.
  /// - Returns: whether all were rendered.
  public func write(
    _ stream: SceneStream, count: Int, renderer: SceneRenderer, extras: Extras = Extras(),
    progress: (Int) -> Bool
  ) throws -> Bool {
    try Self.write(Array(stream.table.captionParts.utf8), to: "\(path)/captions.txt")
    if extras.masks { try Self.makeFolder("\(path)/masks") }
    if extras.twins {
      try Self.makeFolder("\(path)/twins")
      try Self.makeFolder("\(path)/twin-masks")
    }
    return try writeRecords(count, progress) { index, name in
      let scene = stream.scene(index)
      guard extras.twins, let edit = EditStream(stream).edit(of: scene, index) else {
        return try write(renderer.render(scene), scene.caption, name, extras)
      }
      let rendered = try renderer.render(edit)
      var record = try write(rendered.source, edit.source.caption, name, extras)
      record.twin = "twins/\(name)"
      record.twinText = edit.target.caption
      record.twinMask = "twin-masks/\(name)"
      record.kind = edit.kind.rawValue
      try Self.write(rendered.target.picture.fastPNG(), to: "\(path)/twins/\(name)")
      let mask = try maskPNG(rendered.mask, width: renderer.side, height: renderer.side)
      try Self.write(mask, to: "\(path)/twin-masks/\(name)")
      return record
    }
  }

  private func write(
    _ rendered: RenderedScene, _ text: String, _ name: String, _ extras: Extras
  ) throws -> Record {
    var record = try record(rendered.picture, text, name)
    if extras.masks {
      let side = rendered.picture.width
      try Self.write(
        maskPNG(rendered.things, width: side, height: side), to: "\(path)/masks/\(name)")
      record.mask = "masks/\(name)"
    }
    return record
  }

  /// Renders parts of photographs from the first on, with empty captions.
  /// - Parameter progress: told how many are done; stops the work by answering false.
  /// - Returns: whether all were rendered.
  public func write(
    _ stream: PhotographStream, count: Int, renderer: SceneRenderer, progress: (Int) -> Bool
  ) throws -> Bool {
    try writeRecords(count, progress) { index, name in
      try record(renderer.render(stream.crop(index)), "", name)
    }
  }

  /// Writes `metadata.jsonl` at the end, so where it is, all pictures are.
  private func writeRecords(
    _ count: Int, _ progress: (Int) -> Bool, _ body: (Int, String) throws -> Record
  ) throws -> Bool {
    let metadata = "\(path)/metadata.jsonl"
    try? FileManager.default.removeItem(atPath: metadata)
    var lines = ""
    for start in stride(from: 0, to: count, by: Self.chunk) {
      let range = start..<min(count, start + Self.chunk)
      let records = try Self.inParallel(range) { index in
        try body(index, String(format: "%06d.png", index))
      }
      for record in records { lines += try Self.json(record) }
      guard progress(range.upperBound) else { return false }
    }
    try Self.write(Array(lines.utf8), to: metadata)
    return true
  }

  /// Writes a picture, and gives its line.
  private func record(_ picture: Picture, _ text: String, _ name: String) throws -> Record {
    try Self.write(picture.fastPNG(), to: "\(path)/images/\(name)")
    return Record(file: "images/\(name)", text: text)
  }

  /// A line of `metadata.jsonl`.
  struct Record: Encodable, Sendable {
    var file: String
    var text: String
    var mask: String?
    /// The same scene with one thing changed, what that is, and where the two may differ.
    var twin: String?
    var twinText: String?
    var twinMask: String?
    var kind: String?

    enum CodingKeys: String, CodingKey {
      case file = "file_name"
      case text, mask, twin, kind
      case twinText = "twin_text"
      case twinMask = "twin_mask"
    }
  }

  /// One line of JSON.
  static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }

  /// The results of `body` for each index, in order, computed on the program's threads.
  static func inParallel<Result: Sendable>(
    _ range: Range<Int>, _ body: (Int) throws -> Result
  ) throws -> [Result] {
    var results = [Swift.Result<Result, any Error>?](repeating: nil, count: range.count)
    results.withUnsafeMutableBufferPointer { results in
      let results = results
      Parallel.forEach(range.count) { index in
        results[index] = Swift.Result { try body(range.lowerBound + index) }
      }
    }
    return try results.map { try $0!.get() }
  }

  static func makeFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
    } catch {
      throw SceneError(.cannotCreate, "\(path): the folder can't be made")
    }
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
      throw SceneError(.cannotCreate, "\(path): can't be written")
    }
  }
}
