import Images
import TestSupport
import Tensors
import Testing

@testable import Editing

@Suite struct MaskFinderTests {
  private func finder(_ base: Base, source: String, target: String) throws -> MaskFinder {
    let embeddings = try base.embeddings(of: [source, target]).tensor
    return MaskFinder(
      unet: try base.folder.unet(), schedule: base.schedule, target: embeddings.slice(1..<2),
      reference: .embedding(embeddings.slice(0..<1)))
  }

  @Test func sentencesThatAreAlikeDifferNowhere() throws {
    let base = try Base(path: Repository.base)
    let sentence = "a photo of a cow"
    let finder = try finder(base, source: sentence, target: sentence)
    let latent = try base.randomLatent(seed: 1, height: 8, width: 8)
    var draws = 0
    let differences = finder.differences(in: latent, seed: 0) { draws += 1 }
    #expect(draws == 10 && differences.shape == [8, 8])
    #expect(differences.array.allSatisfy { $0 == 0 })
    let mask = MaskFinder.mask(of: differences, threshold: 0.5, grow: 3, width: 32, height: 32)
    #expect(mask.isBlack)
  }

  @Test func drawsDependOnTheSeedAlone() throws {
    let base = try Base(path: Repository.base)
    let finder = try finder(base, source: "a photo of a cow", target: "a photo of a red car")
    let latent = try base.randomLatent(seed: 1, height: 8, width: 8)
    let differences = finder.differences(in: latent, seed: 0) {}
    #expect(differences.array.allSatisfy { $0 > 0 })
    #expect(finder.differences(in: latent, seed: 0) {}.array == differences.array)
    #expect(finder.differences(in: latent, seed: 1) {}.array != differences.array)
  }

  /// The photograph is what the model predicts of another word in one place: that word is found, and no place of another.
  @Test func comparesWithOthersOfTheWordThatThePhotographContradicts() throws {
    let base = try Base(path: Repository.base)
    let unet = try base.folder.unet()
    func embeddings(_ things: [String], _ places: [String]) throws -> Tensor {
      let sentences = things.flatMap { thing in places.map { "a photo of a \(thing) on a \($0)" } }
      return try base.embeddings(of: sentences).tensor
    }
    let target = try embeddings(["red car"], ["road"])
    let words = [
      try embeddings(["green car", "blue car"], ["road"]),
      try embeddings(["red cow", "red dog"], ["road"]),
      try embeddings(["red car"], ["beach", "railway"]),
    ]
    // What the model makes of noise when told "a blue car on a road".
    let sampler = Sampler(
      unet: unet, schedule: base.schedule, method: .ddim, steps: 10, resample: 1, resampleJump: 1,
      guidanceScale: 2, unconditional: try base.embeddings(of: [""]).tensor)
    let noise = try base.randomLatent(seed: 3, height: 16, width: 16)
    let latent = try sampler.latent(
      from: noise, embedding: words[0].slice(1..<2), seed: 0, keeping: nil
    ) {}
    var steps = 0
    let finder = MaskFinder(
      unet: unet, schedule: base.schedule, target: target, reference: .words(words))
    let differences = finder.differences(in: latent, seed: 0) { steps += 1 }
    #expect(steps == MaskFinder.steps(finder.reference) && steps == 16)
    // The same as against the sentence in the two other colours.
    let colours = [0, 1].map { number in
      MaskFinder(
        unet: unet, schedule: base.schedule, target: target,
        reference: .embedding(words[0].slice(number..<(number + 1)))
      ).differences(in: latent, seed: 0) {}
    }
    let mean = 0.5 * (colours[0] + colours[1])
    for (found, wanted) in zip(differences.array, mean.array) {
      #expect(abs(found - wanted) <= 1e-4 * wanted + 1e-6)
    }
  }

