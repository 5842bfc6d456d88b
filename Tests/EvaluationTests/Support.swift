// Cases made on the spot.

import Editing
import Foundation
import Images
import TestSupport

@testable import Evaluation

extension TemporaryFolder {
  /// Writes the case of a photograph whose left half is to turn green.
  func writeCase(
    _ name: String, kind: String = "colour", withTarget: Bool = true, withMask: Bool = true
  ) throws {
    let folder = "\(path)/\(name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let input = try Picture(contentsOf: Repository.photograph).fitted(width: 40, height: 40)
    var (target, mask) = (input, Picture(width: 40, height: 40, color: SIMD3(0, 0, 0)))
    target.paste(Picture(width: 20, height: 40, color: SIMD3(30, 160, 40)), x: 0, y: 0)
    mask.paste(Picture(width: 20, height: 40, color: SIMD3(255, 255, 255)), x: 0, y: 0)
    try write(input, to: "\(name)/input.png")
    if withTarget {
      try write(target, to: "\(name)/target.png")
      // As green as the truth, but darker: a tenth of the way back.
      target.paste(Picture(width: 20, height: 40, color: SIMD3(30, 130, 40)), x: 0, y: 0)
      try write(target, to: "\(name)/again.png")
    }
    if withMask { try write(mask, to: "\(name)/mask.png") }
    _ = try write("a photo of a green cow\n", to: "\(name)/prompt.txt")
    _ = try write(
      #"{"kind": "\#(kind)", "source": "a photo of a cow", "target": "a photo of a green cow"}"#,
      to: "\(name)/case.json")
  }

  func write(_ picture: Picture, to name: String) throws {
    try Data(picture.png()).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
  }

  /// Settings of few steps.
  func settings() throws -> String {
    try write(
      """
      size: 32
      embedding: { steps: 3, batch: 2 }
      finetune: { steps: 3, batch: 2 }
      generate: { alphas: [0, 0.5, 1], strengths: [0, 0.5], guidance-scales: [0, 2], steps: 4, resample-jump: 2 }
      """, to: "settings.yaml")
  }
}
