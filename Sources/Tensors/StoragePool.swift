// The buffers that tensors live in. A buffer goes back to the pool when its last tensor goes, and the next tensor of
// about its size takes it again: once a training step has run, the steps after it touch no fresh memory.
//
// What a task takes comes from buffers that its thread alone uses, since these are in the caches of its core.

import Glibc
import Synchronization

/// A block of memory that a tensor owns a reference to.
public final class Storage: @unchecked Sendable {
  public let pointer: UnsafeMutablePointer<Float>
  /// How many floats the block holds, at least as many as its tensor has.
  let capacity: Int
  /// The thread that the block belongs to, where a task took it.
  private let lane: Int?
  /// Nil for the shared pool, which is never let go: tasks of all threads would count references to it, and send that count to
  /// and fro.
  private let pool: StoragePool?

  fileprivate init(
    pointer: UnsafeMutablePointer<Float>, capacity: Int, lane: Int?, pool: StoragePool?
  ) {
    self.pointer = pointer
    self.capacity = capacity
    self.lane = lane
    self.pool = pool
  }

  deinit {
    if let pool {
      pool.take(back: pointer, capacity: capacity, lane: lane)
    } else {
      StoragePool.shared.take(back: pointer, capacity: capacity, lane: lane)
    }
  }
}

/// Waiting buffers by capacity in floats. Those of one capacity are a list, of which each holds the address of the next in its
/// first bytes: to take one and to give it back takes no memory, and no search for small ones.
private struct WaitingBuffers: ~Copyable {
  /// The first of each list, 0 where there is none: by ``place(of:)`` those of small buffers.
  private var small = [UInt](repeating: 0, count: place(of: StoragePool.mostSmall) + 1)
  private var large: [(capacity: Int, first: UInt)] = []

  /// The number of a small capacity: by its power of two, and its eighth of it.
  private static func place(of capacity: Int) -> Int {
    let power = Int.bitWidth - 1 - (capacity - 1).leadingZeroBitCount
    return power << 3 | (capacity - 1) >> (power - 3) & 7
  }

  /// The inverse.
  private static func capacity(at place: Int) -> Int {
    let (power, eighth) = (place >> 3, place & 7)
    return 1 << power + (eighth + 1) << (power - 3)
  }

  mutating func take(_ capacity: Int) -> UInt? {
    if capacity <= StoragePool.mostSmall { return Self.pop(&small[Self.place(of: capacity)]) }
    guard let index = large.firstIndex(where: { $0.capacity == capacity }) else { return nil }
    return Self.pop(&large[index].first)
  }

  mutating func add(_ address: UInt, _ capacity: Int) {
    if capacity <= StoragePool.mostSmall {
      Self.push(address, to: &small[Self.place(of: capacity)])
    } else if let index = large.firstIndex(where: { $0.capacity == capacity }) {
      Self.push(address, to: &large[index].first)
    } else {
      large.append((capacity, 0))
      Self.push(address, to: &large[large.count - 1].first)
    }
  }

  /// Takes all.
  mutating func empty() -> [(capacity: Int, address: UInt)] {
    var all: [(capacity: Int, address: UInt)] = []
    for place in small.indices {
      while let address = Self.pop(&small[place]) {
        all.append((Self.capacity(at: place), address))
      }
    }
    for index in large.indices {
      while let address = Self.pop(&large[index].first) {
        all.append((large[index].capacity, address))
      }
    }
    large = []
    return all
  }

  private static func pop(_ first: inout UInt) -> UInt? {
    guard let buffer = UnsafePointer<UInt>(bitPattern: first) else { return nil }
    defer { first = buffer.pointee }
    return first
  }

  private static func push(_ address: UInt, to first: inout UInt) {
    UnsafeMutablePointer<UInt>(bitPattern: address)!.pointee = first
    first = address
  }
}

/// What is in use, in bytes, and the most that ever was.
private struct Level {
  private(set) var now = 0
  private(set) var peak = 0

  mutating func change(by bytes: Int) {
    now += bytes
    peak = max(peak, now)
  }
  mutating func resetPeak() { peak = now }
}

/// Keeps freed buffers for the next tensors: small ones for those of about their size, large ones in an arena.
public final class StoragePool: Sendable {
  public static let shared = StoragePool(isShared: true)

  private let isShared: Bool

  init(isShared: Bool = false) { self.isShared = isShared }

  /// Figures of the pool, all in bytes.
  public struct Usage: Sendable {
    /// Memory that living tensors hold.
    public var inUse = 0
    /// Memory held in all: living tensors and buffers that wait.
    public var reserved = 0
    /// The largest `inUse` so far, as if the tasks of all threads had needed most just then.
    public var peak = 0
    /// How often memory was taken fresh from the system. Stands still once a step is warm.
    public var freshAllocations = 0
  }

  private struct State: ~Copyable {
    var waiting = WaitingBuffers()
    var arena: Arena?
    var level = Level()
    var reserved = 0
    var freshAllocations = 0
  }

  /// The buffers of the tasks of one thread.
  private final class Lane: Sendable {
    struct State: ~Copyable {
      var waiting = WaitingBuffers()
      var level = Level()
      /// Keeps other lanes out of the cache lines of this one.
      private let distance: (Int, Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0, 0)
    }
    let state = Mutex(State())
  }

