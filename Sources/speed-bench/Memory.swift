// How fast memory comes to the cores, and how much of it while they multiply: what a step that reads more weights than any cache
// holds can't be faster than.

import ArgumentParser
import CProcessor
import Foundation
import Tensors

struct Memory: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time how fast memory comes, alone and between multiply-adds.",
    discussion: """
      Each thread goes through its share of a buffer that no cache holds, in order, by blocks of \(Memory.block) lines of 64 bytes: \
      some multiply-adds of sixteen floats for each line, and then the block is read. Nanoseconds for each line that a thread \
      reads, the median of the repetitions: of the multiply-adds alone, of both, and of both with the lines of the next block \
      asked for between the multiply-adds.
      """)

  @Option(help: "How many threads work.")
  var threads: Int?

  @Option(help: "The size of the buffer in MB.")
  var size = 1024

  @Option(help: "How often everything is timed.")
  var repetitions = 5

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads \(threads), wanted at least 1") }
    guard (1...1 << 16).contains(size) else {
      throw ValidationError("--size \(size), wanted 1 to \(1 << 16)")
    }
    guard repetitions > 0 else {
      throw ValidationError("--repetitions \(repetitions), wanted at least 1")
    }
  }

  fileprivate static let block = 128

  func run() {
    if let threads { Parallel.setThreads(threads) }
    let buffer = evenTensor([size << 18])
    let share = buffer.count / 16 / Parallel.threads / Self.block * Self.block
    /// What each thread takes for a line, in nanoseconds.
    func time(_ products: Int, _ reading: Reading) -> Double {
      let times = (0..<repetitions).map { _ in
        secondsTaken {
          Parallel.forEach(Parallel.threads) { thread in
            let first = UnsafePointer(buffer.pointer) + thread * share * 16
            walk(first, lines: share, products: products, reading)
          }
        }
      }
      return times.sorted()[repetitions / 2] * 1e9 / Double(share)
    }
    let line = time(0, .whole)
    print(
      String(
        format: "%d threads read %.1f GB/s, each a line in %.1f ns", Parallel.threads,
        64 / line * Double(Parallel.threads), line))
    print("multiply-adds for a line   alone   and read   asked for")
    for products in [16, 32, 64, 128] {
      print(
        String(
          format: "%24d %7.1f %10.1f %11.1f", products, time(products, .none),
          time(products, .whole), time(products, .askedFor)))
    }
  }
}

private enum Reading { case none, whole, askedFor }

/// Reads some lines, and makes so many multiply-adds of vectors for each, a multiple of eight.
@inline(never)
private func walk(
  _ lines: UnsafePointer<Float>, lines count: Int, products: Int, _ reading: Reading
) {
  let block = Memory.block
  var sums = EightSums()
  for first in stride(from: 0, to: count, by: block) {
    let here = lines + first &* 16
    // Beyond the last block nothing is there to be asked for: an address that isn't read needn't exist.
    let next = here + block &* 16
    // Not even an empty loop goes between the reads of two blocks: a core that goes through it reads nothing meanwhile.
    if products > 0 {
      for line in 0..<block {
        if reading == .askedFor { processor_prefetch_far(next + line &* 16) }
        for _ in 0..<(products / 8) { sums.multiply() }
      }
    }
    guard reading != .none else { continue }
    for line in stride(from: 0, to: block, by: 8) { sums.read(here + line &* 16) }
  }
  withExtendedLifetime(sums.total) {}
}

/// Eight sums, each of which waits for nothing but itself.
private struct EightSums {
  private var (x0, x1, x2, x3) = (
    SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>()
  )
  private var (x4, x5, x6, x7) = (
    SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>()
  )

  @inline(__always)
  mutating func multiply() {
    let (factor, rest) = (SIMD16<Float>(repeating: 0.5), SIMD16<Float>(repeating: 1))
    x0 = processor_add_product(rest, x0, factor)
    x1 = processor_add_product(rest, x1, factor)
    x2 = processor_add_product(rest, x2, factor)
    x3 = processor_add_product(rest, x3, factor)
    x4 = processor_add_product(rest, x4, factor)
    x5 = processor_add_product(rest, x5, factor)
    x6 = processor_add_product(rest, x6, factor)
    x7 = processor_add_product(rest, x7, factor)
  }

  @inline(__always)
  mutating func read(_ p: UnsafePointer<Float>) {
    let vectors = UnsafeRawPointer(p).assumingMemoryBound(to: SIMD16<Float>.self)
    x0 += vectors[0]
    x1 += vectors[1]
    x2 += vectors[2]
    x3 += vectors[3]
    x4 += vectors[4]
    x5 += vectors[5]
    x6 += vectors[6]
    x7 += vectors[7]
  }

  var total: Float { (x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7).sum() }
}
