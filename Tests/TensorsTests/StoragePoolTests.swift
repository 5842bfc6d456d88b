import Synchronization
import Testing

@testable import Tensors

@Suite struct StoragePoolTests {
  @Test func aFreedBufferIsTakenAgain() {
    let pool = StoragePool()
    let address = { pool.storage(count: 1000).pointer }()
    let again = pool.storage(count: 1000)
    #expect(again.pointer == address)
    #expect(pool.usage.freshAllocations == 1)
    // A buffer that is in use is nobody else's.
    let other = pool.storage(count: 1000)
    #expect(other.pointer != again.pointer)
    #expect(pool.usage.freshAllocations == 2)
  }

  @Test func figuresAddUp() {
    let pool = StoragePool()
    #expect(pool.usage.reserved == 0)
    let first = pool.storage(count: 64)
    do {
      let second = pool.storage(count: 128)
      #expect(pool.usage.inUse == 4 * (first.capacity + second.capacity))
    }
    #expect(pool.usage.inUse == 4 * 64)
    #expect(pool.usage.peak == 4 * (64 + 128))
    #expect(pool.usage.reserved == 4 * (64 + 128))
    do {
      let less = pool.storage(count: 96)
      #expect(pool.usage.inUse == 4 * (first.capacity + less.capacity))
    }
    #expect(pool.usage.peak == 4 * (64 + 128))

    pool.resetPeak()
    #expect(pool.usage.peak == 4 * 64)

    pool.trim()
    #expect(pool.usage.reserved == 4 * 64)
    _ = pool.storage(count: 128)
    #expect(pool.usage.freshAllocations == 4)
    withExtendedLifetime(first) {}
  }

  @Test func repeatedWorkTakesNoFreshMemory() {
    let pool = StoragePool()
    func step() {
      let a = pool.storage(count: 5000)
      for size in [3, 700, 700, 90_000] {
        let b = pool.storage(count: size)
        withExtendedLifetime(b) {}
      }
      withExtendedLifetime(a) {}
    }
    step()
    let warm = pool.usage
    for _ in 0..<10 { step() }
    #expect(pool.usage.freshAllocations == warm.freshAllocations)
    #expect(pool.usage.reserved == warm.reserved)
    #expect(pool.usage.peak == warm.peak)
  }

  @Test func capacities() {
    var last = 0
    for count in Array(0...5000)
      + Array((StoragePool.mostSmall - 2000)...(StoragePool.mostSmall + 3000))
    {
      let capacity = StoragePool.capacity(for: count)
      #expect(capacity >= count && capacity >= 64)
      // A line of cache, and so a vector, never reaches beyond the buffer.
      #expect(capacity % 16 == 0)
      #expect(capacity >= last)
      #expect(count < 128 || capacity <= count + count / 8)
      last = capacity
    }
    // Large buffers are whole pages and a little, so that they don't all begin at the same place of one.
    #expect(StoragePool.capacity(for: 1 << 30) == (1 << 30) + 80)
    #expect(StoragePool.capacity(for: (1 << 30) + 80) == (1 << 30) + 80)
    #expect(StoragePool.capacity(for: (1 << 30) + 81) == (1 << 30) + 80 + 1024)
  }

  @Test(arguments: [0, 1, 1000, 1 << 20]) func buffersAreAligned(_ count: Int) {
    let pool = StoragePool()
    let storage = pool.storage(count: count)
    #expect(UInt(bitPattern: storage.pointer) % 64 == 0)
  }

  /// Large buffers join what lies beside them: one takes the place of two others.
  @Test func largeBuffersShareMemory() {
    let pool = StoragePool()
    let size = StoragePool.mostSmall + 1
    let below = pool.storage(count: size)
    let place = {
      let (first, second) = (pool.storage(count: size), pool.storage(count: 2 * size))
      return min(first.pointer, second.pointer)
    }()
    let reserved = pool.usage.reserved
    let above = pool.storage(count: 3 * size)
    #expect(above.pointer == place)
    #expect(pool.usage.reserved == reserved)
    pool.trim()
    #expect(pool.usage.reserved == pool.usage.inUse)
    withExtendedLifetime((below, above)) {}
  }

