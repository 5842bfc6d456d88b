// Times every kernel and every step, with their arithmetic and memory.

import ArgumentParser
import Foundation
import Glibc
import Tensors

struct Measure: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time each kernel and each step; tell GFLOPS, share of the peak, and memory.",
    discussion: """
      The peak is that of our own product of two large matrices, at the start. GFLOPS count what the direct algorithm \
      takes, so a faster one can pass the peak. GB/s count the least that has to be read and written. A kernel is \
      repeated on the same operands, which stay in the caches where they fit; each step runs in a process of its own, \
      and its memory is that process's.
      """)

  @Argument(
    help: ArgumentHelp(
      "What to measure, by how its name begins, such as sd-512/conv or base- (default: all).",
      valueName: "prefix"))
  var prefixes: [String] = []

  @OptionGroup var options: BenchOptions

  @Flag(help: "List what there is, without timing it.")
  var list = false

  @Flag(help: "Print JSON lines instead of the table.")
  var json = false

  @Option(
    help: ArgumentHelp("Also write the JSON lines to this file.", valueName: "file"))
  var save: String?

  /// How long a kernel and a step are repeated at least, in seconds.
  private static let kernelTime = 0.1
  private static let stepTime = 1.0
  private static let mostRepetitions = 1000

  /// The models whose operations are timed by themselves.
  private static let models =
    Works.sizes.reversed().map { "sd-\($0)" } + ["base-4"]
    + Works.sizes.reversed().flatMap { ["vae-encode-\($0)", "vae-decode-\($0)"] } + ["text-77"]

  func run() throws {
    if let threads = options.threads { Parallel.setThreads(threads) }
    let kernels = try Self.models.flatMap(kernels(of:)).filter { isWanted($0.name) }
    let steps = Works.names.filter(isWanted)
    for prefix in prefixes
    where !(kernels.map(\.name) + steps).contains(where: { $0.hasPrefix(prefix) }) {
      throw ValidationError("nothing begins with \(prefix); --list tells what there is")
    }
    if list {
      for kernel in kernels { try printListed(Measurement(kernel)) }
      for step in steps { try printListed(measurement(of: step)) }
      return
    }

    var saved: FileHandle?
    if let save {
      guard FileManager.default.createFile(atPath: save, contents: nil),
        let file = FileHandle(forWritingAtPath: save)
      else { throw BenchFailure(description: "\(save) can't be written") }
      saved = file
    }
    func put(_ record: some Encodable, _ text: @autoclosure () -> [String]) throws {
      let line = try jsonLine(record)
      try saved?.write(contentsOf: Data((line + "\n").utf8))
      for line in json ? [line] : text() { print(line) }
      fflush(nil)
    }

    let peak = productPeak()
    let machine = Machine(peakGflops: peak * 1e-9)
    let table = MeasurementTable(names: kernels.map(\.name) + steps)
    try put(machine, Self.opening(machine) + [table.header])
    for kernel in kernels {
      let measured = timed(kernel, peak: peak)
      try put(measured, [table.row(measured)])
    }
    StoragePool.shared.trim()
    for step in steps {
      let measured = try timed(step: step, peak: peak)
      try put(measured, [table.row(measured)])
    }
  }

  private func isWanted(_ name: String) -> Bool {
    prefixes.isEmpty || prefixes.contains { name.hasPrefix($0) }
  }

  private func printListed(_ measurement: Measurement) throws {
    print(json ? try jsonLine(measurement) : measurement.name)
  }

  private static func opening(_ machine: Machine) -> [String] {
    [
      "\(machine.processor), \(machine.vectors), \(machine.cores) cores, "
        + String(format: "%.0f GB", Double(machine.memoryBytes) * 1e-9),
      "Swift \(machine.swift), \(machine.threads) thread\(machine.threads == 1 ? "" : "s"), "
        + String(format: "matrix products at most %.1f GFLOPS", machine.peakGflops),
      "",
    ]
  }

  /// Every pass of every operation of a model; forward alone where it is never trained.
  private func kernels(of model: String) throws -> [Kernel] {
    let network = try options.folders.network(model)
    let isTrained = model.hasPrefix("sd") || model.hasPrefix("base")
    var all = network.counts
    if isTrained { all += Self.optimised(network.weights) }
    return all.flatMap { operation, uses in
      operation.passes.filter { isTrained || $0 == .forward }.map {
        Kernel(model: model, operation: operation, pass: $0, uses: uses)
      }
    }
  }

  /// Steps of the optimiser over the largest weights and over those of the most common size.
  private static func optimised(_ weights: [Shape]) -> [(Operation, Int)] {
    var counts: [Int: Int] = [:]
    for shape in weights { counts[shape.count, default: 0] += 1 }
    let common = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }!.key
    let largest = counts.keys.max()!
    return Set([largest, common]).sorted(by: >).map {
      (Operation(kind: .adam, input: [$0]), counts[$0]!)
    }
  }

  private func timed(_ kernel: Kernel, peak: Double) -> Measurement {
    // What kernels of other extents left is of no use to this one.
    StoragePool.shared.trim()
    let work = kernel.work()
    StoragePool.shared.resetPeak()
    work()
    var seconds: [Double] = []
    var fresh = 0
    while seconds.count < options.repetitions
      || (seconds.reduce(0, +) < Self.kernelTime && seconds.count < Self.mostRepetitions)
    {
      let before = StoragePool.shared.usage.freshAllocations
      seconds.append(secondsTaken(by: work))
      fresh = StoragePool.shared.usage.freshAllocations - before
    }
    var result = Measurement(kernel)
    result.take(
      seconds: seconds, freshAllocations: fresh, peakBytes: StoragePool.shared.usage.peak,
      peak: peak)
    return result
  }

  private func measurement(of step: String) throws -> Measurement {
    Measurement(kind: .step, name: step, flops: try Works.flops(step, in: options.folders))
  }

  /// A line of ``Repeat``.
  private struct Repetition: Decodable {
    var seconds: Double
    var peakBytes: Int
    var freshAllocations: Int
  }

  /// Times a step in a process of its own, so that its peak memory is its own too; a short one more often.
  private func timed(step: String, peak: Double) throws -> Measurement {
    var repetitions = try run(step, repetitions: options.repetitions)
    let middle = median(repetitions.map(\.seconds))
    let enough = min(Self.mostRepetitions, Int(Self.stepTime / middle))
    if enough > repetitions.count { repetitions = try run(step, repetitions: enough) }
    var result = try measurement(of: step)
    result.take(
      seconds: repetitions.map(\.seconds), freshAllocations: repetitions.last!.freshAllocations,
      peakBytes: repetitions.last!.peakBytes, peak: peak)
    return result
  }

  /// - Throws: where the process fails or tells nothing.
  private func run(_ step: String, repetitions: Int) throws -> [Repetition] {
    let lines = try output(
      of: URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path,
      [
        step, "--repetitions", "\(repetitions)", "--threads", "\(Parallel.threads)",
        "--full", options.full, "--base", options.base,
      ])
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let told = try lines.split(separator: "\n").map {
      try decoder.decode(Repetition.self, from: Data($0.utf8))
    }
    guard !told.isEmpty else { throw BenchFailure(description: "\(step) told nothing") }
    return told
  }
}
