// How long the caches of two cores take to hand over what one of them has written or read: what a kernel of several threads
// pays beside its arithmetic, and what changes when a virtual machine's cores are moved.

import ArgumentParser
import CProcessor
import Foundation
import Glibc
import Synchronization

struct Cores: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time what the caches of two cores take to hand over lines.",
    discussion: """
      Two threads, each held on its core, take turns: one writes a buffer, the other reads or writes it. Each figure is the \
      median of all turns, in nanoseconds for each line of 64 bytes. A round trip of about 100 ns tells of cores with a \
      third-level cache between them, one of 500 ns of cores with none.
      """)

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("The two cores, by number.", valueName: "core"))
  var between = [0, 1]

  @Option(help: "The size of the buffer in KB.")
  var size = 128

  func validate() throws {
    guard between.count == 2, between[0] != between[1] else {
      throw ValidationError("--between \(between), wanted two different cores")
    }
    guard (1...1 << 20).contains(size) else {
      throw ValidationError("--size \(size), wanted 1 to \(1 << 20)")
    }
  }

  /// Turns of each thread.
  private static let turns = 200
  private static let shortTurns = 10_000

  func run() throws {
    let lines = Lines(count: size * 1024 / 64)
    func turns(_ first: @escaping () -> Void, _ second: @escaping () -> Void) throws -> Turns {
      try Turns(Self.turns, cores: between, [first, second])
    }
    func tell(_ what: String, _ seconds: Double) {
      let time = String(format: "%6.1f ns", seconds * 1e9 / Double(lines.count))
      print("  " + what.padding(toLength: 40, withPad: " ", startingAt: 0) + time)
    }

    // The best of several, for whatever comes between makes one long.
    let trips = try (0..<30).map { _ in
      try Turns(Self.shortTurns, cores: between, areTimed: false, [{}, {}]).seconds
        / Double(Self.shortTurns - 1)
    }
    print(String(format: "there and back: %.0f ns", (trips.min() ?? 0) * 1e9))
    print("each line of \(size) KB:")
    let readAfterWrite = try turns(lines.write, lines.read)
    tell("read, written by the other core", readAfterWrite.second)
    tell("written, written by the other core", try turns(lines.write, lines.write).second)
    tell("written, read by the other core", readAfterWrite.first)
    tell("the same, asked for ahead", try turns(lines.writeAskedFor, lines.read).first)
    let streamed = try turns(lines.stream, lines.read)
    tell("the same, stored past the caches", streamed.first)
    tell("read, stored past the caches", streamed.second)
  }
}

/// A buffer of cache lines.
private final class Lines: @unchecked Sendable {
  let count: Int
  private let base: UnsafeMutablePointer<SIMD16<Float>>
  private let sink = UnsafeMutablePointer<SIMD16<Float>>.allocate(capacity: 1)

  init(count: Int) {
    self.count = count
    base = UnsafeMutableRawPointer.allocate(byteCount: count * 64, alignment: 4096)
      .bindMemory(to: SIMD16<Float>.self, capacity: count)
    base.initialize(repeating: SIMD16(repeating: 1), count: count)
  }

  deinit {
    base.deallocate()
    sink.deallocate()
  }

  func write() {
    for index in 0..<count { base[index] = SIMD16(repeating: Float(index)) }
  }

  /// Asks for lines with the intent to write them, 32 before the one that is written.
  func writeAskedFor() {
    for index in 0..<count {
      processor_prefetch_to_write(base + (index &+ 32))
      base[index] = SIMD16(repeating: Float(index))
    }
  }

  func stream() {
    let floats = UnsafeMutableRawPointer(base).assumingMemoryBound(to: Float.self)
    for index in 0..<count {
      processor_stream(floats + index &* 16, SIMD16(repeating: Float(index)))
    }
    processor_finish_streams()
  }

  func read() {
    // Four sums, so that the loads don't wait for the additions.
    var sums = (SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>(), SIMD16<Float>())
    for index in stride(from: 0, to: count & ~3, by: 4) {
      sums.0 += base[index]
      sums.1 += base[index &+ 1]
      sums.2 += base[index &+ 2]
      sums.3 += base[index &+ 3]
    }
    sink.initialize(to: sums.0 + sums.1 + sums.2 + sums.3)
  }
}

/// A core that no thread can be held on.
private struct CoreError: LocalizedError {
  let core: Int
  var errorDescription: String? { "--between: no thread can be held on core \(core)" }
}

/// Two threads, each on its core, that do something in turns.
private final class Turns: @unchecked Sendable {
  private let turn = Atomic<Int>(0)
  private let areHeld = Mutex([false, false])
  private let durations = Mutex([[Double](), []])
  private let elapsed = Mutex(0.0)

  /// The median of what a turn of the first thread took, and of the second, in seconds.
  var first: Double { median(0) }
  var second: Double { median(1) }
  /// All turns together, with nothing timed between them.
  var seconds: Double { elapsed.withLock { $0 } }

  /// - Parameter areTimed: whether each turn is timed, which takes longer than a turn of nothing.
  /// - Throws: ``CoreError`` where a core doesn't exist or isn't this process's.
  init(_ count: Int, cores: [Int], areTimed: Bool = true, _ work: [() -> Void]) throws {
    struct Body: @unchecked Sendable { let run: () -> Void }
    let group = DispatchGroup()
    for (number, body) in work.map({ Body(run: $0) }).enumerated() {
      group.enter()
      Thread { [self] in
        let isHeld = processor_hold_thread(Int32(clamping: cores[number])) != 0
        areHeld.withLock { $0[number] = isHeld }
        takeTurns(count, number, areTimed, body.run)
        group.leave()
      }.start()
    }
    group.wait()
    let held = areHeld.withLock { $0 }
    if let missing = held.firstIndex(of: false) { throw CoreError(core: cores[missing]) }
  }

  private func takeTurns(_ count: Int, _ number: Int, _ areTimed: Bool, _ body: () -> Void) {
    var mine: [Double] = []
    mine.reserveCapacity(areTimed ? count : 0)
    var start = Self.now
    for index in 0..<count {
      while turn.load(ordering: .acquiring) != 2 * index + number {}
      // The first turn waits for the other thread to be there.
      if index == 1 { start = Self.now }
      let before = areTimed ? Self.now : 0
      body()
      if areTimed { mine.append(Self.now - before) }
      turn.store(2 * index + number + 1, ordering: .releasing)
    }
    let all = Self.now - start
    if number == 0 { elapsed.withLock { $0 = all } }
    durations.withLock { [mine] in $0[number] = mine }
  }

  private func median(_ number: Int) -> Double {
    // The first turns find nobody's lines in the other core's cache.
    let all = durations.withLock { $0[number] }.dropFirst(10).sorted()
    return all[all.count / 2]
  }

  private static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
