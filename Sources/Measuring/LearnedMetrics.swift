// The learned metrics' weights, which do not come with the program.

import Foundation
import Images
import Weights

/// What learned networks say of pictures, as far as their weights are there.
public struct LearnedMetrics {
  public let distance: PerceptualDistance?
  public let classifier: Classifier?
  /// What can't be measured, and why, one line each.
  public let leftOut: [String]

  /// No network.
  public init() { (distance, classifier, leftOut) = (nil, nil, []) }

  /// Reads what is there of `perceptual.safetensors` and `classifier.safetensors`, which tools/convert_metrics.py makes.
  /// - Throws: `LoadingError`, where a file is there and is not what it should be.
  public init(in folder: String) throws {
    var leftOut: [String] = []
    func file(_ name: String, of what: String) -> URL? {
      let path = "\(folder)/\(name)"
      if FileManager.default.fileExists(atPath: path) { return URL(fileURLWithPath: path) }
      leftOut.append("\(what): no weights at \(path); make metrics fetches them")
      return nil
    }
    distance = try file("perceptual.safetensors", of: "the perceptual distance")
      .map(PerceptualDistance.init(contentsOf:))
    classifier = try file("classifier.safetensors", of: "what a classifier sees")
      .map(Classifier.init(contentsOf:))
    self.leftOut = leftOut
  }

  /// The folder that `IMAGIC_METRICS` names, or `imagic/metrics` in the user's cache.
  public static var defaultFolder: String {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["IMAGIC_METRICS"], !folder.isEmpty { return folder }
    let cache = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
    return (cache ?? NSHomeDirectory() + "/.cache") + "/imagic/metrics"
  }

  /// Which networks there are; the results depend on them.
  public var names: [String] {
    [distance.map { _ in PerceptualDistance.name }, classifier.map { _ in Classifier.name }]
      .compactMap { $0 }
  }
}
