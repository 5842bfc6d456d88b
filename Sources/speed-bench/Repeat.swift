// Times whole steps of the method, a JSON object a line for each repetition, in the form of tools/bench_pytorch.py.

import ArgumentParser
import Foundation
import Glibc
import Tensors

struct Repeat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time works, in the form of tools/bench_pytorch.py.",
    discussion: "Works: " + Works.names.joined(separator: " "))

  @Argument(help: "Names of works (default: all).")
  var works: [String] = []

  @OptionGroup var options: BenchOptions

  @Flag(help: "Run the works that standard input names, a line each, and answer each by a line.")
  var serve = false

  func validate() throws {
    if let other = works.first(where: { !Works.names.contains($0) }) {
      throw ValidationError("\(other) is no work; there are \(Works.names.joined(separator: ", "))")
    }
  }

  func run() throws {
    if let threads = options.threads { Parallel.setThreads(threads) }
    let all = Works(options.folders)
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
      for _ in 0..<options.repetitions { report(name, work) }
    }
  }

  private func report(_ name: String, _ work: () -> Void) {
    let fresh = StoragePool.shared.usage.freshAllocations
    let processor = clock()
    let seconds = secondsTaken(by: work)
    let busy = Double(clock() - processor) / Double(CLOCKS_PER_SEC)
    let allocated = StoragePool.shared.usage.freshAllocations - fresh
    print(
      #"{"work": "\#(name)", "seconds": \#(String(format: "%.6f", seconds)), "#
        + #""cpu_seconds": \#(String(format: "%.6f", busy)), "#
        + #""peak_bytes": \#(peakMemory()), "fresh_allocations": \#(allocated)}"#)
    fflush(nil)
  }
}
