// What is timed: each work does one repetition. The names are those of tools/bench_work.py, which does the same in
// PyTorch.

import Autodiff
import Foundation
import Layers
import Models
import Tensors

/// Makes works by name. Models are made when first wanted, and kept.
final class Works {
  typealias Work = () -> Void

  static let sizes = [256, 512]
  static let names: [String] =
    sizes.flatMap { size in
      ["forward", "guidance", "embedding", "finetune"].map { "sd-\($0)-\(size)" }
    }
    + sizes.flatMap { ["vae-encode-\($0)", "vae-decode-\($0)"] } + ["text-77"]
    + ["base-forward-4", "base-embedding-4", "base-finetune-4"]

  private let full: URL
  private let base: URL
  private var made: [String: Work] = [:]
  private lazy var stableDiffusion = Result {
    try UNet2DConditionModel(
      UNetConfiguration(contentsOf: config(full, "unet")), Self.randomStore())
  }
  private lazy var embedded = Result { try BaseFolder(base).unet() }
  private var optimisers: [String: Adam] = [:]

  /// - Parameters:
  ///   - full: a folder with the configurations of a full-size base; its weights are drawn at random.
  ///   - base: the embedded base.
  init(full: URL, base: URL) {
    self.full = full
    self.base = base
  }

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
        try stableDiffusion.get(), name: "sd", what: String(parts[1]),
        batch: parts[1] == "guidance" ? 2 : 1, side: number / 8, tokens: 77)
    case "base":
      let unet = try embedded.get()
      work = unetWork(
        unet, name: "base", what: String(parts[1]), batch: number,
        side: unet.configuration.sampleSize?.first ?? 16, tokens: 20)
    case "vae":
      let model = try AutoencoderKL(
        AutoencoderConfiguration(contentsOf: config(full, "vae")), Self.randomStore())
      let image = Self.random([1, number, number, 3], seed: 1)
      let latent = Self.random([1, number / 8, number / 8, 4], seed: 2)
      work =
        parts[1] == "encode"
        ? { _ = model.encode(image) } : { _ = model.decode(Variable(latent)) }
    default:
      let model = try CLIPTextModel(
        TextConfiguration(contentsOf: config(full, "text_encoder")), Self.randomStore())
      let ids = (0..<number).map { $0 * 631 % model.configuration.vocabularySize }
      work = { _ = model([ids]) }
    }
    made[name] = work
    return work
  }

  private func config(_ folder: URL, _ part: String) -> URL {
    folder.appendingPathComponent(part).appendingPathComponent("config.json")
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
    case "embedding":
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
        adam.attach(to: unet.parameters)
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

  /// Weights drawn evenly, with the variance that keeps activations in range. The draw is a congruential generator's: a
  /// thousand million normal numbers would take longer than what is timed.
  private static func randomStore() -> ParameterStore {
    ParameterStore { name, shape in
      let result = Tensor(uninitialized: shape)
      let isNorm = shape.rank == 1 && name.hasSuffix("weight")
      let inputs = shape.rank > 1 ? shape.count / shape[0] : 1
      let scale: Float = shape.rank == 1 ? 0.02 : (3 / Float(inputs)).squareRoot()
      var state = UInt32(truncatingIfNeeded: shape.count)
      for index in 0..<shape.count {
        state = state &* 1_664_525 &+ 1_013_904_223
        let even = Float(Int32(bitPattern: state)) * 0x1p-31
        result.pointer[index] = (isNorm ? 1 : 0) + scale * even
      }
      return result
    }
  }
}
