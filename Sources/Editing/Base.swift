// The base of a run: its parts as the stages ask for them, and its digest.

import Checkpoints
import Diffusion
import Foundation
import Images
import Models
import Tensors
import Weights

/// A base model and what the stages derive from its configuration.
public struct Base {
  public let path: String
  let folder: BaseFolder
  let schedule: NoiseSchedule
  private let autoencoder: AutoencoderConfiguration
  private let unet: UNetConfiguration

  /// Reads the configurations, no weights.
  /// - Throws: `EditingError` or `LoadingError`.
  public init(path: String) throws {
    self.path = path
    let url = URL(fileURLWithPath: path, isDirectory: true)
    guard FileManager.default.fileExists(atPath: path) else {
      throw EditingError(.noInput, "\(path): there is no such folder, wanted a base model")
    }
    folder = try BaseFolder(url)
    schedule = try folder.schedule()
    autoencoder = try folder.autoencoderConfiguration()
    unet = try folder.unetConfiguration()
    let text = try folder.textConfiguration()
    let found = [autoencoder.inChannels, autoencoder.outChannels, text.width]
    let wanted = [3, 3, unet.crossAttentionWidth]
    guard found == wanted, unet.inChannels == autoencoder.latentChannels,
      unet.outChannels == unet.inChannels
    else {
      throw EditingError(
        .badData,
        "\(path): found parts that don't fit together: an autoencoder of \(found[0]) to \(found[1]) "
          + "channels with latents of \(autoencoder.latentChannels), a text encoder of width "
          + "\(found[2]), and a denoiser of \(unet.inChannels) to \(unet.outChannels) channels for "
          + "texts of width \(wanted[2])")
    }
  }

  /// The size that the base was trained at.
  public var defaultSize: PictureSize {
    guard let latent = unet.sampleSize, latent.count == 2 else {
      return PictureSize(width: autoencoder.sampleSize, height: autoencoder.sampleSize)
    }
    return PictureSize(
      width: latent[1] * autoencoder.factor, height: latent[0] * autoencoder.factor)
  }

  /// - Throws: `EditingError`: `usage`, where the autoencoder's factor does not divide the size; `badData`, where it is a size
  ///   of the base's own that no picture may have.
  func check(_ size: PictureSize) throws {
    let limit = Limit<Int>.pictureSide
    guard limit.contains(size.width), limit.contains(size.height) else {
      throw EditingError(
        .badData, "\(path): found pictures of \(size), wanted for each side \(limit.wanted)")
    }
    let factor = autoencoder.factor
    guard size.width % factor == 0, size.height % factor == 0 else {
      throw EditingError(
        .usage, "size: found \(size), wanted a width and a height that \(factor) divides")
    }
  }

  /// The digest of the files that make up the base: SHA-256 of a listing of their digests, sorted by path. Files that
  /// are not read, such as a README or weights of another kind, don't count.
  /// - Throws: `StoreError`.
  public func digest() throws -> String {
    let parts = ["scheduler", "text_encoder", "tokenizer", "unet", "vae"]
    var names = ["model_index.json"]
    for part in parts {
      let found = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(part)")
      names += (found ?? []).sorted().filter { name in
        !name.hasPrefix(".")
          && [".json", ".txt", ".safetensors"].contains { name.hasSuffix($0) }
      }.map { "\(part)/\($0)" }
    }
    let lines = try names.map { name in
      "\(try SHA256Text.digest(ofFile: "\(path)/\(name)"))  \(name)\n"
    }
    return SHA256Text.digest(of: lines.joined().utf8)
  }

  /// - Throws: `LoadingError`.
  func tokenizer() throws -> CLIPTokenizer {
    try CLIPTokenizer(folder: URL(fileURLWithPath: path).appendingPathComponent("tokenizer"))
  }

  /// The embeddings of sentences, `[sentences, tokens, width]`, and what is to be said of them: the words that the base
  /// has never seen, and what was cut off of those that are too long.
  /// - Throws: `LoadingError`; `EditingError` where tokenizer and text encoder don't fit together.
  func embeddings(of sentences: [String]) throws -> (tensor: Tensor, warnings: [String]) {
    let tokenizer = try tokenizer()
    let encoder = try folder.textEncoder()
    guard tokenizer.vocabularySize <= encoder.configuration.vocabularySize,
      tokenizer.maximumLength <= encoder.configuration.maximumLength
    else {
      throw EditingError(
        .badData,
        "\(path)/tokenizer: found \(tokenizer.vocabularySize) tokens in texts of "
          + "\(tokenizer.maximumLength), wanted at most the text encoder's "
          + "\(encoder.configuration.vocabularySize) in \(encoder.configuration.maximumLength)")
    }
    defer { StoragePool.shared.trim() }
    let encodings = sentences.map(tokenizer.encode)
    let cuts = encodings.filter { $0.droppedCount > 0 }.map { encoding in
      "the sentence has \(encoding.textCount) tokens, and the base takes "
        + "\(encoding.textCount - encoding.droppedCount): the last \(encoding.droppedCount) were cut off"
    }
    let unknown = try words()?.warning(about: sentences)
    return (encoder(encodings.map(\.ids)).value, cuts + (unknown.map { [$0] } ?? []))
  }

  /// The words that the base knows, where it says so.
  /// - Throws: `EditingError`.
  func words() throws -> BaseWords? { try BaseWords(base: path) }

  /// How the captions are made up that the base was trained on, where it says so.
  /// - Throws: `EditingError`.
  func captions() throws -> BaseCaptions? { try BaseCaptions(base: path) }

  /// The latent of a photograph, as the denoiser takes it: `[1, height / factor, width / factor, channels]`.
  /// - Throws: `LoadingError`.
  func latent(of picture: Picture) throws -> Tensor {
    defer { StoragePool.shared.trim() }
    return try folder.autoencoder().latent(of: picture.tensor)
  }
}

extension BaseFolder {
  /// The noise schedule that the base's configuration describes.
  /// - Throws: `LoadingError`.
  package func schedule() throws -> NoiseSchedule {
    NoiseSchedule(.init(try schedulerConfiguration()))
  }
}

extension NoiseSchedule.Parameters {
  /// The schedule that a base's configuration describes.
  init(_ configuration: SchedulerConfiguration) {
    self.init()
    trainingSteps = configuration.trainingSteps
    betaSchedule =
      switch configuration.betaSchedule {
      case .linear: .linear
      case .scaledLinear: .scaledLinear
      case .squaredCosine: .squaredCosine
      }
    betaStart = configuration.betaStart
    betaEnd = configuration.betaEnd
    rescalesToZeroTerminalSNR = configuration.rescalesToZeroTerminalSNR
    prediction =
      switch configuration.prediction {
      case .epsilon: .epsilon
      case .velocity: .velocity
      case .sample: .sample
      }
    spacing =
      switch configuration.spacing {
      case .leading: .leading
      case .trailing: .trailing
      case .linspace: .linspace
      }
    stepsOffset = configuration.stepsOffset
    setsAlphaToOne = configuration.setsAlphaToOne
    clipRange = configuration.clipRange.map { Float($0) }
  }
}
