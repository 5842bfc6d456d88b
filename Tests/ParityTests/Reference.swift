// A committed random base with PyTorch's answers to random inputs, made by tools/make_references.py.

import Checkpoints
import Foundation
import Tensors
import Testing

/// One of the references: a base in diffusers' layout, what it was asked, and what PyTorch answered.
struct Reference: Sendable, CustomTestStringConvertible {
  /// Stable Diffusion 1.x and 2.x form, and one of neither; tools/committed_bases.py tells what is special in each.
  static let all = ["stable-diffusion-1", "stable-diffusion-2", "mixed"].map(Reference.init)
  /// The one that has gradients of the text encoder and of the autoencoder too.
  static let trained = all[0]

  let name: String

  var testDescription: String { name }

  var folder: URL {
    let references = Bundle.module.resourceURL?.appendingPathComponent("References")
    return (references ?? URL(fileURLWithPath: "References")).appendingPathComponent(name)
  }

  func inputs() throws -> StoreFile { try read("inputs.h5") }

  func expected() throws -> StoreFile { try read("expected.h5") }

  private func read(_ file: String) throws -> StoreFile {
    try StoreFile.read(folder.appendingPathComponent(file).path, from: .anyone)
  }
}

/// The largest difference over the largest expected value; infinite where the shapes differ or something found is not
/// finite.
func relativeDifference(_ found: Tensor, _ expected: Tensor) -> Float {
  guard found.shape == expected.shape, found.isFinite else { return .infinity }
  var difference: Float = 0
  for index in 0..<found.count {
    difference = max(difference, abs(found.pointer[index] - expected.pointer[index]))
  }
  return difference == 0 ? 0 : difference / expected.largestMagnitude
}

extension Tensor {
  /// The largest absolute value.
  var largestMagnitude: Float { array.map(abs).max() ?? 0 }
}
