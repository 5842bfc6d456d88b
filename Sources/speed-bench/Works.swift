// What is timed: each work does one repetition. The names are those of tools/bench_work.py, which does the same in
// PyTorch, but for `sd-narrow`: an embedding step with the denoiser's weights in half precision.

import Autodiff
import Foundation
import Layers
import Models
import Tensors

/// Where the models' configurations lie.
struct ModelFolders {
  /// A folder with the configurations of a full-size base; its weights are drawn at random.
  let full: URL
  /// The embedded base.
  let base: URL

  fileprivate func config(_ folder: URL, _ part: String) -> URL {
    folder.appendingPathComponent(part).appendingPathComponent("config.json")
  }

  fileprivate func unet() throws -> UNetConfiguration {
    try UNetConfiguration(contentsOf: config(full, "unet"))
  }
  fileprivate func autoencoder() throws -> AutoencoderConfiguration {
    try AutoencoderConfiguration(contentsOf: config(full, "vae"))
  }
  fileprivate func text() throws -> TextConfiguration {
    try TextConfiguration(contentsOf: config(full, "text_encoder"))
  }

  /// The operations of a forward of a model: `sd-512`, `base-4`, `vae-encode-512`, `vae-decode-512`, `text-77` and so on,
  /// with the size of the picture, the batch or the tokens at the end.
  /// - Throws: what the reading of a configuration throws.
  func network(_ model: String, batch: Int? = nil) throws -> Network {
    let parts = model.split(separator: "-")
    let number = Int(parts[parts.count - 1])!
    switch parts[0] {
    case "sd":
      return Network(
        try unet(), batch: batch ?? 1, height: number / 8, width: number / 8,
        tokens: Works.fullTokens)
    case "base":
      let form = try UNetConfiguration(contentsOf: config(base, "unet"))
      let side = Works.side(of: form)
      return Network(form, batch: number, height: side, width: side, tokens: Works.baseTokens)
    case "vae": return Network(try autoencoder(), encoding: parts[1] == "encode", side: number)
    default: return Network(try text(), tokens: number)
    }
  }
}

/// Makes works by name. Models are made when first wanted, and kept.
final class Works {
  typealias Work = () -> Void

  static let sizes = [256, 512]
  static let names: [String] =
    sizes.flatMap { size in
      ["forward", "guidance", "embedding", "narrow", "finetune"].map { "sd-\($0)-\(size)" }
    }
    + sizes.flatMap { ["vae-encode-\($0)", "vae-decode-\($0)"] } + ["text-77"]
    + ["base-forward-4", "base-embedding-4", "base-finetune-4"]

  /// The tokens of a sentence, of Stable Diffusion and of the embedded base.
  static let fullTokens = 77
  static let baseTokens = 24

  /// Of the latents that a denoiser was made for.
  static func side(of form: UNetConfiguration) -> Int { form.sampleSize?.first ?? 16 }

  private let folders: ModelFolders
  private var made: [String: Work] = [:]
  private lazy var stableDiffusion = Result {
    try UNet2DConditionModel(folders.unet(), Self.randomStore())
  }
  private lazy var narrow = Result {
    try UNet2DConditionModel(folders.unet(), Self.randomStore(isNarrow: true))
  }
  private lazy var embedded = Result { try BaseFolder(folders.base).unet() }
  private var optimisers: [String: Adam] = [:]

  init(_ folders: ModelFolders) { self.folders = folders }