  /// Buffers of more floats come from the arena.
  static let mostSmall = 1 << 14

  private let state = Mutex(State())
  /// Of the first threads; the tasks of further ones share what is outside of tasks.
  private let lanes = (0..<64).map { _ in Lane() }

  deinit { trim() }

  public var usage: Usage {
    let tasks = lanes.map { $0.state.withLock { $0.level } }
    return state.withLock {
      Usage(
        inUse: tasks.reduce($0.level.now) { $0 + $1.now }, reserved: $0.reserved,
        peak: tasks.reduce($0.level.peak) { $0 + $1.peak }, freshAllocations: $0.freshAllocations)
    }
  }

  /// Starts the measurement of `peak` anew at what is in use now.
  public func resetPeak() {
    for lane in lanes { lane.state.withLock { $0.level.resetPeak() } }
    state.withLock { $0.level.resetPeak() }
  }

  /// Gives the waiting buffers back to the system.
  public func trim() {
    var (ofTasks, inTasks) = ([(capacity: Int, address: UInt)](), 0)
    for lane in lanes {
      lane.state.withLock {
        ofTasks += $0.waiting.empty()
        inTasks += $0.level.now
      }
    }
    let all = state.withLock { state in
      for (capacity, address) in ofTasks { Self.giveBack(address, capacity, to: &state) }
      state.arena?.trim()
      state.reserved = state.level.now + inTasks
      return state.waiting.empty()
    }
    for (_, address) in all { free(UnsafeMutableRawPointer(bitPattern: address)) }
  }

  /// How many floats a buffer for `count` of them holds. Those of small buffers grow in steps of an eighth of a power of
  /// two, so that tensors of nearly one size share them; large ones are as the arena cuts them.
  static func capacity(for count: Int) -> Int {
    let least = 64
    guard count > least else { return least }
    let step = max(16, 1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount - 3))
    let small = (count + step - 1) / step * step
    return small <= mostSmall ? small : Arena.rounded(count * stride) / stride
  }

  private static let stride = MemoryLayout<Float>.stride

  func storage(count: Int) -> Storage {
    let capacity = Self.capacity(for: count)
    let lane = Parallel.lane.flatMap { lanes.indices.contains($0) ? $0 : nil }
    let address =
      lane.flatMap { take(capacity, ofLane: $0) } ?? take(capacity, countsHere: lane == nil)
    return Storage(
      pointer: UnsafeMutablePointer<Float>(bitPattern: address)!, capacity: capacity, lane: lane,
      pool: isShared ? nil : self)
  }

  /// Counts a buffer for a task of a lane.
  /// - Returns: one that waits for it, if any does.
  private func take(_ capacity: Int, ofLane lane: Int) -> UInt? {
    lanes[lane].state.withLock {
      $0.level.change(by: capacity * Self.stride)
      return $0.waiting.take(capacity)
    }
  }

  private func take(_ capacity: Int, countsHere: Bool) -> UInt {
    let bytes = capacity * Self.stride
    let address: UInt? = state.withLock { state in
      if countsHere { state.level.change(by: bytes) }
      let (found, fresh) = Self.take(capacity, from: &state)
      state.reserved += fresh
      if fresh > 0 { state.freshAllocations += 1 }
      return found
    }
    return address ?? Self.allocate(bytes: bytes)
  }

  /// A buffer and how many of its bytes come from the system; no address where all of it is yet to be allocated.
  private static func take(_ capacity: Int, from state: inout State) -> (UInt?, fresh: Int) {
    let bytes = capacity * stride
    guard capacity > mostSmall else {
      let found = state.waiting.take(capacity)
      return (found, found == nil ? bytes : 0)
    }
    if state.arena == nil { state.arena = Arena() }
    return state.arena!.take(bytes)
  }

  fileprivate func take(back pointer: UnsafeMutablePointer<Float>, capacity: Int, lane: Int?) {
    let address = UInt(bitPattern: pointer)
    let bytes = capacity * Self.stride
    if let lane {
      lanes[lane].state.withLock {
        $0.level.change(by: -bytes)
        $0.waiting.add(address, capacity)
      }
    } else {
      state.withLock {
        $0.level.change(by: -bytes)
        Self.giveBack(address, capacity, to: &$0)
      }
    }
  }

  private static func giveBack(_ address: UInt, _ capacity: Int, to state: inout State) {
    if capacity > mostSmall {
      state.arena!.giveBack(address, capacity * stride)
    } else {
      state.waiting.add(address, capacity)
    }
  }

  private static func allocate(bytes: Int) -> UInt {
    var pointer: UnsafeMutableRawPointer?
    posix_memalign(&pointer, 64, bytes)
    guard let pointer else { fatalError("out of memory: \(bytes) bytes for a tensor") }
    return UInt(bitPattern: pointer)
  }
}

/// Calls `body` with room for so many floats, from a buffer of the pool. What the language has for this gets memory of a vector's
/// alignment from the system each time, which takes several times as long.
@inline(__always)
func withScratch<R>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) throws -> R) rethrows -> R {
  let storage = StoragePool.shared.storage(count: count)
  defer { withExtendedLifetime(storage) {} }
  return try body(storage.pointer)
}
