import Autodiff
import Foundation
import Models
import TestSupport
import Tensors
import Testing

@testable import Training

@Suite struct LatentsTests {
  /// After it, the latents' channels have mean 0 and variance 1, and pictures come back as before.
  @Test func normalizingChangesTheLatentsAndNotThePictures() throws {
    let folder = try TemporaryFolder()
    let recipe = try Recipe(contentsOf: folder.write(SmallData.recipe, to: "recipe.yaml"))
    let form = BaseForm(
      recipe: recipe, tokenizer: BytePairTraining(texts: ["a box"], size: 600))
    try form.write(to: folder.path)
    let configuration = try BaseFolder(URL(fileURLWithPath: folder.path)).autoencoderConfiguration()
    let model = try AutoencoderKL(configuration, Initialization(seed: 5, first: 0).store)
    for parameter in model.parameters where parameter.name.hasSuffix("quant_conv.bias") {
      parameter.load(
        Philox(seed: 1, stream: .initialization, step: 77).normal(parameter.storedShape))
    }
    let data = try SmallData()
    let pictures = try PictureCache(
      [CaptionedPictures(folder: data.folder.path)], size: 16, path: "\(folder.path)/cache"
    ) { _ in }
    let spread = Latents.spread(of: pictures, by: model, count: 9)
    let stored = Dictionary(
      uniqueKeysWithValues: model.parameters.map { ($0.name, $0.storedValue) })
    let weights = Latents.normalize(stored, means: spread.means, deviations: spread.deviations)
    let normalized = try AutoencoderKL(configuration, ParameterStoreOf(weights).store)

    let after = Latents.spread(of: pictures, by: normalized, count: 9)
    #expect(after.means.allSatisfy { abs($0) < 1e-4 }, "\(after.means)")
    #expect(after.deviations.allSatisfy { abs($0 - 1) < 1e-4 }, "\(after.deviations)")
    let batch = pictures.pictures([0, 4, 8])
    let before = model.decode(Variable(model.encode(batch).mean)).value
    let now = normalized.decode(Variable(normalized.encode(batch).mean)).value
    #expect(before.meanSquaredDifference(now) < 1e-9)
    let variances = (model.encode(batch).logVariance, normalized.encode(batch).logVariance)
    let channels = recipe.autoencoder.latentChannels
    for index in 0..<variances.0.count {
      let shift = 2 * log(spread.deviations[index % channels])
      #expect(
        abs(Double(variances.0.pointer[index] - variances.1.pointer[index]) - shift) < 1e-3)
    }
  }
}
