// Training pictures at the size that they are trained at, decoded once: a file of bytes that is mapped into memory.

import Checkpoints
import Editing
import Foundation
import Images
import Synchronization
import Tensors

/// Pictures of one size, by their numbers.
///
/// The file beside the run's others has the pixels of each picture, `[count, size, size, 3]` bytes, and after them, where
/// masks are wanted, those of the masks, `[count, grid, grid]` bytes, 0 for a picture without one; a JSON file has their
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
  /// The side of the masks; 0 for none.
  private let grid: Int

  var count: Int { index.captions.count }
  var size: Int { index.size }
  private var bytesEach: Int { 3 * size * size }

  private static func length(count: Int, size: Int, grid: Int) -> Int {
    count * (3 * size * size + grid * grid)
  }

  /// SHA-256 of what decides which pictures and masks there are: the folders' lists and the sizes.
  static func digest(_ folders: [CaptionedPictures], size: Int, grid: Int = 0) -> String {
    let numbers = ["\(size)"] + (grid > 0 ? ["\(grid)"] : [])
    return SHA256Text.digest(of: (folders.map(\.digest) + numbers).joined(separator: " ").utf8)
  }

  /// - Parameters:
  ///   - path: of the two files, without their extensions.
  ///   - size: of the pictures, which are cropped to squares.
  ///   - grid: the side that masks are brought to; 0 to leave them alone.
  /// - Throws: `EditingError`: `badData` where no picture can be read; `cannotCreate` or `inputOutput` where the files
  ///   can't be written.
  init(
    _ folders: [CaptionedPictures], size: Int, grid: Int = 0, path: String,
    report: (StageEvent) -> Void
  ) throws {
    let digest = Self.digest(folders, size: size, grid: grid)
    self.grid = grid
    let (list, pixels) = ("\(path).json", "\(path).pixels")
    if let index = Self.index(at: list), index.digest == digest,
      let data = try? Data(contentsOf: URL(fileURLWithPath: pixels), options: .alwaysMapped),
      data.count == Self.length(count: index.captions.count, size: size, grid: grid)
    {
      self.index = index
      self.data = data
      return
    }
    // Else, if the machine stops before the new list is there, the old one may go with pixels of as many others.
    try? FileManager.default.removeItem(atPath: list)
    let index = try Self.make(
      folders, size: size, grid: grid, digest: digest, pixels: pixels, report)
    try AtomicFile.write(Array(SettingsJSON.encode(index).utf8), to: list)
    self.index = index
    data = try Data(contentsOf: URL(fileURLWithPath: pixels), options: .alwaysMapped)
  }

  /// Grey pictures that were never read, to measure with.
  init(grey count: Int, size: Int) {
    index = Index(
      digest: "", size: size, captions: Array(repeating: "", count: count), skipped: [])
    grid = 0
    data = Data(repeating: 128, count: count * 3 * size * size)
  }

  private static func index(at path: String) -> Index? {
    FileManager.default.contents(atPath: path).flatMap {
      try? JSONDecoder().decode(Index.self, from: $0)
    }
  }

  private static func make(
    _ folders: [CaptionedPictures], size: Int, grid: Int, digest: String, pixels: String,
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
    var masks: [UInt8] = []
    func write(_ bytes: [UInt8]) throws {
      do {
        try file.write(contentsOf: bytes)
      } catch {
        throw EditingError(
          .inputOutput, "\(pixels): writing failed: \(error.localizedDescription)")
      }
    }
    let chunk = 512
    for start in stride(from: 0, to: entries.count, by: chunk) {
      if StopSignal.number != nil {
        throw EditingError(
          .stopped, "stopped while the pictures were read; the same command goes on")
      }
      let part = entries[start..<min(start + chunk, entries.count)]
      let results = Mutex([Result<Bytes, any Error>?](repeating: nil, count: part.count))
      Parallel.forEach(part.count) { number in
        let result = Result { try Bytes(part[start + number], size: size, grid: grid) }
        results.withLock { $0[number] = result }
      }
      for (entry, result) in zip(part, results.withLock { $0 }) {
        switch result! {
        case .success(let bytes):
          try write(bytes.pixels)
          masks += bytes.mask
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
    try write(masks)
    do {
      try file.synchronize()
    } catch {
      throw EditingError(.inputOutput, "\(pixels): writing failed: \(error.localizedDescription)")
    }
    return index
  }

  /// What the file holds of a picture.
  private struct Bytes: Sendable {
    var pixels: [UInt8]
    var mask: [UInt8] = []

    init(_ entry: CaptionedPictures.Entry, size: Int, grid: Int) throws {
      let picture = try Picture(contentsOf: entry.path)
      pixels = picture.fitted(width: size, height: size).pixels
      guard grid > 0 else { return }
      guard let path = entry.mask else {
        mask = Array(repeating: 0, count: grid * grid)
        return
      }
      let whole = try Mask(Picture(contentsOf: path), name: path)
      guard whole.isProportioned(picture.width, picture.height) else {
        throw EditingError(
          .badData,
          "\(path): found a mask of \(whole.width)x\(whole.height) pixels, wanted the proportions of "
            + "\(entry.path), \(picture.width)x\(picture.height)")
      }
      mask = whole.fitted(width: size, height: size).resized(width: grid, height: grid).values
        .map { UInt8(($0 * 255).rounded()) }
    }
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

  /// Which share of each element of a latent belongs to a picture's things, `[numbers.count, grid, grid, 1]`.
  func masks(_ numbers: [Int]) -> Tensor {
    let each = grid * grid
    let result = Tensor(uninitialized: [numbers.count, grid, grid, 1])
    let first = Self.length(count: count, size: size, grid: 0)
    data.withUnsafeBytes { bytes in
      for (index, number) in numbers.enumerated() {
        for element in 0..<each {
          result.pointer[index * each + element] =
            Float(bytes[first + number * each + element]) / 255
        }
      }
    }
    return result
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
