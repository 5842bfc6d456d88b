// The buffers that tensors live in. A buffer goes back to the pool when its last tensor goes, and the next tensor of
// about its size takes it again: once a training step has run, the steps after it touch no fresh memory.

import Glibc
import Synchronization

/// A block of memory that a tensor owns a reference to.
public final class Storage: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Float>
  /// How many floats the block holds, at least as many as its tensor has.
  let capacity: Int
  private let pool: StoragePool

  fileprivate init(pointer: UnsafeMutablePointer<Float>, capacity: Int, pool: StoragePool) {
    self.pointer = pointer
    self.capacity = capacity
    self.pool = pool
  }

  deinit { pool.take(back: pointer, capacity: capacity) }
}

/// Keeps freed buffers for the next tensor of about their size.
public final class StoragePool: Sendable {
  public static let shared = StoragePool()

  /// Figures of the pool, all in bytes.
  public struct Usage: Sendable {
    /// Memory that living tensors hold.
    public var inUse = 0
    /// Memory held in all: living tensors and buffers that wait.
    public var reserved = 0
    /// The largest `inUse` so far.
    public var peak = 0
    /// How many buffers were taken fresh from the system. Stands still once a step is warm.
    public var freshAllocations = 0
  }

  private struct State {
    /// Waiting buffers by capacity in floats.
    var waiting: [Int: [UInt]] = [:]
    var usage = Usage()
  }

  private let state = Mutex(State())

  deinit { trim() }

  public var usage: Usage { state.withLock { $0.usage } }

  /// Starts the measurement of `peak` anew at what is in use now.
  public func resetPeak() { state.withLock { $0.usage.peak = $0.usage.inUse } }

  /// Gives the waiting buffers back to the system.
  public func trim() {
    let buffers = state.withLock { state in
      let all = state.waiting
      state.waiting = [:]
      state.usage.reserved = state.usage.inUse
      return all
    }
    for (capacity, addresses) in buffers {
      for address in addresses {
        Self.release(address, bytes: capacity * MemoryLayout<Float>.stride)
      }
    }
  }

  /// Capacities grow in steps of an eighth of a power of two, so that tensors of nearly one size share buffers.
  static func capacity(for count: Int) -> Int {
    let least = 64
    guard count > least else { return least }
    let step = max(16, 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount - 3))
    return (count + step - 1) / step * step
  }

  func storage(count: Int) -> Storage {
    let capacity = Self.capacity(for: count)
    let bytes = capacity * MemoryLayout<Float>.stride
    let waiting: UInt? = state.withLock { state in
      state.usage.inUse += bytes
      state.usage.peak = max(state.usage.peak, state.usage.inUse)
      let found = state.waiting[capacity]?.popLast()
      if found == nil {
        state.usage.reserved += bytes
        state.usage.freshAllocations += 1
      }
      return found
    }
    let address = waiting ?? Self.allocate(bytes: bytes)
    let pointer = UnsafeMutablePointer<Float>(bitPattern: address)!
    return Storage(pointer: pointer, capacity: capacity, pool: self)
  }

  fileprivate func take(back pointer: UnsafeMutablePointer<Float>, capacity: Int) {
    let address = UInt(bitPattern: pointer)
    state.withLock { state in
      state.usage.inUse -= capacity * MemoryLayout<Float>.stride
      state.waiting[capacity, default: []].append(address)
    }
  }

  private static let hugePage = 2 << 20

  /// Large buffers are mapped by themselves, aligned for huge pages: so they go back to the system as soon as they are
  /// released, and no page of one is held by another.
  private static func allocate(bytes: Int) -> UInt {
    var pointer: UnsafeMutableRawPointer?
    if bytes < hugePage {
      posix_memalign(&pointer, 64, bytes)
    } else {
      let size = wholePages(bytes)
      let start = mmap(
        nil, size + hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      if let start, start != MAP_FAILED {
        let before = -Int(bitPattern: start) & (hugePage - 1)
        pointer = start + before
        if before > 0 { munmap(start, before) }
        munmap(start + before + size, hugePage - before)
        madvise(pointer, size, MADV_HUGEPAGE)
      }
    }
    guard let pointer else {
      // Running out of memory can't be undone here; the estimate before a run is what prevents it.
      fatalError("out of memory: \(bytes) bytes for a tensor")
    }
    return UInt(bitPattern: pointer)
  }

  private static func release(_ address: UInt, bytes: Int) {
    let pointer = UnsafeMutableRawPointer(bitPattern: address)
    if bytes < hugePage { free(pointer) } else { munmap(pointer, wholePages(bytes)) }
  }

  private static func wholePages(_ bytes: Int) -> Int { (bytes + 4095) & ~4095 }
}
