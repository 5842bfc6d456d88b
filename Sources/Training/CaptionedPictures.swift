// A folder of captioned pictures in the form that people use: pictures and a file metadata.jsonl that names them.

import Checkpoints
import Editing
import Foundation
import Images

/// The pictures of an image folder (Hugging Face's `imagefolder`): `metadata.jsonl` has on each line an object with the
/// keys `file_name`, relative to the folder, and `text`; `mask`, where there is one, names a picture that is white where the
/// things are; other keys are left alone.
public struct CaptionedPictures: Sendable {
  /// A picture and what it shows.
  public struct Entry: Equatable, Sendable {
    /// The picture's file.
    public var path: String
    /// Empty for a picture without a caption.
    public var caption: String
    /// The file of the mask of its things.
    public var mask: String?
  }

  public let folder: String
  public let entries: [Entry]
  /// What is wrong with each line that was left out, naming the file and the line.
  public let problems: [String]
  /// SHA-256 of `metadata.jsonl`, in hexadecimal.
  public let digest: String

  private struct Line: Decodable {
    var fileName: String
    var text: String?
    var mask: String?

    enum CodingKeys: String, CodingKey {
      case fileName = "file_name"
      case text, mask
    }
  }

  /// - Throws: `EditingError`, `noInput`, where there is no such folder or no `metadata.jsonl` in it; `badData` where none
  ///   of its lines can be used.
  public init(folder: String) throws {
    self.folder = folder
    let list = "\(folder)/metadata.jsonl"
    guard let data = FileManager.default.contents(atPath: list) else {
      throw EditingError(
        .noInput,
        "\(list): there is no such file, wanted a line of JSON with file_name and text for each "
          + "picture")
    }
    digest = SHA256Text.digest(of: data)
    var entries: [Entry] = []
    var problems: [String] = []
    let decoder = JSONDecoder()
    for (index, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
      if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) { continue }
      guard let entry = try? decoder.decode(Line.self, from: line), !entry.fileName.isEmpty else {
        problems.append("\(list):\(index + 1): found no JSON object with a file_name, skipped")
        continue
      }
      let caption = (entry.text ?? "").split(whereSeparator: \.isWhitespace)
        .joined(separator: " ")
      entries.append(
        Entry(
          path: "\(folder)/\(entry.fileName)", caption: caption,
          mask: entry.mask.map { "\(folder)/\($0)" }))
    }
    guard !entries.isEmpty else {
      throw EditingError(
        .badData, "\(list): found no line that names a picture, wanted at least one")
    }
    self.entries = entries
    self.problems = problems
  }
}
