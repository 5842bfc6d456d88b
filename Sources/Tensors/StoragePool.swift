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

/// Waiting buffers by capacity in floats.
private struct WaitingBuffers {
  private var addresses: [Int: [UInt]] = [:]

  mutating func take(_ capacity: Int) -> UInt? { addresses[capacity]?.popLast() }
  mutating func add(_ address: UInt, _ capacity: Int) {
    addresses[capacity, default: []].append(address)
  }
  /// Takes all.
  mutating func empty() -> [(capacity: Int, address: UInt)] {
    defer { addresses = [:] }
    return addresses.flatMap { capacity, all in all.map { (capacity, $0) } }
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
    struct State {
      var waiting = WaitingBuffers()
      var level = Level()
      /// Keeps other lanes out of the cache lines of this one.
      private let distance: (Int, Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0, 0)
    }
    let state = Mutex(State())
  }

  /// From so many floats on buffers come from the arena.
  static let large = 1 << 14

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
    return small < large ? small : Arena.rounded(count * stride) / stride
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
    guard capacity >= large else {
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
    if capacity >= large {
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
