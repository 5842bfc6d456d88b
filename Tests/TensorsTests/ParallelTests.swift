import Foundation
import Synchronization
import Testing

@testable import Tensors

@Suite struct ParallelTests {
  /// Counts how often each index of `0..<count` comes up in `body`.
  private func calls(_ count: Int, _ body: (_ count: @escaping (Int) -> Void) -> Void) -> [Int] {
    let counts = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: max(1, count))
    defer { counts.deallocate() }
    for index in 0..<count { (counts + index).initialize(to: Atomic(0)) }
    body { index in counts[index].add(1, ordering: .relaxed) }
    return (0..<count).map { counts[$0].load(ordering: .sequentiallyConsistent) }
  }

  @Test(arguments: [1, 2, 3, 8]) func everyIndexOnce(_ threads: Int) {
    withThreads(threads) {
      #expect(Parallel.threads == threads)
      for count in [0, 1, 2, 3, 7, 8, 64, 1000] {
        for _ in 0..<20 {
          let found = calls(count) { Parallel.forEach(count, $0) }
          #expect(found == Array(repeating: 1, count: count))
        }
      }
    }
  }

  @Test(arguments: [1, 2, 3, 8]) func rangesCoverAll(_ threads: Int) {
    withThreads(threads) {
      for (count, grain) in [(0, 4), (1, 4), (4, 4), (5, 4), (103, 10), (64, 1)] {
        let found = calls(count) { call in
          Parallel.forEachRange(of: count, grain: grain) { range in
            #expect(range.count <= grain && range.lowerBound % grain == 0)
            range.forEach(call)
          }
        }
        #expect(found == Array(repeating: 1, count: count))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 8]) func whatAThreadMakesForItself(_ threads: Int) {
    withThreads(threads) {
      let made = LaneValues<Int>()
      let tasks = Mutex([Int: Int]())
      for _ in 0..<20 {
        Parallel.forEach(64) { _ in
          let before = made.own ?? 0
          made.own = before + 1
          let lane = Parallel.lane ?? 0
          let finished = tasks.withLock { all in
            all[lane, default: 0] += 1
            return all[lane, default: 0]
          }
          #expect(finished == before + 1)
        }
      }
      #expect(tasks.withLock { $0.values.reduce(0, +) } == 20 * 64)
    }
  }

  @Test(arguments: [1, 2, 3, 8]) func callsWithinTasks(_ threads: Int) {
    withThreads(threads) {
      let found = calls(20 * 30) { call in
        Parallel.forEach(20) { outer in
          Parallel.forEach(30) { inner in call(outer * 30 + inner) }
        }
      }
      #expect(found == Array(repeating: 1, count: 600))
    }
  }

  @Test(arguments: [2, 3, 8]) func callsFromTwoThreadsAtOnce(_ threads: Int) {
    withThreads(threads) {
      let found = calls(2 * 200 * 16) { call in
        // Calls on another thread while this one waits for nothing but its end.
        nonisolated(unsafe) let call = call
        let other = Thread {
          for round in 0..<200 { Parallel.forEach(16) { call(round * 16 + $0) } }
        }
        other.start()
        for round in 200..<400 { Parallel.forEach(16) { call(round * 16 + $0) } }
        while !other.isFinished { usleep(100) }
      }
      #expect(found == Array(repeating: 1, count: 6400))
    }
  }

  @Test func theWorkIsShared() {
    withThreads(2) {
      // Other tests may have the workers now and then, so a meeting of two threads is tried until it comes about.
      let deadline = Date.now + 20
      var met = false
      while !met, Date.now < deadline {
        let inside = Atomic<Int>(0)
        let together = Atomic<Bool>(false)
        Parallel.forEach(2) { _ in
          inside.add(1, ordering: .sequentiallyConsistent)
          let patience = Date.now + 0.1
          while Date.now < patience, !together.load(ordering: .sequentiallyConsistent) {
            if inside.load(ordering: .sequentiallyConsistent) == 2 {
              together.store(true, ordering: .sequentiallyConsistent)
            }
          }
          inside.subtract(1, ordering: .sequentiallyConsistent)
        }
        met = together.load(ordering: .sequentiallyConsistent)
      }
      #expect(met)
    }
  }

  @Test func resizingOverAndOver() {
    for threads in [1, 5, 2, 16, 1, 3, 1, 2] {
      withThreads(threads) {
        #expect(calls(50) { Parallel.forEach(50, $0) } == Array(repeating: 1, count: 50))
      }
    }
  }

  /// Two tasks that run at once are each the one of their own thread, over and over.
  @Test func eachThreadBeginsWithItsShare() {
    withThreads(2) {
      let deadline = Date.now + 20
      var meetings = 0
      while meetings < 20, Date.now < deadline {
        let inside = Atomic<Int>(0)
        let lanes = Mutex([Int?](repeating: nil, count: 2))
        let together = Atomic<Bool>(false)
        Parallel.forEach(2) { index in
          // While another test has the workers, both tasks run here, one after the other.
          guard let lane = Parallel.lane else { return }
          lanes.withLock { $0[index] = lane }
          inside.add(1, ordering: .sequentiallyConsistent)
          let patience = Date.now + 0.1
          while Date.now < patience, !together.load(ordering: .sequentiallyConsistent) {
            if inside.load(ordering: .sequentiallyConsistent) == 2 {
              together.store(true, ordering: .sequentiallyConsistent)
            }
          }
          inside.subtract(1, ordering: .sequentiallyConsistent)
        }
        guard together.load(ordering: .sequentiallyConsistent) else { continue }
        meetings += 1
        #expect(lanes.withLock { $0 } == [0, 1])
      }
      #expect(meetings == 20)
    }
  }

  /// A thread that is done goes on with what another has not begun.
  @Test func sharesOfASlowThreadAreTaken() {
    withThreads(2) {
      let deadline = Date.now + 20
      var taken = false
      while !taken, Date.now < deadline {
        let found = Mutex([Int?](repeating: nil, count: 8))
        Parallel.forEach(8) { index in
          found.withLock { $0[index] = Parallel.lane }
          if index == 0 { usleep(20_000) }
        }
        // The first four are the calling thread's; it sleeps in the first of them.
        taken = found.withLock { $0[1...3].contains(1) }
      }
      #expect(taken)
    }
  }

  /// Workers that come late for a batch whose tasks are all taken end nonetheless when their number changes at once.
  @Test func resizingRightAfterABatch() {
    for round in 0..<200 {
      withThreads(round % 2 == 0 ? 16 : 8) {
        #expect(calls(16) { Parallel.forEach(16, $0) } == Array(repeating: 1, count: 16))
      }
    }
  }

  @Test func noLaneOutsideOfTasks() {
    withThreads(2) {
      #expect(Parallel.lane == nil)
      Parallel.forEach(4) { _ in }
      #expect(Parallel.lane == nil)
    }
  }
}
