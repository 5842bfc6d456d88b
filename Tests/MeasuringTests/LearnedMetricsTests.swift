// Against what PyTorch answers (tools/make_network_references.py), and, where the true weights are there, against the
// packages that they are from (tools/convert_metrics.py).

import Foundation
import Images
import Tensors
import Testing
import Weights

@testable import Measuring

@Suite struct LearnedMetricsTests {
  private static let references = Bundle.module.path(forResource: "References", ofType: nil) ?? ""

  private struct Answers {
    let file: SafetensorsFile

    init(in folder: String) throws {
      file = try SafetensorsFile(URL(fileURLWithPath: "\(folder)/answers.safetensors"))
    }

    func callAsFunction(_ name: String) throws -> Tensor {
      let entry = try #require(file.entries[name])
      return try file.tensor(named: name, shape: Shape(entry.extents))
    }
  }

  private func expectClose(_ found: [Float], _ wanted: Tensor, tolerance: Float) {
    let scale = wanted.array.map(abs).max() ?? 1
    #expect(found.count == wanted.count && scale > 0.01)
    for (found, wanted) in zip(found, wanted.array) {
      #expect(abs(found - wanted) <= tolerance * scale, "\(found) for \(wanted)")
    }
  }

  /// The order is kept in halves: the references have all first pictures before all second ones.
  private func distances(in folder: String) throws -> [Float] {
    let metric = try #require(try LearnedMetrics(in: folder).distance)
    var pictures = try Answers(in: folder)("small")
    if pictures.array.contains(where: { $0 > 1 }) {
      pictures = Tensor(pictures.array.map { $0 / 127.5 - 1 }, pictures.shape)
    }
    return metric.distances(pictures).map(Float.init)
  }

  @Test func distancesAreThoseOfPyTorch() throws {
    try expectClose(
      distances(in: Self.references), Answers(in: Self.references)("distances"), tolerance: 1e-5)
  }

  @Test(arguments: [31, 40]) func logitsAreThoseOfPyTorch(side: Int) throws {
    let answers = try Answers(in: Self.references)
    let network = try #require(try LearnedMetrics(in: Self.references).classifier)
    try expectClose(
      network.logits(answers("pictures\(side)")).array, answers("logits\(side)"), tolerance: 1e-5)
  }

  @Test(
    .enabled("the weights are not there; make metrics") {
      FileManager.default.fileExists(
        atPath: LearnedMetrics.defaultFolder + "/answers.safetensors")
    })
  func withTheTrueWeightsTheAnswersAreThePackages() throws {
    let folder = LearnedMetrics.defaultFolder
    let answers = try Answers(in: folder)
    try expectClose(distances(in: folder), answers("distances"), tolerance: 2e-5)
    let network = try #require(try LearnedMetrics(in: folder).classifier)
    try expectClose(network.logits(answers("large")).array, answers("logits"), tolerance: 2e-5)
  }

  @Test func equalPicturesAreNoDistanceApartAndSmallOnesHaveNone() throws {
    let metric = try #require(try LearnedMetrics(in: Self.references).distance)
    let scene = try Reference.picture("scene")
    let noisy = try Reference.picture("noisy")
    #expect(metric(scene, scene) == 0)
    let (there, back) = try (#require(metric(scene, noisy)), #require(metric(noisy, scene)))
    #expect(there > 0 && abs(there - back) < 1e-9)
    let small = scene.resized(width: 23, height: 40)
    #expect(metric(small, small) == nil)
  }

  @Test func aClassifierSeesAPictureAtItsOwnSize() throws {
    let network = try #require(try LearnedMetrics(in: Self.references).classifier)
    let scene = try Reference.picture("scene")
    let large = scene.resized(width: 227, height: 227)
    #expect(network.logits(of: scene) == network.logits(of: large))
    #expect(network.logits(of: scene).count == 5)
  }

  @Test func whatIsNotThereIsLeftOutAndWhatIsBrokenIsNamed() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let none = try LearnedMetrics(in: folder.path)
    #expect(none.distance == nil && none.classifier == nil && none.names.isEmpty)
    #expect(none.leftOut.count == 2)
    #expect(none.leftOut[0].contains("no weights at \(folder.path)/perceptual.safetensors"))
    // Another network's file.
    try FileManager.default.copyItem(
      atPath: "\(Self.references)/classifier.safetensors",
      toPath: folder.appendingPathComponent("perceptual.safetensors").path)
    #expect { _ = try LearnedMetrics(in: folder.path) } throws: {
      "\($0)".contains("perceptual.safetensors")
    }
  }
}
