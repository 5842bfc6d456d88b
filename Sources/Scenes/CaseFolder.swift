// Folders of edits to measure a base by: what to edit, the sentence, the truth, where it may differ, and where the sentence
// leaves something open, the truth with that drawn once more.

import Foundation
import Images

/// A folder with a folder for each edit: `KIND-000` and so on.
public struct CaseFolder: Sendable {
  public let path: String

  /// - Throws: `SceneError.cannotCreate`.
  public init(path: String) throws {
    self.path = path
    try SceneFolder.makeFolder(path)
  }

  /// Renders as many edits of each kind as wanted.
  /// - Parameter progress: told how many are done; stops the work by answering false.
  /// - Returns: whether all were rendered.
  /// - Throws: `SceneError.badData` where the table has too little held out for a kind.
  public func write(
    _ stream: EditStream, perKind: Int, renderer: SceneRenderer, progress: (Int) -> Bool
  ) throws -> Bool {
    for (place, kind) in EditKind.allCases.enumerated() {
      _ = try SceneFolder.inParallel(0..<perKind) { index in
        guard let edit = stream.edit(kind, index) else {
          throw SceneError(
            .badData, "the table of scenes has too little for edits of \(kind.rawValue)")
        }
        let name = String(format: "%03d", index)
        try write(
          edit, renderer, to: "\(path)/\(kind.rawValue)-\(name)", table: stream.scenes.table)
      }
      guard progress((place + 1) * perKind) else { return false }
    }
    return true
  }

  private func write(
    _ edit: Edit, _ renderer: SceneRenderer, to folder: String, table: SceneTable
  ) throws {
    let rendered = try renderer.render(edit)
    try SceneFolder.makeFolder(folder)
    try SceneFolder.write(rendered.source.picture.fastPNG(), to: "\(folder)/input.png")
    try SceneFolder.write(rendered.target.picture.fastPNG(), to: "\(folder)/target.png")
    if let again = edit.again {
      let picture = try renderer.render(again).picture
      try SceneFolder.write(picture.fastPNG(), to: "\(folder)/again.png")
    }
    let mask = try maskPNG(rendered.mask, width: renderer.side, height: renderer.side)
    try SceneFolder.write(mask, to: "\(folder)/mask.png")
    try SceneFolder.write(Array((edit.target.caption + "\n").utf8), to: "\(folder)/prompt.txt")
    let record = Record(
      kind: edit.kind.rawValue, source: edit.source.caption, target: edit.target.caption,
      heldOut: Record.HeldOut(
        source: table.heldOutParts(of: edit.source), target: table.heldOutParts(of: edit.target)))
    try SceneFolder.write(Array(try SceneFolder.json(record).utf8), to: "\(folder)/case.json")
  }

  /// What `case.json` says.
  struct Record: Codable, Equatable {
    /// What of each scene training never sees.
    struct HeldOut: Codable, Equatable {
      var source: [String]
      var target: [String]
    }

    var kind: String
    var source: String
    var target: String
    var heldOut: HeldOut

    enum CodingKeys: String, CodingKey {
      case kind, source, target
      case heldOut = "held_out"
    }
  }
}
