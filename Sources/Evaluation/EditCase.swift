// A case of the bench: a photograph, a sentence, and what the edit should give.

import Editing
import Foundation
import Images
import Measuring

/// What a case asks to change.
public enum EditKind: String, Codable, CaseIterable, Sendable {
  case colour, background, lighting, object, number, position
}

/// A folder of a case: `input.png`, `prompt.txt`, `case.json`, and where they are known `target.png`, `mask.png` and `again.png`.
public struct EditCase: Equatable, Sendable {
  public let name: String
  public let path: String
  public let kind: EditKind
  public let prompt: String
  /// A caption of the input; nil where there is none.
  public let source: String?

  var input: String { "\(path)/input.png" }
  /// Nil where there is none.
  let target: String?
  /// White where the truth may differ from the input; nil where there is none.
  let mask: String?

  /// The truth once more, with all drawn anew that neither the input nor the sentence tells; nil where there is none.
  let again: String?

  private struct Description: Decodable {
    let kind: String
    let source: String?
  }

  /// - Throws: `EditingError`, where a file is missing or is not what it should be.
  init(_ name: String, in folder: String) throws {
    let path = "\(folder)/\(name)"
    self.name = name
    self.path = path
    let description = try SettingsJSON.decode(
      Description.self, from: Self.text("case.json", in: path), source: "\(path)/case.json")
    guard let kind = EditKind(rawValue: description.kind) else {
      let kinds = EditKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw EditingError(
        .badData,
        "\(path)/case.json: found the kind \(description.kind.prefix(60).debugDescription), "
          + "wanted one of \(kinds)")
    }
    self.kind = kind
    source = description.source
    prompt = try Self.text("prompt.txt", in: path).trimmingCharacters(in: .whitespacesAndNewlines)
    for (file, text) in [("prompt.txt", prompt), ("case.json: source", source ?? prompt)] {
      guard Limit<String>.prompt.contains(text) else {
        throw EditingError(
          .badData,
          "\(path)/\(file): found \(text.prefix(60).debugDescription), "
            + "wanted \(Limit<String>.prompt.wanted)")
      }
    }
    func optional(_ file: String) -> String? {
      FileManager.default.fileExists(atPath: "\(path)/\(file)") ? "\(path)/\(file)" : nil
    }
    (target, mask, again) = (optional("target.png"), optional("mask.png"), optional("again.png"))
    guard optional("input.png") != nil else {
      throw EditingError(.noInput, "\(path)/input.png: there is no such file")
    }
  }

  private static func text(_ file: String, in path: String) throws -> String {
    guard FileManager.default.fileExists(atPath: "\(path)/\(file)") else {
      throw EditingError(.noInput, "\(path)/\(file): there is no such file")
    }
    let data = FileManager.default.contents(atPath: "\(path)/\(file)")
    guard let data, data.count < 1 << 16, let text = String(validating: data, as: UTF8.self) else {
      throw EditingError(.badData, "\(path)/\(file): found what can't be read, wanted a short text")
    }
    return text
  }

  /// The pictures of the case at a model's size.
  struct Pictures {
    let input: Picture
    let target: Picture?
    let mask: Picture?
    let again: Picture?
  }

  /// - Throws: `ImageError`; `EditingError`, where they don't fit together.
  func pictures(at size: PictureSize) throws -> Pictures {
    let input = try Picture(contentsOf: input)
    func fitted(_ path: String) throws -> Picture {
      let picture = try Picture(contentsOf: path)
      guard (picture.width, picture.height) == (input.width, input.height) else {
        throw EditingError(
          .badData,
          "\(path): found a picture of \(picture.width)x\(picture.height), wanted the input's "
            + "\(input.width)x\(input.height)")
      }
      return picture.fitted(width: size.width, height: size.height)
    }
    return Pictures(
      input: input.fitted(width: size.width, height: size.height), target: try target.map(fitted),
      mask: try mask.map(fitted), again: try again.map(fitted))
  }
}

extension EditCase {
  /// How near to the truth another picture of all that is known of it comes, as ``EditScore/edit``: what a perfect edit reaches
  /// that can't know what the sentence leaves open. Nil where there is none.
  /// - Throws: `ImageError`; `EditingError`, where the pictures don't fit together.
  func again(at size: PictureSize) throws -> Double? {
    let pictures = try pictures(at: size)
    guard let again = pictures.again, pictures.target != nil else { return nil }
    return EditTruth(input: pictures.input, target: pictures.target, mask: pictures.mask)
      .score(again).edit
  }
}

/// The cases of a folder.
public struct EditCases: Equatable, Sendable {
  /// A case that can't be used, and why.
  public struct Skipped: Codable, Equatable, Sendable {
    public let name: String
    public let reason: String
  }

  public var cases: [EditCase] = []
  public var skipped: [Skipped] = []

  /// Reads all cases of a folder, sorted by name. A bad one is left out and told.
  /// - Throws: `EditingError`, where there is no such folder, or no case in it.
  public init(in folder: String) throws {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw EditingError(.noInput, "\(folder): there is no such folder, wanted one of cases")
    }
    for name in names where !name.hasPrefix(".") {
      var isFolder: ObjCBool = false
      let path = "\(folder)/\(name)"
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
      else { continue }
      do {
        cases.append(try EditCase(name, in: folder))
      } catch {
        skipped.append(Skipped(name: name, reason: "\(error)"))
      }
    }
    guard !cases.isEmpty else {
      let reason = skipped.first.map { ": \($0.reason)" } ?? ""
      throw EditingError(.badData, "\(folder): found no case that can be used\(reason)")
    }
  }

  /// The first cases of each kind.
  /// - Parameter limit: how many of each kind at most; nil for all.
  public func limited(to limit: Int?) -> EditCases {
    guard let limit else { return self }
    var counts: [EditKind: Int] = [:]
    var some = self
    some.cases = cases.filter { editCase in
      counts[editCase.kind, default: 0] += 1
      return counts[editCase.kind] ?? 0 <= limit
    }
    return some
  }

  /// The cases all of whose words a base has seen; all of them where it does not say which those are.
  /// - Throws: `EditingError`, where none is left.
  public func known(to base: Base) throws -> EditCases {
    guard let words = try BaseWords(base: base.path) else { return self }
    var known = self
    known.cases = cases.filter { editCase in
      words.unknown(in: [editCase.prompt, editCase.source].compactMap { $0 }).isEmpty
    }
    guard !known.cases.isEmpty else {
      throw EditingError(
        .badData, "\(base.path)/\(BaseWords.file): found no case that has these words alone")
    }
    return known
  }
}
