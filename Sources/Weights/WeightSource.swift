// The strict reading of a model's parameters: each is used once at least, in the shape that it has.

import Foundation
import Tensors

/// The parameters of one part of a diffusers folder, from one file or from shards.
///
/// A model takes its tensors by name and shape while it is built, and `finish` then shows whether the files held more
/// than the model has. Not for several threads at a time.
public final class WeightSource {
  /// What files of parameters are called without their endings.
  public enum FileName: String, Sendable {
    /// As diffusers has it: denoisers and autoencoders.
    case diffusers = "diffusion_pytorch_model"
    /// As transformers has it: text encoders.
    case transformers = "model"
  }

  private struct Place {
    let file: SafetensorsFile
    let entry: SafetensorsFile.Entry
    /// The name in the file.
    let storedName: String
    let wasConvolution: Bool
  }

  /// What errors name: the file, or the index of the shards.
  public let path: String
  private var places: [String: Place] = [:]
  private var unused: Set<String> = []

  /// Buffers that old text encoders carry: the numbers 0, 1, 2, ..., which need no file.
  private static let ignored: Set<String> = ["embeddings.position_ids"]

  /// Finds and opens the parameters in the folder of a part.
  ///
  /// Taken is the first that exists of `NAME.safetensors`, `NAME.safetensors.index.json` (shards), and the same in half
  /// precision, `NAME.fp16.safetensors` and `NAME.safetensors.index.fp16.json`.
  /// - Throws: `LoadingError`.
  public convenience init(
    folder: URL, fileName: FileName, renames: [WeightRename] = []
  ) throws {
    let stem = fileName.rawValue
    for name in ["\(stem).safetensors", "\(stem).fp16.safetensors"] {
      let indexName =
        name.contains("fp16")
        ? "\(stem).safetensors.index.fp16.json" : "\(stem).safetensors.index.json"
      let file = folder.appendingPathComponent(name)
      let index = folder.appendingPathComponent(indexName)
      if FileManager.default.fileExists(atPath: file.path) {
        try self.init(files: [SafetensorsFile(file)], path: file.path, renames: renames)
        return
      }
      if FileManager.default.fileExists(atPath: index.path) {
        try self.init(
          files: Self.shards(of: index, in: folder), path: index.path, renames: renames)
        return
      }
    }
    throw LoadingError(
      .missing, file: folder.path,
      "no parameters found, wanted \(stem).safetensors, \(stem).safetensors.index.json or"
        + " \(stem).fp16.safetensors")
  }

  /// - Throws: `LoadingError` where two tensors have one name.
  init(files: [SafetensorsFile], path: String, renames: [WeightRename] = []) throws {
    self.path = path
    for file in files {
      for (storedName, entry) in file.entries {
        let rename = renames.first { $0.applied(to: storedName) != nil }
        let name = rename?.applied(to: storedName) ?? storedName
        let place = Place(
          file: file, entry: entry, storedName: storedName,
          wasConvolution: rename?.wasConvolution ?? false)
        if let other = places.updateValue(place, forKey: name) {
          let both = [other.storedName, storedName].sorted().map(quoted).joined(separator: " and ")
          throw LoadingError(file: file.path, "\(both) are the same parameter, wanted one of them")
        }
      }
    }
    unused = Set(places.keys).subtracting(Self.ignored)
  }

  /// The names of all parameters, as they are called today.
  public var names: [String] { places.keys.sorted() }

  /// Whether there is a parameter of that name; a question does not count as use.
  public func has(_ name: String) -> Bool { places[name] != nil }

  /// A parameter in the layout of the file, as float32.
  /// - Throws: `LoadingError` where it is missing, or has another shape: both are named.
  public func tensor(_ name: String, _ shape: Shape) throws -> Tensor {
    guard let place = places[name] else {
      throw LoadingError(file: path, "no tensor \(quoted(name)), wanted one of shape \(shape)")
    }
    var extents = place.entry.extents
    while place.wasConvolution, extents.count > shape.rank, extents.last == 1 {
      extents.removeLast()
    }
    guard extents == shape.array else {
      throw LoadingError(
        file: place.file.path,
        "\(quoted(name)) has shape \(place.entry.extents), wanted \(shape)")
    }
    unused.remove(name)
    return try place.file.tensor(place.entry, name: name, shape: shape)
  }

  /// - Throws: `LoadingError` where there are parameters that nobody asked for; up to five are named.
  public func finish() throws {
    guard !unused.isEmpty else { return }
    let shown = unused.sorted().prefix(5).map(quoted).joined(separator: ", ")
    throw LoadingError(
      file: path,
      "\(unused.count) tensors that the model does not have, wanted none: \(shown)"
        + (unused.count > 5 ? ", …" : ""))
  }

  /// The shards that an index names, each opened once and checked to hold what the index says.
  private static func shards(of index: URL, in folder: URL) throws -> [SafetensorsFile] {
    let file = index.path
    let json = try JSON(contentsOf: index, limit: SafetensorsFile.headerLimit)
    guard case .object(let members) = json, case .object(let map)? = json["weight_map"] else {
      throw LoadingError(file: file, "\(json), wanted an object with a \"weight_map\"")
    }
    if let other = members.first(where: { !["weight_map", "metadata"].contains($0.key) }) {
      throw LoadingError(
        file: file, "\(quoted(other.key)) is not a key known here, wanted a file without it")
    }
    var names: [String: Set<String>] = [:]
    for member in map {
      guard case .string(let shard) = member.value, shard.hasSuffix(".safetensors"),
        !shard.contains("/"), !shard.contains("\0")
      else {
        throw LoadingError(
          file: file,
          "\(quoted(member.key)) is in \(member.value), wanted the name of a safetensors file"
            + " in the same folder")
      }
      names[shard, default: []].insert(member.key)
    }
    return try names.keys.sorted().map { shard in
      let opened = try SafetensorsFile(folder.appendingPathComponent(shard))
      let listed = names[shard] ?? []
      let difference = listed.symmetricDifference(opened.entries.keys)
      if let name = difference.min() {
        throw LoadingError(
          file: file,
          listed.contains(name)
            ? "\(quoted(name)) should be in \(quoted(shard)), which has no such tensor"
            : "\(quoted(shard)) holds \(quoted(name)), wanted only what the index lists there")
      }
      return opened
    }
  }
}