  /// What was given back to the system is clear, and counts as fresh when it is taken again.
  @Test func trimmedMemoryIsFresh() {
    let pool = StoragePool()
    let kept = pool.storage(count: StoragePool.mostSmall + 1)
    do {
      let storage = pool.storage(count: StoragePool.mostSmall + 1)
      storage.pointer.update(repeating: 7, count: StoragePool.mostSmall + 1)
    }
    let fresh = pool.usage.freshAllocations
    pool.trim()
    let again = pool.storage(count: StoragePool.mostSmall + 1)
    #expect(again.pointer[2048] == 0)
    #expect(pool.usage.freshAllocations == fresh + 1)
    withExtendedLifetime(kept) {}
  }

  /// Whatever is taken and given back, no two buffers share a byte, and the figures are those of what is held.
  @Test func anyOrderKeepsBuffersApart() {
    let pool = StoragePool()
    var held: [Storage] = []
    var sizes = Philox(seed: 4, stream: .selection).uniform(count: 3000).makeIterator()
    while let first = sizes.next(), let second = sizes.next() {
      if first < 0.55 || held.isEmpty {
        held.append(pool.storage(count: Int(second * 8 * Float(StoragePool.mostSmall))))
      } else {
        held.remove(at: Int(second * Float(held.count)))
      }
      #expect(pool.usage.inUse == 4 * held.reduce(0) { $0 + $1.capacity })
      #expect(pool.usage.reserved >= pool.usage.inUse)
    }
    let ranges = held.map { (UInt(bitPattern: $0.pointer), $0.capacity * 4) }.sorted { $0.0 < $1.0 }
    for (one, next) in zip(ranges, ranges.dropFirst()) {
      #expect(one.0 + UInt(one.1) <= next.0)
    }
    held = []
    #expect(pool.usage.inUse == 0)
    // All is one free range again.
    let reserved = pool.usage.reserved
    let whole = pool.storage(count: pool.usage.peak / 4 - 1024)
    #expect(pool.usage.reserved == reserved)
    withExtendedLifetime(whole) {}
  }

  @Test func aBufferGoesBackToItsOwnPool() {
    let (one, other) = (StoragePool(), StoragePool())
    _ = one.storage(count: 100)
    #expect(one.usage.inUse == 0 && one.usage.reserved > 0)
    #expect(other.usage.reserved == 0)
  }

  /// What the tasks of one thread gave back is never taken by those of another.
  @Test func buffersOfTasksStayWithTheirThread() {
    let pool = StoragePool()
    withThreads(3) {
      let owners = Mutex([UInt: Int]())
      let foreign = Atomic<Int>(0)
      for _ in 0..<200 {
        Parallel.forEach(12) { _ in
          // On the calling thread alone where another test has the workers.
          guard let lane = Parallel.lane else { return }
          for count in [100, 3000, StoragePool.mostSmall + 1, 3 * StoragePool.mostSmall + 1] {
            let storage = pool.storage(count: count)
            let address = UInt(bitPattern: storage.pointer)
            let owner = owners.withLock { owners in
              if owners[address] == nil { owners[address] = lane }
              return owners[address]
            }
            if owner != lane { foreign.add(1, ordering: .relaxed) }
            withExtendedLifetime(storage) {}
          }
        }
      }
      #expect(foreign.load(ordering: .relaxed) == 0)
      #expect(pool.usage.inUse == 0)
      pool.trim()
      #expect(pool.usage.reserved == 0)
    }
  }

  /// A buffer that a task took goes back to its thread whoever gives it back, and counts as in use until then.
  @Test func buffersOfTasksMayOutliveThem() {
    let pool = StoragePool()
    withThreads(2) {
      let kept = Mutex([Storage]())
      Parallel.forEach(4) { _ in
        let storage = pool.storage(count: 5000)
        kept.withLock { $0.append(storage) }
      }
      let bytes = 4 * 4 * StoragePool.capacity(for: 5000)
      #expect(pool.usage.inUse == bytes)
      #expect(pool.usage.peak == bytes)
      pool.trim()
      #expect(pool.usage.reserved == bytes)
      kept.withLock { $0 = [] }
      #expect(pool.usage.inUse == 0)
      pool.resetPeak()
      #expect(pool.usage.peak == 0)
    }
  }
}
