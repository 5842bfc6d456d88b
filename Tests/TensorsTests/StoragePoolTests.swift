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

    pool.resetPeak()
    #expect(pool.usage.peak == 4 * 64)

    pool.trim()
    #expect(pool.usage.reserved == 4 * 64)
    _ = pool.storage(count: 128)
    #expect(pool.usage.freshAllocations == 3)
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
    for count in 0...5000 {
      let capacity = StoragePool.capacity(for: count)
      #expect(capacity >= count && capacity >= 64)
      // A line of cache, and so a vector, never reaches beyond the buffer.
      #expect(capacity % 16 == 0)
      #expect(capacity >= last)
      #expect(count < 128 || capacity <= count + count / 8)
      last = capacity
    }
    #expect(StoragePool.capacity(for: 1 << 30) == 1 << 30)
    #expect(StoragePool.capacity(for: (1 << 30) + 1) == (1 << 30) + (1 << 27))
  }

  @Test(arguments: [0, 1, 1000, 1 << 20]) func buffersAreAligned(_ count: Int) {
    let pool = StoragePool()
    let storage = pool.storage(count: count)
    let alignment = storage.capacity * 4 >= 2 << 20 ? 2 << 20 : 64
    #expect(UInt(bitPattern: storage.pointer) % UInt(alignment) == 0)
  }

  @Test func aBufferGoesBackToItsOwnPool() {
    let (one, other) = (StoragePool(), StoragePool())
    _ = one.storage(count: 100)
    #expect(one.usage.inUse == 0 && one.usage.reserved > 0)
    #expect(other.usage.reserved == 0)
  }
}
