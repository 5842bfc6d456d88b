// Where edits may change the photograph, as a request and the files have it.

import Foundation

/// Where a mask comes from.
public enum MaskSource: Equatable, Sendable {
  /// A picture: white where edits may change the photograph, black where it stays, grey between.
  case file(path: String)
  /// Where the model's predictions for the sentence and for the photograph's caption or embedding differ most.
  case automatic
}

extension MaskSource: Codable {
  static let automaticName = "auto"

  /// As in a request: `auto`, or a path.
  init(_ text: String) { self = text == Self.automaticName ? .automatic : .file(path: text) }

  var text: String {
    switch self {
    case .automatic: Self.automaticName
    case .file(let path): path
    }
  }

  public init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    try value.encode(text)
  }
}

/// Settings of masked edits.
public struct MaskSettings: Codable, Equatable, Sendable {
  public var source: MaskSource
  /// Pixels around the mask in which the edit fades into the photograph, of the picture that is written; absent for a 64th
  /// of its shorter side.
  public var feather: Int?
  /// Whether the edits are written at the photograph's own size too.
  public var fullSize = false
  /// Of an automatic mask: which share of three times the mean difference counts as one; absent for where the differences part best.
  public var threshold: Double?
  /// Of an automatic mask: by how many pixels it is grown.
  public var grow = 0

  enum CodingKeys: String, CodingKey {
    case source = "mask"
    case feather
    case fullSize = "full-size"
    case threshold = "mask-threshold"
    case grow = "mask-grow"
  }

  /// The feather of a picture of some size.
  func feather(width: Int, height: Int) -> Int { feather ?? (min(width, height) + 32) / 64 }
}

extension MaskSettings: CustomStringConvertible {
  /// What the edits were held to, in a few words.
  public var description: String {
    let name =
      source == .automatic
      ? "an automatic mask" + (threshold.map { " of threshold \($0.formatted())" } ?? "")
        + (grow > 0 ? ", grown by \(grow)" : "")
      : "a mask"
    return "within \(name)" + (feather.map { ", feather \($0)" } ?? "")
  }
}
