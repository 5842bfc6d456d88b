// The program's own threads. Work is cut into tasks whose number and size don't depend on how many threads there are,
// so that results don't either.

import CProcessor
import Glibc
import Synchronization

/// Runs the tasks of a kernel on the program's threads.
public enum Parallel {
  /// How many threads work, the caller's among them. Set before the first kernel runs.
  public static var threads: Int { ThreadPool.shared.threads }

  /// Starts as many threads as wanted, when no kernel runs.
  /// - Precondition: at least 1.
  public static func setThreads(_ count: Int) { ThreadPool.shared.resize(to: count) }

  /// Calls `body` once for each index in `0..<count`, on any thread and in any order, and returns when all are done.
  /// Called from within a task, or while another thread has the workers, it runs on the calling thread alone.
  public static func forEach(_ count: Int, _ body: (Int) -> Void) {
    if count > 1, !ThreadPool.isInsideTask {
      ThreadPool.shared.run(count, body)
    } else {
      for index in 0..<count { body(index) }
    }
  }

  /// Calls `body` with consecutive ranges that cover `0..<count`, each at most `grain` long.
  public static func forEachRange(of count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    let tasks = (count + grain - 1) / grain
    forEach(tasks) { task in
      body((task * grain)..<min(count, (task + 1) * grain))
    }
  }
}

/// Threads that wait, first spinning and then asleep, for the next batch of tasks.
private final class ThreadPool: @unchecked Sendable {
  static let shared = ThreadPool(threads: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

  /// Whether the current thread runs a task, by a key of thread-local storage.
  private static let insideKey: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  static var isInsideTask: Bool { pthread_getspecific(insideKey) != nil }

  private(set) var threads: Int
  private let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

  /// The batch that runs. Written while `next` is closed and read by whoever claims an index from it.
  private var body: ((Int) -> Void)?
  private let count = Atomic<Int>(0)
  /// The next index to claim. At `closed` or above, no batch runs.
  private let next = Atomic<Int>(ThreadPool.closed)
  /// How many workers may hold a claimed index.
  private let active = Atomic<Int>(0)
  private let generation = Atomic<Int>(0)
  private let occupied = Atomic<Bool>(false)
  private let sleepers = Atomic<Int>(0)
  private let wanted = Atomic<Int>(0)
  private var workers: [pthread_t] = []
  private var mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  private static let closed = Int.max / 2

  init(threads: Int) {
    self.threads = threads
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    start()
  }

  private func start() {
    wanted.store(threads - 1, ordering: .sequentiallyConsistent)
    for index in 0..<max(0, threads - 1) {
      var thread = pthread_t()
      let context = Unmanaged.passRetained(Worker(pool: self, index: index)).toOpaque()
      let status = pthread_create(
        &thread, nil,
        { context in
          let worker = Unmanaged<Worker>.fromOpaque(context!).takeRetainedValue()
          worker.pool.work(index: worker.index)
          return nil
        }, context)
      precondition(status == 0, "a thread could not be started")
      workers.append(thread)
    }
  }

  /// Takes the workers, unless another thread of the caller's program has them.
  private func occupy() -> Bool {
    occupied.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent)
      .exchanged
  }

  func resize(to count: Int) {
    precondition(count >= 1, "at least one thread")
    while !occupy() { sched_yield() }
    defer { occupied.store(false, ordering: .sequentiallyConsistent) }
    guard count != threads else { return }
    wanted.store(0, ordering: .sequentiallyConsistent)
    announce()
    for worker in workers { pthread_join(worker, nil) }
    workers = []
    threads = count
    start()
  }

  private func announce() {
    generation.add(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(wake)
      pthread_mutex_unlock(mutex)
    }
  }

  func run(_ tasks: Int, _ body: (Int) -> Void) {
    guard threads > 1, occupy() else {
      for index in 0..<tasks { body(index) }
      return
    }
    defer { occupied.store(false, ordering: .sequentiallyConsistent) }
    pthread_setspecific(Self.insideKey, UnsafeRawPointer(bitPattern: 1))
    withoutActuallyEscaping(body) { body in
      self.body = body
      count.store(tasks, ordering: .relaxed)
      next.store(0, ordering: .sequentiallyConsistent)
      announce()
      claim()
      // Every index is claimed; those that workers hold may still run.
      next.store(Self.closed, ordering: .sequentiallyConsistent)
      var spins = 0
      while active.load(ordering: .sequentiallyConsistent) > 0 {
        processor_relax()
        spins += 1
        if spins > 2_000 { sched_yield() }
      }
      self.body = nil
    }
    pthread_setspecific(Self.insideKey, nil)
  }

  /// Runs tasks until none is left to claim.
  private func claim() {
    while true {
      let index = next.add(1, ordering: .sequentiallyConsistent).oldValue
      guard index < count.load(ordering: .relaxed) else { return }
      body!(index)
    }
  }

  private func work(index: Int) {
    pthread_setspecific(Self.insideKey, UnsafeRawPointer(bitPattern: 1))
    // With more threads than cores, a thread that spins keeps another from working.
    let patience = threads <= cores ? 20_000 : 0
    var seen = -1
    while true {
      var spins = 0
      while generation.load(ordering: .sequentiallyConsistent) == seen {
        if spins < patience {
          processor_relax()
          spins += 1
          continue
        }
        pthread_mutex_lock(mutex)
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while generation.load(ordering: .sequentiallyConsistent) == seen {
          pthread_cond_wait(wake, mutex)
        }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
      }
      seen = generation.load(ordering: .sequentiallyConsistent)
      guard index < wanted.load(ordering: .sequentiallyConsistent) else { return }
      active.add(1, ordering: .sequentiallyConsistent)
      // A worker that comes late finds the batch closed, or the next one open: either is fine.
      if next.load(ordering: .sequentiallyConsistent) < Self.closed { claim() }
      active.subtract(1, ordering: .sequentiallyConsistent)
    }
  }

  private final class Worker {
    let pool: ThreadPool
    let index: Int
    init(pool: ThreadPool, index: Int) {
      self.pool = pool
      self.index = index
    }
  }
}
