// What `model_index.json` says: which parts a base has. Only those that this program can run are accepted.

import Foundation
import Weights

/// The contents of a diffusers folder, checked to be a Stable Diffusion text-to-image model.
public struct ModelIndex: Sendable, Equatable {
  private enum Pipeline: String, CaseIterable { case stableDiffusion = "StableDiffusionPipeline" }
  private enum TextEncoder: String, CaseIterable { case clip = "CLIPTextModel" }
  private enum Tokenizer: String, CaseIterable {
    case clip = "CLIPTokenizer"
    case fastClip = "CLIPTokenizerFast"
  }
  private enum UNet: String, CaseIterable { case conditional = "UNet2DConditionModel" }
  private enum Autoencoder: String, CaseIterable { case kl = "AutoencoderKL" }

  /// The sampler that the base's maker chose.
  public var schedulerClass: SchedulerConfiguration.Class

  /// - Parameter url: the file `model_index.json`.
  /// - Throws: `LoadingError` for a file that can't be read, an unknown key, or a class that is not supported.
  public init(contentsOf url: URL) throws {
    try self.init(ConfigurationReader(url))
  }

  init(_ reader: ConfigurationReader) throws {
    var reader = reader
    let _: Pipeline = try reader.choice("_class_name", default: nil)
    // How the file was saved, and parts that editing has no use for.
    reader.ignore([
      "_diffusers_version", "_name_or_path", "requires_safety_checker", "safety_checker",
      "feature_extractor", "image_encoder",
    ])
    schedulerClass = try Self.part("scheduler", in: &reader)
    let _: TextEncoder = try Self.part("text_encoder", in: &reader)
    let _: Tokenizer = try Self.part("tokenizer", in: &reader)
    let _: UNet = try Self.part("unet", in: &reader)
    let _: Autoencoder = try Self.part("vae", in: &reader)
    try reader.finish()
  }

  /// The class of a part, which stands as `[library, class]`.
  private static func part<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ key: String, in reader: inout ConfigurationReader
  ) throws -> Choice where Choice.RawValue == String {
    let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    let wanted = "[library, class] with a class of \(names)"
    guard let json = reader.take(key) else {
      throw LoadingError(file: reader.file, "\"\(key)\" is missing, wanted \(wanted)")
    }
    guard case .array(let values) = json, values.count == 2, case .string(let name) = values[1],
      let choice = Choice(rawValue: name)
    else { throw reader.failure(key, json, wanted: wanted) }
    return choice
  }
}
