// What is told of a kernel or a step: one record, as a line of JSON and as a line of the table.

import Foundation
import Tensors

struct Measurement: Codable {
  enum Kind: String, Codable { case kernel, step }

  var kind: Kind
  var name: String
  /// Of kernels: whose extents these are, the operation, the pass, and how often a forward uses it.
  var model: String?
  var operation: String?
  var pass: String?
  var uses: Int?
  /// Floating-point operations, counted as by the direct algorithm. Absent where memory bounds.
  var flops: Int?
  /// The least to be read and written. Absent where arithmetic bounds.
  var bytes: Int?

  // Of what was timed.
  var threads: Int?
  var repetitions: Int?
  /// The median.
  var seconds: Double?
  var gflops: Double?
  /// Of the largest product of our own.
  var peakShare: Double?
  var gigabytesPerSecond: Double?
  /// Buffers taken fresh from the system in the last repetition.
  var freshAllocations: Int?
  /// Of a step the most memory that its process held, the making of its model included; of a kernel the most that
  /// tensors held while it ran, its operands included.
  var peakBytes: Int?

  init(_ kernel: Kernel) {
    self.init(kind: .kernel, name: kernel.name, flops: kernel.operation.flops(kernel.pass))
    model = kernel.model
    operation = kernel.operation.name
    pass = kernel.pass.rawValue
    uses = kernel.uses
    let least = kernel.operation.bytes(kernel.pass)
    bytes = least > 0 ? least : nil
  }

  init(kind: Kind, name: String, flops: Int) {
    self.kind = kind
    self.name = name
    self.flops = flops > 0 ? flops : nil
  }

  /// Takes the times of the repetitions, and what follows from them.
  mutating func take(seconds all: [Double], freshAllocations: Int, peakBytes: Int, peak: Double) {
    let middle = median(all)
    threads = Parallel.threads
    repetitions = all.count
    seconds = middle
    gflops = flops.map { Double($0) / middle * 1e-9 }
    peakShare = flops.map { Double($0) / middle / peak }
    gigabytesPerSecond = bytes.map { Double($0) / middle * 1e-9 }
    self.freshAllocations = freshAllocations
    self.peakBytes = peakBytes
  }
}

/// - Precondition: there is a value.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let half = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/// A line of JSON, its keys in snake case and in the order of the alphabet.
func jsonLine(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Lines of measurements in aligned columns.
struct MeasurementTable {
  private static let columns: [(title: String, width: Int)] = [
    ("times", 6), ("ms", 11), ("GFLOPS", 8), ("peak", 6), ("GB/s", 7), ("fresh", 6),
    ("memory", 11),
  ]
  private let nameWidth: Int

  init(names: [String]) { nameWidth = names.map(\.count).max() ?? 0 }

  var header: String { line("", Self.columns.map(\.title)) }

  func row(_ measured: Measurement) -> String {
    func text(_ value: Double?, _ format: String) -> String {
      value.map { String(format: format, $0) } ?? ""
    }
    return line(
      measured.name,
      [
        measured.uses.map(String.init) ?? "",
        text(measured.seconds.map { $0 * 1000 }, "%.3f"),
        text(measured.gflops, "%.1f"),
        text(measured.peakShare.map { $0 * 100 }, "%.0f%%"),
        text(measured.gigabytesPerSecond, "%.1f"),
        measured.freshAllocations.map(String.init) ?? "",
        text(measured.peakBytes.map { Double($0) * 1e-6 }, "%.1f MB"),
      ])
  }

  private func line(_ name: String, _ cells: [String]) -> String {
    zip(cells, Self.columns).reduce(padded(name, nameWidth, left: true)) { line, column in
      line + padded(column.0, column.1.width, left: false)
    }
  }

  private func padded(_ text: String, _ width: Int, left: Bool) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return left ? text + space : space + text
  }
}
