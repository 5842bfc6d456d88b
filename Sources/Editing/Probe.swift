// Single parts of a base run on given tensors, so that this program can be compared with any other. Files have
// PyTorch's order of dimensions; here pictures and latents are channels last.

import Autodiff
import Checkpoints
import Diffusion
import Foundation
import Models
import Tensors

/// Answers the questions of an HDF5 file.
public enum Probe {
  private static let known: Set<String> = [
    "/tokenizer/text", "/text/input_ids", "/unet/sample", "/unet/timestep",
    "/unet/encoder_hidden_states", "/unet/target", "/vae/image", "/vae/latent",
    "/sampler/latents", "/sampler/encoder_hidden_states", "/sampler/unconditional_hidden_states",
  ]

  /// Runs each part that `inputs` has tensors for, and writes the answers to `outputs`.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells.
  public static func run(base path: String?, inputs: String, outputs: String) throws {
    let (from, to) = (SystemFile(inputs), SystemFile(outputs))
    guard from == nil || from != to else {
      throw EditingError(.usage, "\(outputs): found the file of the inputs, wanted another")
    }
    let base = try Base(path: path ?? DefaultBase.locate())
    let input = try StoreFile.read(inputs, from: .anyone)
    let unknown = input.datasets.keys.filter { !known.contains($0) }.sorted()
    guard unknown.isEmpty, !input.datasets.isEmpty else {
      throw EditingError(
        .badData,
        "\(inputs): found \(unknown.first ?? "no dataset"), wanted any of "
          + known.sorted().joined(separator: ", "))
    }
    var output = StoreFile()
    let question = Question(base: base, input: input)
    if input.datasets["/tokenizer/text"] != nil { try question.tokenizer(&output) }
    if input.datasets["/text/input_ids"] != nil { try question.text(&output) }
    if input.datasets["/vae/image"] != nil { try question.encoder(&output) }
    if input.datasets["/vae/latent"] != nil { try question.decoder(&output) }
    if input.datasets["/unet/sample"] != nil { try question.unet(&output) }
    if input.datasets["/sampler/latents"] != nil { try question.sampler(&output) }
    try output.save(to: outputs)
  }

  /// A base and what it is asked.
  private struct Question {
    let base: Base
    let input: StoreFile

    private func wrong(_ path: String, _ found: String, _ wanted: String) -> EditingError {
      EditingError(.badData, "\(input.source): \(path): found \(found), wanted \(wanted)")
    }

    func tokenizer(_ output: inout StoreFile) throws {
      let tokenizer = try base.tokenizer()
      let texts = try input.strings("/tokenizer/text", shape: [nil]).values
      let ids = texts.flatMap { tokenizer.encode($0).ids }
      output.datasets["/tokenizer/input_ids"] = .integers(
        ids.map(Int64.init), shape: [texts.count, tokenizer.maximumLength])
    }

    func text(_ output: inout StoreFile) throws {
      let encoder = try base.folder.textEncoder()
      let path = "/text/input_ids"
      let (values, shape) = try input.integers(path, shape: [nil, nil])
      let form = encoder.configuration
      guard values.allSatisfy({ $0 >= 0 && $0 < Int64(form.vocabularySize) }) else {
        throw wrong(path, "ids out of range", "ids from 0 to \(form.vocabularySize - 1)")
      }
      guard shape[0] > 0, (1...form.maximumLength).contains(shape[1]) else {
        throw wrong(path, "the shape \(shape)", "[batch, at most \(form.maximumLength)]")
      }
      let ids = (0..<shape[0]).map { row in
        values[row * shape[1]..<(row + 1) * shape[1]].map { Int($0) }
      }
      output.datasets["/text/last_hidden_state"] = .floats(encoder(ids).value)
    }

    func encoder(_ output: inout StoreFile) throws {
      let autoencoder = try base.folder.autoencoder()
      let factor = autoencoder.configuration.factor
      let image = try input.tensor("/vae/image", shape: [nil, 3, nil, nil])
      guard image.count > 0, image.shape[2] % factor == 0, image.shape[3] % factor == 0 else {
        throw wrong(
          "/vae/image", "the shape \(image.shape)", "a height and a width that \(factor) divides")
      }
      let (mean, logVariance) = autoencoder.encode(image.channelsLast())
      output.datasets["/vae/latent_mean"] = .floats(mean.channelsFirst())
      output.datasets["/vae/latent_logvar"] = .floats(logVariance.channelsFirst())
    }

