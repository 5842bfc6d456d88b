// A base with a tuned denoiser as a diffusers folder.

import Foundation
import Tensors
import Weights

/// Writes diffusers folders.
enum Export {
  private static let weightsFile = "diffusion_pytorch_model.safetensors"

  /// A place as it was given, without slashes at the end: its name is completed to that of a place beside it.
  static func place(_ path: String) -> String {
    var place = Substring(path)
    while place.count > 1, place.hasSuffix("/") { place.removeLast() }
    return String(place)
  }

  /// - Throws: `EditingError`, `cannotCreate`, where something is at the place already, or nothing can be made there.
  static func checkPlace(_ path: String) throws {
    guard !FileManager.default.fileExists(atPath: path) else {
      throw EditingError(
        .cannotCreate, "\(path): is there already, wanted a place for something new")
    }
    try RunFolder(path: URL(fileURLWithPath: path).deletingLastPathComponent().path).create()
    removeAbandoned(beside: path)
  }

  /// Removes what processes that are no more have left on its way to a place.
  private static func removeAbandoned(beside path: String) {
    let url = URL(fileURLWithPath: path)
    let (folder, mark) = (url.deletingLastPathComponent().path, url.lastPathComponent + ".partial-")
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      guard name.hasPrefix(mark), let process = pid_t(name.dropFirst(mark.count)), process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }

  /// Writes LoRA as one file that diffusers loads by `pipe.load_lora_weights`, with peft's names and, as it says nothing of
  /// an alpha, one that equals the rank.
  /// - Parameter weights: by the names and in the shapes of ``LoRA``.
  /// - Throws: `LoadingError`; nothing is left at the place then.
  static func write(lora weights: [String: Tensor], to path: String) throws {
    let renamed = Dictionary(
      uniqueKeysWithValues: weights.map { name, tensor in
        let parts = name.split(separator: "/")
        return ("unet.\(parts[0]).lora_\(parts[1] == "down" ? "A" : "B").weight", tensor)
      })
    try SafetensorsWriter.write(renamed.mapValues(\.shape), to: URL(fileURLWithPath: path)) {
      renamed[$0]!
    }
  }

  /// Writes a folder that holds the base's other parts and these weights. It is made beside its place and renamed when
  /// it is whole.
  /// - Throws: `EditingError` or `LoadingError`; nothing is left at the place then.
  static func write(_ weights: [String: Tensor], of base: String, to path: String) throws {
    let partial = "\(path).partial-\(getpid())"
    let files = FileManager.default
    do {
      try? files.removeItem(atPath: partial)
      for name in try content(of: base) {
        let target = "\(partial)/\(name)"
        try files.createDirectory(
          atPath: URL(fileURLWithPath: target).deletingLastPathComponent().path,
          withIntermediateDirectories: true)
        // A base may be a folder of links; what they lead to is copied.
        let source = URL(fileURLWithPath: "\(base)/\(name)").resolvingSymlinksInPath()
        try files.copyItem(atPath: source.path, toPath: target)
      }
      try SafetensorsWriter.write(
        weights.mapValues(\.shape), to: URL(fileURLWithPath: "\(partial)/unet/\(weightsFile)")
      ) { weights[$0]! }
      try files.moveItem(atPath: partial, toPath: path)
    } catch {
      try? files.removeItem(atPath: partial)
      if error is LoadingError { throw error }
      throw EditingError(.cannotCreate, "\(path): can't be written: \(error.localizedDescription)")
    }
  }

  /// The files of a base other than the denoiser's weights, relative to its folder.
  private static func content(of base: String) throws -> [String] {
    let parts = try FileManager.default.contentsOfDirectory(atPath: base).filter { name in
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: "\(base)/\(name)", isDirectory: &isFolder)
      return exists && isFolder.boolValue && !name.hasPrefix(".") && name != "unet"
    }
    let inParts = try parts.sorted().flatMap { part in
      try FileManager.default.contentsOfDirectory(atPath: "\(base)/\(part)").sorted()
        .filter { !$0.hasPrefix(".") }.map { "\(part)/\($0)" }
    }
    let others = ["model_index.json", "imagic.json", BaseWords.file, BaseCaptions.file].filter {
      FileManager.default.fileExists(atPath: "\(base)/\($0)")
    }
    return others + ["unet/config.json"] + inParts
  }
}
