// What a base says of itself: the README.md in its folder.

import Editing
import Foundation

/// The card of a base.
struct BaseCard {
  let recipe: Recipe
  /// How many captioned pictures it was trained on.
  let pictures: Int
  var autoencoderSeconds = 0.0
  var denoiserSeconds = 0.0
  /// What was measured on pictures that it never saw, a sentence each.
  var figures: [String] = []

  init(recipe: Recipe, pictures: Int) {
    self.recipe = recipe
    self.pictures = pictures
  }

  var text: String {
    let (autoencoder, denoiser) = (recipe.autoencoder, recipe.denoiser)
    let side = recipe.size / recipe.factor
    let lines = [
      "# A small latent diffusion model", "",
      "A base for editing photographs of \(recipe.size)x\(recipe.size) pixels, in the layout of diffusers' "
        + "`StableDiffusionPipeline`, trained by `base-train`.", "",
      "| part | form | trained |", "| --- | --- | --- |",
      "| autoencoder | \(recipe.size)x\(recipe.size) pixels to \(side)x\(side)x"
        + "\(autoencoder.latentChannels), widths \(Self.list(autoencoder.channels)) | "
        + Self.trained(autoencoder.training, autoencoderSeconds) + " |",
      "| text encoder | width \(recipe.text.width), \(recipe.text.layers) layers, "
        + "\(recipe.text.tokens) tokens | with the denoiser |",
      "| denoiser | widths \(Self.list(denoiser.channels)), velocity prediction | "
        + Self.trained(denoiser.training, denoiserSeconds) + " |", "",
      "Trained on \(pictures) captioned pictures, on \(Self.processor). \(figures.joined(separator: " "))",
      "", recipe.about.trimmingCharacters(in: .whitespacesAndNewlines), "",
      "It knows the words in `words.txt` and no others. It has seen few things and few places: what it makes "
        + "of anything else means nothing.", "",
    ]
    return lines.joined(separator: "\n")
  }

  private static func list(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: ", ")
  }

  private static func trained(_ schedule: Recipe.Schedule, _ seconds: Double) -> String {
    guard schedule.steps > 0 else { return "taken over" }
    return "\(schedule.steps) steps of \(schedule.batch), \(Int((seconds / 60).rounded())) min"
  }

  /// The processor's name, as the system has it.
  private static var processor: String {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let lines = info.split(separator: "\n").filter { $0.hasPrefix("model name") }
    guard let name = lines.first?.split(separator: ":").last else { return "an unnamed processor" }
    return "\(lines.count) cores of \(name.trimmingCharacters(in: .whitespaces))"
  }
}
