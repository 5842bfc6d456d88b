// Writing of a safetensors file that diffusers and transformers open.

import Foundation
import Tensors

/// Writes tensors into one safetensors file, one after the other, so that only one is in memory at a time.
public enum SafetensorsWriter {
  /// How elements are stored.
  public enum Precision: String, Sendable {
    case float32 = "F32"
    case float16 = "F16"

    var size: Int { self == .float32 ? 4 : 2 }
  }

  /// Writes the file beside its place, syncs it, renames it into its place and syncs the folder: the file at `url` is
  /// the old one or the new one, whole.
  ///
  /// Names are sorted, and the header is padded to a multiple of eight bytes, so equal tensors give equal bytes.
  /// - Parameters:
  ///   - shapes: the name and shape of every tensor.
  ///   - tensor: gives the tensor of a name, in its shape.
  /// - Throws: `LoadingError` where the system fails or an element is not finite in the precision asked for, and what
  ///   `tensor` throws. Nothing is left behind then, and the file at `url` is as it was, unless all was done but the
  ///   folder's sync.
  public static func write(
    _ shapes: [String: Shape], to url: URL, precision: Precision = .float32,
    tensor: (String) throws -> Tensor
  ) throws {
    let path = url.path
    let names = shapes.keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
    var output = try AtomicFile(path: path)
    do {
      try output.write(Array(header(names, shapes, precision)))
      for name in names {
        let tensor = try tensor(name)
        precondition(tensor.shape == shapes[name], "\(name) has shape \(tensor.shape)")
        try write(tensor, name: name, precision: precision, into: &output)
      }
      try output.commit()
    } catch {
      output.discard()
      throw error
    }
  }

  private static func header(
    _ names: [String], _ shapes: [String: Shape], _ precision: Precision
  ) -> [UInt8] {
    var text = #"{"__metadata__":{"format":"pt"}"#
    var offset = 0
    for name in names {
      let shape = shapes[name] ?? []
      let end = offset + shape.count * precision.size
      let extents = shape.array.map(String.init).joined(separator: ",")
      text += ",\(escaped(name)):{\"dtype\":\"\(precision.rawValue)\",\"shape\":[\(extents)],"
      text += "\"data_offsets\":[\(offset),\(end)]}"
      offset = end
    }
    text += "}"
    var bytes = Array(text.utf8)
    bytes += Array(repeating: UInt8(ascii: " "), count: (8 - bytes.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(bytes.count).littleEndian, Array.init) + bytes
  }

  /// A text in JSON's quotes.
  private static func escaped(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\0"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func write(
    _ tensor: Tensor, name: String, precision: Precision, into output: inout AtomicFile
  ) throws {
    func failure() -> LoadingError {
      LoadingError(
        file: output.path,
        "\(quoted(name)) has an element that is not finite as \(precision.rawValue)")
    }
    guard tensor.isFinite else { throw failure() }
    let elements = UnsafeBufferPointer(start: tensor.pointer, count: tensor.count)
    switch precision {
    case .float32:
      try output.write(UnsafeRawBufferPointer(elements))
    case .float16:
      let halves = elements.map { Float16($0) }
      guard halves.allSatisfy(\.isFinite) else { throw failure() }
      try halves.withUnsafeBytes { try output.write($0) }
    }
    // The pointer is valid while the tensor lives.
    withExtendedLifetime(tensor) {}
  }
}

/// A file that takes its place only when it is whole.
private struct AtomicFile {
  let path: String
  private let partialPath: String
  private var descriptor: Int32

  init(path: String) throws {
    self.path = path
    partialPath = "\(path).partial-\(getpid())"
    descriptor = open(partialPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      throw LoadingError(.cannotCreate, file: path, "can't create: \(reason)")
    }
  }

  private func failure(_ action: String) -> LoadingError {
    let reason = String(cString: strerror(errno))
    return LoadingError(.inputOutput, file: path, "can't \(action): \(reason)")
  }

  func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while let start = rest.baseAddress, !rest.isEmpty {
      let count = Foundation.write(descriptor, start, rest.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure("write") }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
  }

  mutating func commit() throws {
    guard fsync(descriptor) == 0 else { throw failure("sync") }
    let status = close(descriptor)
    descriptor = -1
    guard status == 0 else { throw failure("close") }
    guard rename(partialPath, path) == 0 else { throw failure("rename into place") }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let folderDescriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folderDescriptor >= 0 else { throw failure("open the folder") }
    defer { close(folderDescriptor) }
    guard fsync(folderDescriptor) == 0 else { throw failure("sync the folder") }
  }

  mutating func discard() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    unlink(partialPath)
  }
}