  /// Of the mean 0.5, three times it are the ceiling: the share is 0.5 from 0.75 on.
  @Test func differencesAreCutOffAndCompared() {
    let differences = Tensor([0, 0, 0, 0, 0.7, 0.8, 0, 0, 2.5] as [Float], [3, 3])
    let mean: Float = 4 / 9
    let mask = MaskFinder.mask(of: differences, threshold: 0.55, grow: 0, width: 3, height: 3)
    #expect(0.7 / (3 * mean) < 0.55 && 0.8 / (3 * mean) > 0.55)
    #expect(mask.values == [0, 0, 0, 0, 0, 1, 0, 0, 1])
    let lower = MaskFinder.mask(of: differences, threshold: 0.5, grow: 0, width: 3, height: 3)
    #expect(lower.values == [0, 0, 0, 0, 1, 1, 0, 0, 1])
    let grown = MaskFinder.mask(of: differences, threshold: 0.9, grow: 1, width: 3, height: 3)
    #expect(grown.values == [0, 0, 0, 0, 0, 1, 0, 1, 1])
    // However large one is, it counts as the ceiling.
    let larger = MaskFinder.mask(of: differences, threshold: 1, grow: 0, width: 3, height: 3)
    #expect(larger.values == [0, 0, 0, 0, 0, 0, 0, 0, 1])
  }

  /// Without a threshold, the differences are parted where the two parts spread least.
  @Test func differencesPartWhereTheySpreadLeast() {
    #expect(MaskFinder.parting([1, 2, 2, 9, 8, 1]) == 2)
    #expect(MaskFinder.parting([0, 0, 0, 0, 0, 1]) == 0)
    #expect(MaskFinder.parting([5, 5, 5]) == 5)
    #expect(MaskFinder.parting([]) == 0)
    // Against all ways to part them.
    let values = Philox(seed: 2, stream: .selection).uniform(count: 40)
    func spread(_ values: [Float]) -> Double {
      let mean = values.reduce(0) { $0 + Double($1) } / Double(max(1, values.count))
      return values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    }
    let least = values.min { one, other in
      spread(values.filter { $0 <= one }) + spread(values.filter { $0 > one })
        < spread(values.filter { $0 <= other }) + spread(values.filter { $0 > other })
    }
    #expect(MaskFinder.parting(values) == least)

    let differences = Tensor([0.1, 0.2, 0.1, 3, 2, 0.1] as [Float], [2, 3])
    let mask = MaskFinder.mask(of: differences, threshold: nil, grow: 0, width: 3, height: 2)
    #expect(mask.values == [0, 0, 0, 1, 1, 0])
    let even = Tensor(repeating: 2, [2, 3])
    #expect(
      MaskFinder.mask(of: even, threshold: nil, grow: 0, width: 3, height: 2).isBlack)
  }

  /// A single difference becomes a Gaussian, and the mean stays away from the edges.
  @Test func differencesAreSmoothed() {
    let one = Tensor(zeros: [9, 11])
    one.pointer[4 * 11 + 5] = 1
    let smooth = smoothed(one, by: 1)
    #expect(abs(smooth.sum() - 1) < 1e-6)
    let (middle, beside) = (smooth.pointer[4 * 11 + 5], smooth.pointer[4 * 11 + 6])
    #expect(abs(beside / middle - Float(0.606530660)) < 1e-5)
    #expect(smooth.pointer[3 * 11 + 5] == beside && smooth.pointer[0] == 0)
    let even = smoothed(Tensor(repeating: 3, [4, 5]), by: 1)
    #expect(even.array.allSatisfy { abs($0 - 3) < 1e-5 })
  }

  /// Brought to the picture's size before they are compared, so that the outline is not in steps.
  @Test func theOutlineIsThePictures() {
    let differences = Tensor([0, 0, 1, 1] as [Float], [2, 2])
    let mask = MaskFinder.mask(of: differences, threshold: 0.5, grow: 0, width: 8, height: 8)
    for y in 0..<8 { #expect(mask.values[y * 8] == (y >= 5 ? 1 : 0), "\(y)") }
  }
}
