// What a part of a training has reached, as a file of the store.

import Checkpoints
import Editing
import Foundation
import Layers
import Tensors

/// The checkpoint of a part of a base's training: weights, their average, the optimiser's state and the losses.
struct TrainingState {
  static let format = "imagic-base-training"
  static let formatVersion = 1

  /// What has to be equal for a run to go on from the file.
  struct Identity: Codable, Equatable {
    var part: String
    /// The part of the recipe that it is trained by, in JSON.
    var recipe: String
    /// Of the pictures' lists.
    var data: String
    var seed: UInt64
    /// Of the weights that the training began with; empty for random ones, nil where they are not known yet and so not
    /// compared.
    var origin: String?
  }

  /// How far a training is.
  struct Reached {
    /// The file that says so.
    let path: String
    let steps: Int
  }

  let path: String
  let identity: Identity
  /// The names of the optimiser's parameters in the file, in its order.
  let names: [String]

  /// Saves what the optimiser holds.
  /// - Parameter seconds: how long the training has taken so far.
  func save(_ optimizer: Optimizer, losses: [Float], seconds: Double, complete: Bool) throws {
    var file = StoreFile(
      attributes: [
        "format": .string(Self.format), "format_version": .integer(Int64(Self.formatVersion)),
        "identity": .string(try SettingsJSON.encode(identity)),
        "step": .integer(Int64(losses.count)), "complete": .integer(complete ? 1 : 0),
        "seconds": .float(seconds),
      ],
      datasets: ["/history/loss": .floats(Tensor(losses, [losses.count]))])
    for (index, parameter) in optimizer.parameters.enumerated() {
      let name = names[index]
      func enter(_ group: String, _ tensor: Tensor) {
        file.datasets["/\(group)/\(name)"] = .floats(parameter.stored(tensor))
      }
      enter("weights", parameter.value)
      enter("average", optimizer.averages[index])
      enter("optimizer/first_moment", optimizer.means[index])
      enter("optimizer/second_moment", optimizer.variances[index])
    }
    try file.save(to: path)
  }

  /// Takes up what is saved.
  /// - Returns: the losses of the steps done, how long they took, and whether the part is complete; nil where there is no
  ///   file.
  /// - Throws: `StoreError` or `EditingError`, where the file is damaged or of another training.
  func resume(_ optimizer: Optimizer) throws -> (
    losses: [Float], seconds: Double, isComplete: Bool
  )? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try StoreFile.read(path) { _ in true }
    try check(file)
    func tensors(_ group: String) throws -> [Tensor] {
      try zip(names, optimizer.parameters).map { name, parameter in
        try file.tensor("/\(group)/\(name)", shape: parameter.storedShape.array)
      }
    }
    for (parameter, weights) in zip(optimizer.parameters, try tensors("weights")) {
      parameter.load(weights)
    }
    let step = try file.integer("step")
    optimizer.resume(
      step: step, means: try tensors("optimizer/first_moment"),
      variances: try tensors("optimizer/second_moment"), averages: try tensors("average"))
    return (
      try file.tensor("/history/loss", shape: [step]).array, try file.float("seconds"),
      try file.integer("complete") == 1
    )
  }

  /// How far the file says the training is; nil where there is no file.
  /// - Throws: as `resume`.
  func reached() throws -> Reached? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try StoreFile.read(path) { _ in false }
    try check(file)
    return Reached(path: path, steps: try file.integer("step"))
  }

  /// - Throws: `StoreError`, or `EditingError`, `badData`, where the file is of another training or none.
  private func check(_ file: StoreFile) throws {
    let found = (try file.string("format"), try file.integer("format_version"))
    guard found == (Self.format, Self.formatVersion) else {
      throw EditingError(
        .badData,
        "\(path): found the format \(found.0) \(found.1), wanted \(Self.format) \(Self.formatVersion)"
      )
    }
    let saved = try SettingsJSON.decode(
      Identity.self, from: file.string("identity"), source: path)
    var identity = identity
    identity.origin = identity.origin ?? saved.origin
    guard saved == identity else {
      let different = zip(saved.lines, identity.lines).filter { $0 != $1 }
        .map { "found \($0), wanted \($1)" }
      throw EditingError(
        .badData,
        "\(path): was trained otherwise: \(different.joined(separator: "; ")); --restart begins anew"
      )
    }
  }
}

extension TrainingState.Identity {
  /// What it says, for messages.
  fileprivate var lines: [String] {
    [
      "part \(part)", "recipe \(recipe)", "pictures \(data.prefix(12))", "seed \(seed)",
      "base or autoencoder \(origin.flatMap { $0.isEmpty ? nil : $0.prefix(12) } ?? "none")",
    ]
  }
}
