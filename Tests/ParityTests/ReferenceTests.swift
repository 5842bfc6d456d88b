// The references themselves: that they open, and hold a gradient for each parameter of the bases.

import Checkpoints
import Models
import Tensors
import Testing
import Weights

@Suite struct ReferenceTests {
  @Test(arguments: Reference.all)
  func configurationsAreRead(_ reference: Reference) throws {
    let unet = try UNetConfiguration(
      contentsOf: reference.folder.appendingPathComponent("unet/config.json"))
    let autoencoder = try AutoencoderConfiguration(
      contentsOf: reference.folder.appendingPathComponent("vae/config.json"))
    _ = try TextConfiguration(
      contentsOf: reference.folder.appendingPathComponent("text_encoder/config.json"))
    _ = try SchedulerConfiguration(
      contentsOf: reference.folder.appendingPathComponent("scheduler/scheduler_config.json"))
    _ = try ModelIndex(contentsOf: reference.folder.appendingPathComponent("model_index.json"))
    #expect(unet.inChannels == autoencoder.latentChannels)
  }

  @Test(arguments: Reference.all)
  func everyParameterOfTheDenoiserHasAGradient(_ reference: Reference) throws {
    let source = try WeightSource(
      folder: reference.folder.appendingPathComponent("unet"), fileName: .diffusers)
    try expectGradients("unet", of: source, beside: ["encoder_hidden_states"], in: reference)
  }

  @Test func everyParameterOfTheAutoencoderHasAGradient() throws {
    let source = try WeightSource(
      folder: Reference.trained.folder.appendingPathComponent("vae"), fileName: .diffusers,
      renames: WeightRename.autoencoder)
    try expectGradients("vae", of: source, beside: ["image", "latent"], in: .trained)
  }

  @Test func everyParameterOfTheTextEncoderHasAGradient() throws {
    let source = try WeightSource(
      folder: Reference.trained.folder.appendingPathComponent("text_encoder"),
      fileName: .transformers, renames: WeightRename.textEncoder)
    let positions = "embeddings.position_ids"
    #expect(source.has(positions))
    try expectGradients("text", of: source, without: [positions], in: .trained)
  }

  private func expectGradients(
    _ part: String, of source: WeightSource, beside inputs: Set<String> = [],
    without buffers: Set<String> = [], in reference: Reference
  ) throws {
    let expected = try reference.expected()
    let prefix = "/\(part)/grad/"
    let gradients = expected.datasets.keys.filter { $0.hasPrefix(prefix) }
      .map { String($0.dropFirst(prefix.count)) }
    let parameters = Set(gradients).subtracting(inputs)
    #expect(parameters == Set(source.names).subtracting(buffers))
    for name in parameters {
      _ = try source.tensor(name, expected.tensor(prefix + name).shape)
    }
    try source.finish()
  }
}
