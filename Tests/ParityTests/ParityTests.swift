// Agreement with PyTorch: outputs within 1e-4 of the largest value, each gradient within 1e-3.

import Autodiff
import Checkpoints
import Layers
import Models
import Tensors
import Testing

private let outputLimit: Float = 1e-4
private let gradientLimit: Float = 1e-3
/// A gradient this many times smaller than the part's largest is none in exact arithmetic, and rounding in float32: that
/// of the bias of keys, which a softmax does not see.
private let vanishing: Float = 1e-6

@Suite struct ParityTests {
  @Test(arguments: Reference.all)
  func denoiserPredictsAndLearnsAsInPyTorch(_ reference: Reference) throws {
    let (inputs, expected) = (try reference.inputs(), try reference.expected())
    let unet = try BaseFolder(reference.folder).unet()
    for parameter in unet.parameters { parameter.isTrainable = true }
    let context = Variable.leaf(try inputs.tensor("/unet/encoder_hidden_states"))

    let (prediction, loss) = try step(unet, inputs, context)
    let wanted = try expected.tensor("/unet/noise_prediction")
    #expect(relativeDifference(prediction.channelsFirst(), wanted) < outputLimit)
    #expect(try relativeDifference(loss, expected.tensor("/unet/loss")) < outputLimit)
    try expectGradients(
      "unet", unet.parameters, beside: ["encoder_hidden_states": context.gradient], expected)
  }

  @Test(arguments: Reference.all)
  func frozenDenoiserGivesTheSameGradientByTheEmbedding(_ reference: Reference) throws {
    let (inputs, expected) = (try reference.inputs(), try reference.expected())
    let unet = try BaseFolder(reference.folder).unet()
    let context = Variable.leaf(try inputs.tensor("/unet/encoder_hidden_states"))

    _ = try step(unet, inputs, context)
    let gradient = try #require(context.gradient)
    let wanted = try expected.tensor("/unet/grad/encoder_hidden_states")
    #expect(relativeDifference(gradient, wanted) < gradientLimit)
    #expect(unet.parameters.allSatisfy { $0.gradient == nil })
  }

  @Test(arguments: Reference.all)
  func autoencoderAgrees(_ reference: Reference) throws {
    let (inputs, expected) = (try reference.inputs(), try reference.expected())
    let autoencoder = try BaseFolder(reference.folder).autoencoder()

    let latent = autoencoder.encode(try inputs.tensor("/vae/image").channelsLast())
    let decoded = autoencoder.decode(Variable(try inputs.tensor("/vae/latent").channelsLast()))
      .value
    for (name, found) in [
      ("latent_mean", latent.mean), ("latent_logvar", latent.logVariance), ("decoded", decoded),
    ] {
      let wanted = try expected.tensor("/vae/\(name)")
      #expect(relativeDifference(found.channelsFirst(), wanted) < outputLimit, "\(name)")
    }
  }

  @Test func autoencoderLearnsAsInPyTorch() throws {
    let reference = Reference.trained
    let (inputs, expected) = (try reference.inputs(), try reference.expected())
    let autoencoder = try BaseFolder(reference.folder).autoencoder()
    for parameter in autoencoder.parameters { parameter.isTrainable = true }
    let image = Variable.leaf(try inputs.tensor("/vae/image").channelsLast())
    let latent = Variable.leaf(try inputs.tensor("/vae/latent").channelsLast())
    let (mean, logVariance, decoded) = (
      try inputs.tensor("/vae/cotangent/latent_mean").channelsLast(),
      try inputs.tensor("/vae/cotangent/latent_logvar").channelsLast(),
      try inputs.tensor("/vae/cotangent/decoded").channelsLast()
    )

    let tape = Tape()
    let loss = tape.record {
      // Two means over half as many elements each.
      2 * weightedMean(autoencoder.moments(image), mean.joiningChannels(logVariance))
        + weightedMean(autoencoder.decode(latent), decoded)
    }
    tape.backward(from: loss)
    try expectGradients(
      "vae", autoencoder.parameters,
      beside: [
        "image": image.gradient?.channelsFirst(), "latent": latent.gradient?.channelsFirst(),
      ], expected)
  }

  @Test(arguments: Reference.all)
  func textEncoderAgrees(_ reference: Reference) throws {
    let (inputs, expected) = (try reference.inputs(), try reference.expected())
    let encoder = try BaseFolder(reference.folder).textEncoder()

    let hidden = encoder(try sentences(inputs)).value
    #expect(
      try relativeDifference(hidden, expected.tensor("/text/last_hidden_state")) < outputLimit)
  }

  @Test func textEncoderLearnsAsInPyTorch() throws {
    let reference = Reference.trained
    let (inputs, expected) = (try reference.inputs(), try reference.expected())
    let encoder = try BaseFolder(reference.folder).textEncoder()
    for parameter in encoder.parameters { parameter.isTrainable = true }
    let ids = try sentences(inputs)
    let cotangent = try inputs.tensor("/text/cotangent/last_hidden_state")

    let tape = Tape()
    tape.backward(from: tape.record { weightedMean(encoder(ids), cotangent) })
    try expectGradients("text", encoder.parameters, beside: [:], expected)
  }

  /// A forward and a backward of the denoiser's loss on the inputs of a reference.
  private func step(_ unet: UNet2DConditionModel, _ inputs: StoreFile, _ context: Variable) throws
    -> (prediction: Tensor, loss: Tensor)
  {
    let sample = Variable(try inputs.tensor("/unet/sample").channelsLast())
    let target = try inputs.tensor("/unet/target").channelsLast()
    let timesteps = try inputs.integers("/unet/timestep").values.map { Int($0) }
    let tape = Tape()
    let (prediction, loss) = tape.record {
      let prediction = unet(sample, timesteps: timesteps, context: context)
      return (prediction, meanSquaredError(prediction, target))
    }
    tape.backward(from: loss)
    return (prediction.value, loss.value)
  }

  private func sentences(_ inputs: StoreFile) throws -> [[Int]] {
    let (ids, shape) = try inputs.integers("/text/input_ids")
    return (0..<shape[0]).map { row in
      ids[(row * shape[1])..<((row + 1) * shape[1])].map { Int($0) }
    }
  }

  /// Compares each gradient of a part, by its parameters and beside them by its inputs.
  private func expectGradients(
    _ part: String, _ parameters: [Parameter], beside inputs: [String: Tensor?],
    _ expected: StoreFile
  ) throws {
    var found = inputs
    for parameter in parameters {
      found[parameter.name] = parameter.gradient.map(parameter.stored)
    }
    let prefix = "/\(part)/grad/"
    let names = expected.datasets.keys.filter { $0.hasPrefix(prefix) }.sorted()
    #expect(names.count == found.count)
    let largest = try names.map { try expected.tensor($0).largestMagnitude }.max() ?? 0
    for path in names {
      let name = String(path.dropFirst(prefix.count))
      let gradient = try #require(found[name] ?? nil, "no gradient of \(name)")
      let wanted = try expected.tensor(path)
      if wanted.largestMagnitude < vanishing * largest {
        #expect(gradient.largestMagnitude < vanishing * largest, "\(name)")
      } else {
        #expect(relativeDifference(gradient, wanted) < gradientLimit, "\(name)")
      }
    }
  }
}
