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

/// Keeps freed buffers for the next tensors: small ones for those of about their size, large ones in an arena.
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
    /// How often memory was taken fresh from the system. Stands still once a step is warm.
    public var freshAllocations = 0
  }

  private struct State: ~Copyable {
    /// Waiting small buffers by capacity in floats.
    var waiting: [Int: [UInt]] = [:]
    var arena: Arena?
    var usage = Usage()
  }

  /// From so many floats on buffers come from the arena.
  static let large = 1 << 19

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
      state.arena?.trim()
      state.usage.reserved = state.usage.inUse
      return all
    }
    for address in buffers.values.joined() { free(UnsafeMutableRawPointer(bitPattern: address)) }
  }

  /// How many floats a buffer for `count` of them holds. Those of small buffers grow in steps of an eighth of a power of
  /// two, so that tensors of nearly one size share them; large ones are as the arena cuts them.
  static func capacity(for count: Int) -> Int {
    let least = 64
    guard count > least else { return least }
    let step = max(16, 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount - 3))
    let small = (count + step - 1) / step * step
    return small < large ? small : Arena.rounded(count * stride) / stride
  }

  private static let stride = MemoryLayout<Float>.stride

  func storage(count: Int) -> Storage {
    let capacity = Self.capacity(for: count)
    let bytes = capacity * Self.stride
    let address: UInt? = state.withLock { state in
      state.usage.inUse += bytes
      state.usage.peak = max(state.usage.peak, state.usage.inUse)
      let (found, fresh) = Self.take(capacity, from: &state)
      state.usage.reserved += fresh
      if fresh > 0 { state.usage.freshAllocations += 1 }
      return found
    }
    let pointer = UnsafeMutablePointer<Float>(bitPattern: address ?? Self.allocate(bytes: bytes))!
    return Storage(pointer: pointer, capacity: capacity, pool: self)
  }

  /// A buffer and how many of its bytes come from the system; no address where all of it is yet to be allocated.
  private static func take(_ capacity: Int, from state: inout State) -> (UInt?, fresh: Int) {
    let bytes = capacity * stride
    guard capacity >= large else {
      let found = state.waiting[capacity]?.popLast()
      return (found, found == nil ? bytes : 0)
    }
    if state.arena == nil { state.arena = Arena() }
    return state.arena!.take(bytes)
  }

  fileprivate func take(back pointer: UnsafeMutablePointer<Float>, capacity: Int) {
    let address = UInt(bitPattern: pointer)
    let bytes = capacity * Self.stride
    state.withLock { state in
      state.usage.inUse -= bytes
      if capacity >= Self.large {
        state.arena!.giveBack(address, bytes)
      } else {
        state.waiting[capacity, default: []].append(address)
      }
    }
  }

  private static func allocate(bytes: Int) -> UInt {
    var pointer: UnsafeMutableRawPointer?
    posix_memalign(&pointer, 64, bytes)
    guard let pointer else { fatalError("out of memory: \(bytes) bytes for a tensor") }
    return UInt(bitPattern: pointer)
  }
}
