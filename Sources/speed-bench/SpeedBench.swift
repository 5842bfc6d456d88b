// Times whole steps of the method, a JSON object a line, in the form of tools/bench_pytorch.py.

import ArgumentParser
import Foundation
import Glibc
import Tensors

@main
struct SpeedBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speed-bench",
    abstract: "Times the steps of the method, in the form of tools/bench_pytorch.py.",
    discussion: "Works: " + Works.names.joined(separator: " "))

  @Argument(help: "Names of works (default: all).")
  var works: [String] = []

  @Option(help: "How many threads work.")
  var threads: Int?

  @Option(help: "How often each work is timed, after once to warm up.")
  var repetitions = 3

  @Option(help: "The folder of the full-size configurations.")
  var full = "benchmarks/stable-diffusion-1.5"

  @Option(help: "The folder of the embedded base.")
  var base = "checkpoints/base"

  @Flag(help: "Run the works that standard input names, a line each, and answer each by a line.")
  var serve = false

  func validate() throws {
    if let other = works.first(where: { !Works.names.contains($0) }) {
      throw ValidationError("\(other) is no work; there are \(Works.names.joined(separator: ", "))")
    }
    if let threads, threads < 1 { throw ValidationError("--threads \(threads), wanted at least 1") }
  }

  func run() throws {
    if let threads { Parallel.setThreads(threads) }
    let all = Works(full: URL(fileURLWithPath: full), base: URL(fileURLWithPath: base))
    if serve {
      while let name = readLine() {
        if let work = try all.work(name) {
          report(name, work)
        } else {
          print(#"{"work": "\#(name)", "error": "no such work"}"#)
          fflush(nil)
        }
      }
      return
    }
    for name in works.isEmpty ? Works.names : works {
      guard let work = try all.work(name) else { continue }
      work()
      for _ in 0..<repetitions { report(name, work) }
    }
  }

  private func report(_ name: String, _ work: () -> Void) {
    let fresh = StoragePool.shared.usage.freshAllocations
    let processor = clock()
    let start = ContinuousClock.now
    work()
    let taken = start.duration(to: .now)
    let seconds = Double(taken.components.seconds) + Double(taken.components.attoseconds) * 1e-18
    let busy = Double(clock() - processor) / Double(CLOCKS_PER_SEC)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let allocated = StoragePool.shared.usage.freshAllocations - fresh
    print(
      #"{"work": "\#(name)", "seconds": \#(String(format: "%.6f", seconds)), "#
        + #""cpu_seconds": \#(String(format: "%.6f", busy)), "#
        + #""peak_bytes": \#(usage.ru_maxrss * 1024), "fresh_allocations": \#(allocated)}"#)
    fflush(nil)
  }
}
