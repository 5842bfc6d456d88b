import Editing
import Foundation
import Images
import Layers
import Tensors
import TestSupport

@testable import Training

/// A folder of small pictures with captions, and a recipe that trains on them in a second.
struct SmallData {
  let folder = try! TemporaryFolder()

  init() throws {
    let colors: [(String, SIMD3<UInt8>)] = [
      ("red", SIMD3(200, 30, 20)), ("green", SIMD3(20, 160, 40)), ("blue", SIMD3(30, 40, 210)),
    ]
    var lines = ""
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/images", withIntermediateDirectories: true)
    for index in 0..<9 {
      let (name, color) = colors[index % 3]
      var picture = Picture(width: 20, height: 16, color: SIMD3(120, 120, 130))
      for x in index..<(index + 6) { for y in 4..<12 { picture[x, y] = color } }
      let file = "images/\(index).png"
      try Data(picture.png()).write(to: URL(fileURLWithPath: "\(folder.path)/\(file)"))
      lines += #"{"file_name": "\#(file)", "text": "a photo of a \#(name) box"}"# + "\n"
    }
    _ = try folder.write(lines, to: "metadata.jsonl")
  }

  static let recipe = """
    size: 16
    autoencoder:
      channels: [8, 16]
      latent-channels: 4
      groups: 4
      steps: 8
      batch: 4
      crop: 8
      crop-share: 0.5
      warm-up: 2
    text: { width: 16, layers: 1, heads: 2, tokens: 8, vocabulary: 600 }
    denoiser:
      channels: [16, 32]
      attention-levels: [1]
      heads: 2
      groups: 4
      steps: 8
      batch: 4
      accumulate: 2
      warm-up: 2
    samples: [a photo of a red box, a photo of a blue box]
    """
}

/// Parameters by their names.
struct ParameterStoreOf {
  let store: ParameterStore

  init(_ weights: [String: Tensor]) {
    store = ParameterStore { name, _ in weights[name]! }
  }
}
