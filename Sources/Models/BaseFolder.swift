// A diffusers folder: what a base is on disk, each part read when it is asked for.

import Foundation
import Layers
import Tensors
import Weights

/// A base model in a folder of diffusers' layout. Parts are loaded strictly: a parameter that is missing, misshapen or
/// left over is an error.
public struct BaseFolder: Sendable {
  public let url: URL

  /// - Throws: `LoadingError` where the folder has no `model_index.json`, or one of a pipeline that is not supported.
  public init(_ url: URL) throws {
    self.url = url
    _ = try ModelIndex(contentsOf: url.appendingPathComponent("model_index.json"))
  }

  private func part(_ name: String) -> URL { url.appendingPathComponent(name, isDirectory: true) }

  private func configuration(_ part: String) -> URL {
    self.part(part).appendingPathComponent("config.json")
  }

  /// - Parameter isNarrow: whether the weights of linear maps and convolutions are held in half precision, never to be
  ///   trained.
  /// - Throws: `LoadingError`.
  public func unet(isNarrow: Bool = false) throws -> UNet2DConditionModel {
    let configuration = try unetConfiguration()
    return try load("unet", .diffusers, isNarrow: isNarrow) {
      try UNet2DConditionModel(configuration, $0)
    }
  }

  /// - Throws: `LoadingError`.
  public func autoencoder() throws -> AutoencoderKL {
    let configuration = try autoencoderConfiguration()
    return try load("vae", .diffusers, renames: WeightRename.autoencoder) {
      try AutoencoderKL(configuration, $0)
    }
  }

  /// - Throws: `LoadingError`.
  public func textEncoder() throws -> CLIPTextModel {
    let configuration = try textConfiguration()
    return try load("text_encoder", .transformers, renames: WeightRename.textEncoder) {
      try CLIPTextModel(configuration, $0)
    }
  }

  /// - Throws: `LoadingError`.
  public func unetConfiguration() throws -> UNetConfiguration {
    try UNetConfiguration(contentsOf: configuration("unet"))
  }

  /// - Throws: `LoadingError`.
  public func autoencoderConfiguration() throws -> AutoencoderConfiguration {
    try AutoencoderConfiguration(contentsOf: configuration("vae"))
  }

  /// - Throws: `LoadingError`.
  public func textConfiguration() throws -> TextConfiguration {
    try TextConfiguration(contentsOf: configuration("text_encoder"))
  }

  /// - Throws: `LoadingError`.
  public func schedulerConfiguration() throws -> SchedulerConfiguration {
    try SchedulerConfiguration(
      contentsOf: part("scheduler").appendingPathComponent("scheduler_config.json"))
  }

  private func load<Model>(
    _ name: String, _ fileName: WeightSource.FileName, isNarrow: Bool = false,
    renames: [WeightRename] = [],
    _ build: (ParameterStore) throws -> Model
  ) throws -> Model {
    let source = try WeightSource(folder: part(name), fileName: fileName, renames: renames)
    let store = ParameterStore(isNarrow: isNarrow) { try source.tensor($0, $1) }
    let model: Model
    do {
      model = try build(store)
    } catch let error as NarrowingError {
      throw LoadingError(
        file: part(name).relativePath,
        "\(error.name): found numbers over 65504, wanted such as half precision can hold")
    }
    try source.finish()
    // What the files' layouts took is of no size that a step could use.
    StoragePool.shared.trim()
    return model
  }
}
