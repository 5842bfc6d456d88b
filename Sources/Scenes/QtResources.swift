// Qt resource files (.rcc): a tree of named files in one.

import Foundation

/// The files in a Qt resource file of version 1 to 3, as `rcc --binary` writes it: a header of magic, version and three
/// offsets, then nodes of a fixed size, names and data; numbers are big-endian. Compressed data are not read.
struct QtResources: Sendable {
  private static let folderFlag = 2
  private static let compressedFlags = 1 | 4

  private let name: String
  private let data: Data
  /// Where in the file each resource's bytes are.
  private let ranges: [String: Range<Int>]

  /// - Throws: `SceneError`: `noInput` if there is no such file, `badData` if it is damaged or of another kind.
  init(contentsOf path: String) throws {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
    else {
      throw SceneError(.noInput, "\(path): there is no such file, wanted a Qt resource file")
    }
    try self.init(data, name: path)
  }

  init(_ data: Data, name: String) throws {
    self.name = name
    self.data = data
    ranges = try Reader(data: data, name: name).ranges()
  }

  /// The paths of all files, sorted.
  var paths: [String] { ranges.keys.sorted() }

  /// The bytes of one file.
  func bytes(of path: String) throws -> [UInt8] {
    guard let range = ranges[path] else {
      throw SceneError(.noInput, "\(name): there is no \(path) in it")
    }
    return [UInt8](data[range])
  }

  private struct Reader {
    let data: Data
    let name: String

    func ranges() throws -> [String: Range<Int>] {
      guard data.count >= 20, data.prefix(4) == Data("qres".utf8) else {
        throw SceneError(.badData, "\(name): wanted a Qt resource file, which begins with qres")
      }
      let version = try number(4, 4)
      guard (1...3).contains(version) else {
        throw SceneError(
          .badData, "\(name): a Qt resource file of version \(version), wanted 1 to 3")
      }
      let (tree, content, names) = (try number(8, 4), try number(12, 4), try number(16, 4))
      // From version 2 on, nodes have the time of the last change.
      let nodeSize = version == 1 ? 14 : 22
      var result: [String: Range<Int>] = [:]
      var waiting: [(node: Int, path: String, depth: Int)] = [(0, "", 0)]
      while let (node, path, depth) = waiting.popLast() {
        let place = tree + node * nodeSize
        let flags = try number(place + 4, 2)
        let ownName = node == 0 ? "" : try text(names + number(place, 4))
        let whole = path.isEmpty ? ownName : "\(path)/\(ownName)"
        if flags & QtResources.folderFlag != 0 {
          let (count, first) = (try number(place + 6, 4), try number(place + 10, 4))
          guard depth < 64, count <= data.count / nodeSize else { throw damaged() }
          for child in 0..<count { waiting.append((first + child, whole, depth + 1)) }
        } else if flags & QtResources.compressedFlags == 0 {
          let start = content + (try number(place + 10, 4))
          let length = try number(start, 4)
          guard length <= data.count - start - 4 else { throw damaged() }
          result[whole] = start + 4..<start + 4 + length
        }
        guard result.count + waiting.count <= data.count / nodeSize else { throw damaged() }
      }
      return result
    }

    private func number(_ offset: Int, _ size: Int) throws -> Int {
      guard offset >= 0, offset <= data.count - size else { throw damaged() }
      return data[offset..<offset + size].reduce(0) { $0 << 8 | Int($1) }
    }

    /// A name: its length, a hash, and UTF-16 characters.
    private func text(_ offset: Int) throws -> String {
      let length = try number(offset, 2)
      let units = try (0..<length).map { UInt16(try number(offset + 6 + 2 * $0, 2)) }
      return String(decoding: units, as: UTF16.self)
    }

    private func damaged() -> SceneError {
      SceneError(.badData, "\(name): a damaged Qt resource file")
    }
  }
}
