// Training pictures at the size that they are trained at, decoded once: a file of bytes that is mapped into memory.

import Checkpoints
import Editing
import Foundation
import Images
import Synchronization
import Tensors

/// Pictures of one size, by their numbers.
///
/// The file beside the run's others has the pixels of each picture, `[count, size, size, 3]` bytes; a JSON file has their
/// captions and what was skipped. Both are made again where the folders' lists have changed.
final class PictureCache {
  /// What the JSON file says.
  struct Index: Codable {
    /// Of the lists of the folders and the size.
    var digest: String
    var size: Int
    var captions: [String]
    /// What is wrong with each picture that was left out.
    var skipped: [String]
  }

  let index: Index
  private let data: Data

  var count: Int { index.captions.count }
  var size: Int { index.size }
  private var bytesEach: Int { 3 * size * size }

  /// - Parameters:
  ///   - path: of the two files, without their extensions.
  ///   - size: of the pictures, which are cropped to squares.
  /// - Throws: `EditingError`: `badData` where no picture can be read; `cannotCreate` or `inputOutput` where the files
  ///   can't be written.
  init(
    _ folders: [CaptionedPictures], size: Int, path: String, report: (StageEvent) -> Void
  ) throws {
    let digest = SHA256Text.digest(
      of: (folders.map(\.digest) + ["\(size)"]).joined(separator: " ").utf8)
    let (list, pixels) = ("\(path).json", "\(path).pixels")
    if let index = Self.index(at: list), index.digest == digest,
      let data = try? Data(contentsOf: URL(fileURLWithPath: pixels), options: .alwaysMapped),
      data.count == index.captions.count * 3 * size * size
    {
      self.index = index
      self.data = data
      return
    }
    let index = try Self.make(folders, size: size, digest: digest, pixels: pixels, report)
    try AtomicFile.write(Array(SettingsJSON.encode(index).utf8), to: list)
    self.index = index
    data = try Data(contentsOf: URL(fileURLWithPath: pixels), options: .alwaysMapped)
  }

  /// Grey pictures that were never read, to measure with.
  init(grey count: Int, size: Int) {
    index = Index(
      digest: "", size: size, captions: Array(repeating: "", count: count), skipped: [])
    data = Data(repeating: 128, count: count * 3 * size * size)
  }

  private static func index(at path: String) -> Index? {
    FileManager.default.contents(atPath: path).flatMap {
      try? JSONDecoder().decode(Index.self, from: $0)
    }
  }

  private static func make(
    _ folders: [CaptionedPictures], size: Int, digest: String, pixels: String,
    _ report: (StageEvent) -> Void
  ) throws -> Index {
    let entries = folders.flatMap(\.entries)
    report(
      .note("reading \(entries.count) pictures of \(folders.map(\.folder).joined(separator: ", "))")
    )
    guard FileManager.default.createFile(atPath: pixels, contents: nil),
      let file = FileHandle(forWritingAtPath: pixels)
    else { throw EditingError(.cannotCreate, "\(pixels): can't be made") }
    defer { try? file.close() }
    var index = Index(
      digest: digest, size: size, captions: [], skipped: folders.flatMap(\.problems))
    let chunk = 512
    for start in stride(from: 0, to: entries.count, by: chunk) {
      if StopSignal.number != nil {
        throw EditingError(
          .stopped, "stopped while the pictures were read; the same command goes on")
      }
      let part = entries[start..<min(start + chunk, entries.count)]
      let results = Mutex([Result<[UInt8], any Error>?](repeating: nil, count: part.count))
      Parallel.forEach(part.count) { number in
        let result = Result {
          try Picture(contentsOf: part[start + number].path)
            .fitted(width: size, height: size).pixels
        }
        results.withLock { $0[number] = result }
      }
      for (entry, result) in zip(part, results.withLock { $0 }) {
        switch result! {
        case .success(let bytes):
          do {
            try file.write(contentsOf: bytes)
          } catch {
            throw EditingError(
              .inputOutput, "\(pixels): writing failed: \(error.localizedDescription)")
          }
          index.captions.append(entry.caption)
        case .failure(let error):
          index.skipped.append("\(error), skipped")
        }
      }
    }
    guard !index.captions.isEmpty else {
      throw EditingError(
        .badData,
        "\(folders.map(\.folder).joined(separator: ", ")): found no picture that can be read, wanted "
          + "at least one; the first: \(index.skipped.first ?? "none")")
    }
    return index
  }

  /// A part of a picture, `height * width * 3` floats in [-1, 1], written to `target`.
  func read(
    _ number: Int, x: Int, y: Int, side: Int, flipped: Bool,
    into target: UnsafeMutablePointer<Float>
  ) {
    data.withUnsafeBytes { bytes in
      let picture = bytes.baseAddress! + number * bytesEach
      for row in 0..<side {
        for column in 0..<side {
          let source = picture + ((y + row) * size + x + (flipped ? side - 1 - column : column)) * 3
          let pixel = target + (row * side + column) * 3
          for channel in 0..<3 {
            pixel[channel] = Float(source.load(fromByteOffset: channel, as: UInt8.self)) / 127.5 - 1
          }
        }
      }
    }
  }

  /// Whole pictures as the autoencoder takes them, `[numbers.count, size, size, 3]`.
  func pictures(_ numbers: [Int]) -> Tensor {
    let result = Tensor(uninitialized: [numbers.count, size, size, 3])
    Parallel.forEach(numbers.count) { index in
      read(
        numbers[index], x: 0, y: 0, side: size, flipped: false,
        into: result.pointer + index * bytesEach)
    }
    return result
  }
}
