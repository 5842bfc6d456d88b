// What the tests of safetensors files share.

import Foundation
import Testing
import Weights

/// A folder that is removed after `body`.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder)
}

/// The bytes of a safetensors file of a header and data.
func safetensors(_ header: String, _ data: [UInt8] = []) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
    + data
}

func bytes<Element>(of elements: [Element]) -> [UInt8] {
  elements.withUnsafeBytes { Array($0) }
}

/// The bytes of a safetensors file of float32 tensors.
func safetensors(_ tensors: [(name: String, extents: [Int], values: [Float])]) -> [UInt8] {
  var fields: [String] = []
  var data: [UInt8] = []
  for tensor in tensors {
    let end = data.count + 4 * tensor.values.count
    fields.append(
      "\"\(tensor.name)\":{\"dtype\":\"F32\",\"shape\":\(tensor.extents),"
        + "\"data_offsets\":[\(data.count),\(end)]}")
    data += bytes(of: tensor.values)
  }
  return safetensors("{\(fields.joined(separator: ","))}", data)
}

/// Expects a `LoadingError` whose one line has all the parts.
func expectLoadingError(
  saying parts: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  #expect(sourceLocation: sourceLocation) {
    try body()
  } throws: { error in
    let message = "\(error)"
    return error is LoadingError && !message.contains("\n")
      && parts.allSatisfy { message.contains($0) }
  }
}