  /// - Throws: what the loading of a model throws.
  func work(_ name: String) throws -> Work? {
    if let work = made[name] { return work }
    let parts = name.split(separator: "-")
    guard Self.names.contains(name), let number = parts.last.flatMap({ Int($0) }) else {
      return nil
    }
    let work: Work
    switch parts[0] {
    case "sd":
      work = unetWork(
        try parts[1] == "narrow" ? narrow.get() : stableDiffusion.get(), name: "sd",
        what: String(parts[1]),
        batch: parts[1] == "guidance" ? 2 : 1, side: number / 8, tokens: Self.fullTokens)
    case "base":
      let unet = try embedded.get()
      work = unetWork(
        unet, name: "base", what: String(parts[1]), batch: number,
        side: Self.side(of: unet.configuration), tokens: Self.baseTokens)
    case "vae":
      let model = try AutoencoderKL(folders.autoencoder(), Self.randomStore())
      let image = Self.random([1, number, number, 3], seed: 1)
      let latent = Self.random([1, number / 8, number / 8, 4], seed: 2)
      work =
        parts[1] == "encode"
        ? { _ = model.encode(image) } : { _ = model.decode(Variable(latent)) }
    default:
      let model = try CLIPTextModel(folders.text(), Self.randomStore())
      let ids = (0..<number).map { $0 * 631 % model.configuration.vocabularySize }
      work = { _ = model([ids]) }
    }
    StoragePool.shared.trim()
    made[name] = work
    return work
  }

  /// Floating-point operations of a work, counted as ``Operation/flops(_:)`` does.
  /// - Precondition: there is such a work.
  static func flops(_ name: String, in folders: ModelFolders) throws -> Int {
    let parts = name.split(separator: "-").map(String.init)
    switch parts[0] {
    case "sd", "base":
      let network = try folders.network(
        "\(parts[0])-\(parts[2])", batch: parts[1] == "guidance" ? 2 : nil)
      return network.flops(
        parts[1] == "finetune"
          ? .weights : ["embedding", "narrow"].contains(parts[1]) ? .context : .none)
    default: return try folders.network(name).flops(.none)
    }
  }

  private func unetWork(
    _ unet: UNet2DConditionModel, name: String, what: String, batch: Int, side: Int, tokens: Int
  ) -> Work {
    let form = unet.configuration
    let sample = Self.random([batch, side, side, form.inChannels], seed: 1)
    let target = Self.random([batch, side, side, form.outChannels], seed: 2)
    let hidden = Self.random([batch, tokens, form.crossAttentionWidth], seed: 3)
    let timesteps = (0..<batch).map { 100 + 211 * $0 }

    func loss(_ context: Variable) -> Variable {
      meanSquaredError(unet(Variable(sample), timesteps: timesteps, context: context), target)
    }
    switch what {
    case "embedding", "narrow":
      let adam = Adam(learningRate: 1e-3)
      return {
        for parameter in unet.parameters { parameter.isTrainable = false }
        let context = Variable.leaf(hidden)
        let tape = Tape()
        tape.backward(from: tape.record { loss(context) })
        adam.beginStep()
        adam.update("embedding", hidden, gradient: context.gradient!)
      }
    case "finetune":
      let adam = optimisers[name] ?? Adam(learningRate: 1e-6)
      optimisers[name] = adam
      return {
        // Once, as in training, but for works that freeze the weights in between.
        if unet.parameters.contains(where: { !$0.isTrainable }) {
          adam.attach(to: unet.parameters)
        }
        adam.beginStep()
        let tape = Tape()
        tape.backward(from: tape.record { loss(Variable(hidden)) })
      }
    default:
      return {
        _ = unet(Variable(sample), timesteps: timesteps, context: Variable(hidden))
      }
    }
  }

  static func random(_ shape: Shape, seed: UInt64) -> Tensor {
    Philox(seed: seed, stream: .initialization).normal(shape)
  }

  /// Weights drawn evenly, with the variance that keeps activations in range.
  private static func randomStore(isNarrow: Bool = false) -> ParameterStore {
    ParameterStore(isNarrow: isNarrow) { name, shape in
      let isNorm = shape.rank == 1 && name.hasSuffix("weight")
      let inputs = shape.rank > 1 ? shape.count / shape[0] : 1
      let scale: Float = shape.rank == 1 ? 0.02 : (3 / Float(inputs)).squareRoot()
      return evenTensor(shape, scale: scale, around: isNorm ? 1 : 0)
    }
  }
}