    func decoder(_ output: inout StoreFile) throws {
      let autoencoder = try base.folder.autoencoder()
      let channels = autoencoder.configuration.latentChannels
      let latent = try latents("/vae/latent", channels: channels)
      output.datasets["/vae/decoded"] = .floats(
        autoencoder.decode(Variable(latent)).value.channelsFirst())
    }

    func unet(_ output: inout StoreFile) throws {
      let unet = try base.folder.unet()
      let sample = try latents("/unet/sample", channels: unet.configuration.inChannels)
      let batch = sample.shape[0]
      let (values, _) = try input.integers("/unet/timestep", shape: [batch])
      let limit = Int64(base.schedule.alphas.count)
      guard values.allSatisfy({ $0 >= 0 && $0 < limit }) else {
        throw wrong("/unet/timestep", "timesteps out of range", "timesteps from 0 to \(limit - 1)")
      }
      let timesteps = values.map { Int($0) }
      let states = try hiddenStates("/unet/encoder_hidden_states", batch: batch, of: unet)
      guard input.datasets["/unet/target"] != nil else {
        let answer = unet(Variable(sample), timesteps: timesteps, context: Variable(states))
        output.datasets["/unet/noise_prediction"] = .floats(answer.value.channelsFirst())
        return
      }
      let shape = [
        batch, unet.configuration.outChannels, sample.shape[1], sample.shape[2],
      ]
      let target = try input.tensor("/unet/target", shape: shape).channelsLast()
      for parameter in unet.parameters { parameter.isTrainable = true }
      let context = Variable.leaf(states)
      let tape = Tape()
      let (answer, loss) = tape.record {
        let answer = unet(Variable(sample), timesteps: timesteps, context: context)
        return (answer.value, meanSquaredError(answer, target))
      }
      tape.backward(from: loss)
      output.datasets["/unet/noise_prediction"] = .floats(answer.channelsFirst())
      output.datasets["/unet/loss"] = .floats(loss.value.reshaped([]))
      output.datasets["/unet/grad/encoder_hidden_states"] = .floats(
        context.gradient ?? Tensor(zeros: states.shape))
      for parameter in unet.parameters {
        // What the loss does not depend on has no gradient.
        let gradient = parameter.gradient.map(parameter.stored)
        output.datasets["/unet/grad/\(parameter.name)"] = .floats(
          gradient ?? Tensor(zeros: parameter.storedShape))
      }
    }

    func sampler(_ output: inout StoreFile) throws {
      let unet = try base.folder.unet()
      let noise = try latents("/sampler/latents", channels: unet.configuration.inChannels)
      let batch = noise.shape[0]
      let states = try hiddenStates("/sampler/encoder_hidden_states", batch: batch, of: unet)
      let scale = try input.float("guidance_scale", of: "/sampler")
      let unconditional =
        scale == 1 && input.datasets["/sampler/unconditional_hidden_states"] == nil
        ? states
        : try hiddenStates("/sampler/unconditional_hidden_states", batch: batch, of: unet)
      let sampler = Sampler(
        unet: unet, schedule: base.schedule, method: .ddim,
        steps: try input.integer("steps", of: "/sampler"), guidanceScale: scale,
        unconditional: unconditional)
      let latent = try sampler.latent(from: noise, embedding: states) {}
      output.datasets["/sampler/latents"] = .floats(latent.channelsFirst())
    }

    private func latents(_ path: String, channels: Int) throws -> Tensor {
      let found = try input.tensor(path, shape: [nil, channels, nil, nil])
      guard found.count > 0 else {
        throw wrong(path, "the shape \(found.shape)", "at least one element")
      }
      return found.channelsLast()
    }

    private func hiddenStates(_ path: String, batch: Int, of unet: UNet2DConditionModel) throws
      -> Tensor
    {
      let width = unet.configuration.crossAttentionWidth
      let found = try input.tensor(path, shape: [batch, nil, width])
      guard found.count > 0 else {
        throw wrong(path, "the shape \(found.shape)", "at least one token")
      }
      return found
    }
  }
}
