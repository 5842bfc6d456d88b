// The program's own threads. Work is cut into tasks so that no result depends on how many threads there are: what adds up in one
// element is cut the same for any number of them.
//
// The cores of one machine may share no cache: then a line that one of them wrote takes the other half a microsecond,
// several times what memory takes of which the processor knows in time. So which thread gets a task is decided by its
// index, and what the threads tell each other takes as few lines as it can.

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

  /// The number of the thread that runs the current task, from 0; nil outside of tasks.
  static var lane: Int? { ThreadPool.lane }

  /// Calls `body` once for each index in `0..<count`, on any thread and in any order, and returns when all are done.
  /// Each thread begins with its own share of the indices, the same in every call of so many tasks: what a task wrote is
  /// most likely still in the cache of the thread that reads or changes it in the next step.
  /// Called from within a task, or while another thread has the workers, it runs on the calling thread alone.
  public static func forEach(_ count: Int, _ body: (Int) -> Void) {
    if count > 1, ThreadPool.lane == nil {
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

/// What each thread makes for itself in the tasks of a batch, when a task first needs it: where several threads read what
/// they have made together, each takes ten times as long to write there again.
final class LaneValues<Value>: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  /// In bytes, from a value to the next: each has cache lines of its own, for a thread touches its own alone.
  private let spacing = MemoryLayout<Value?>.stride + 128
  private let count = Parallel.threads

  init() {
    base = .allocate(
      byteCount: count * spacing, alignment: MemoryLayout<Value?>.alignment)
    for lane in 0..<count { place(lane).initialize(to: nil) }
  }

  deinit {
    for lane in 0..<count { place(lane).deinitialize(count: 1) }
    base.deallocate()
  }

  private func place(_ lane: Int) -> UnsafeMutablePointer<Value?> {
    (base + lane * spacing).assumingMemoryBound(to: Value?.self)
  }

  /// Of the thread that asks.
  var own: Value? {
    get { place(Parallel.lane ?? 0).pointee }
    set { place(Parallel.lane ?? 0).pointee = newValue }
  }
}

/// Whole numbers that threads share, each in cache lines of its own.
private struct SharedNumbers {
  private static let spacing = 128
  private let base: UnsafeMutableRawPointer

  init(count: Int) {
    base = .allocate(byteCount: count * Self.spacing, alignment: Self.spacing)
    for index in 0..<count {
      (base + index * Self.spacing).bindMemory(to: Atomic<Int>.self, capacity: 1)
        .initialize(to: Atomic(0))
    }
  }

  func deallocate() { base.deallocate() }

  subscript(index: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    @inline(__always) get {
      (base + index &* Self.spacing).assumingMemoryBound(to: Atomic<Int>.self)
    }
  }
}

/// Threads that wait, first spinning and then asleep, for the next batch of tasks.
private final class ThreadPool: @unchecked Sendable {
  static let shared = ThreadPool(threads: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

  /// The number of the thread that runs a task, plus 1, by a key of thread-local storage.
  private static let laneKey: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  /// The number of the thread that runs the current task, 0 for the one that began the batch; nil outside of tasks.
  static var lane: Int? {
    pthread_getspecific(laneKey).map { Int(bitPattern: $0) - 1 }
  }

  private static func setLane(_ lane: Int?) {
    pthread_setspecific(laneKey, lane.flatMap { UnsafeRawPointer(bitPattern: $0 + 1) })
  }

  private(set) var threads = 0
  private let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

  /// The batch that runs. Read by whoever has claimed a task of it, which can't be done before it is written.
  private var body: ((Int) -> Void)?
  /// The tasks of each thread that nobody has claimed: the next in the lower half of the bits, the end in the upper one.
  /// In one number, so that who claims a task of a batch can't take it for one of the next.
  private var tasks = SharedNumbers(count: 0)
  /// How many tasks each of the workers has finished since it was started.
  private var finished = SharedNumbers(count: 0)
  /// The sum of these when the last batch was done.
  private var finishedBefore = 0

  private let occupied = Atomic<Bool>(false)
  private let sleepers = Atomic<Int>(0)
  private var workers: [pthread_t] = []
  private var mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// Tasks that tell a worker to end, as any number below 0 does: a worker that comes late for a batch may still claim one
  /// of them, which adds 1, and must not take that for a sign to stay.
  private static let stop = Int.min
  private static let low = 0xffff_ffff

  init(threads: Int) {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    start(threads)
  }

  private func start(_ count: Int) {
    threads = count
    tasks = SharedNumbers(count: count)
    finished = SharedNumbers(count: count)
    finishedBefore = 0
    for lane in 1..<max(1, count) {
      var thread = pthread_t()
      let context = Unmanaged.passRetained(Worker(pool: self, lane: lane)).toOpaque()
      let status = pthread_create(
        &thread, nil,
        { context in
          let worker = Unmanaged<Worker>.fromOpaque(context!).takeRetainedValue()
          worker.pool.work(lane: worker.lane)
          return nil
        }, context)
      precondition(status == 0, "a thread could not be started")
      workers.append(thread)
    }
  }

  /// Takes the workers, unless another thread of the caller's program has them.
  private func occupy() -> Bool {
    !occupied.load(ordering: .relaxed)
      && occupied.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
  }

  func resize(to count: Int) {
    precondition(count >= 1, "at least one thread")
    while !occupy() { sched_yield() }
    defer { occupied.store(false, ordering: .releasing) }
    guard count != threads else { return }
    for lane in 1..<max(1, threads) {
      tasks[lane].pointee.store(Self.stop, ordering: .sequentiallyConsistent)
    }
    wakeSleepers()
    for worker in workers { pthread_join(worker, nil) }
    workers = []
    tasks.deallocate()
    finished.deallocate()
    start(count)
  }

  private func wakeSleepers() {
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
  }

  func run(_ count: Int, _ body: (Int) -> Void) {
    guard threads > 1, occupy() else {
      for index in 0..<count { body(index) }
      return
    }
    defer { occupied.store(false, ordering: .releasing) }
    Self.setLane(0)
    withoutActuallyEscaping(body) { body in
      self.body = body
      for lane in (0..<threads).reversed() {
        let (first, end) = (lane * count / threads, (lane + 1) * count / threads)
        tasks[lane].pointee.store(end << 32 | first, ordering: .sequentiallyConsistent)
      }
      wakeSleepers()
      finishedBefore += count - runTasks(lane: 0)
      // Every task is claimed; those of the workers may still run.
      var spins = 0
      while finishedByWorkers != finishedBefore {
        processor_relax()
        spins += 1
        if spins > 2_000 { sched_yield() }
      }
      self.body = nil
    }
    Self.setLane(nil)
  }

  private var finishedByWorkers: Int {
    var sum = 0
    for lane in 1..<threads { sum &+= finished[lane].pointee.load(ordering: .acquiring) }
    return sum
  }

  /// Runs tasks until none is left to claim: those of the thread itself, then what others have not come to.
  /// - Returns: how many.
  private func runTasks(lane: Int) -> Int {
    var all = 0
    for other in 0..<threads {
      var owner = lane + other
      if owner >= threads { owner -= threads }
      // Looking costs less than claiming, which takes the line from its owner.
      guard other == 0 || hasTasks(owner), let first = claim(owner) else { continue }
      let done = runTasks(of: owner, from: first)
      all += done
      if lane > 0 { finished[lane].pointee.add(done, ordering: .releasing) }
    }
    return all
  }

  /// Runs a task that is claimed, and then what is left of its owner's.
  /// - Returns: how many.
  @inline(never)
  private func runTasks(of owner: Int, from first: Int) -> Int {
    // Held once for all tasks: counting its references one by one would send their count to and fro. Let go on return,
    // for the batch may end once these tasks are known to be finished.
    let body = self.body!
    var done = 0
    var index: Int? = first
    while let current = index {
      body(current)
      done += 1
      index = claim(owner)
    }
    processor_finish_streams()
    return done
  }

  private func hasTasks(_ owner: Int) -> Bool {
    let word = tasks[owner].pointee.load(ordering: .sequentiallyConsistent)
    return word & Self.low < word >> 32
  }

  private func claim(_ owner: Int) -> Int? {
    let word = tasks[owner].pointee.add(1, ordering: .acquiringAndReleasing).oldValue
    let index = word & Self.low
    return index < word >> 32 ? index : nil
  }

  /// Whether a worker has nothing to do.
  private func isIdle(_ lane: Int) -> Bool {
    let word = tasks[lane].pointee.load(ordering: .sequentiallyConsistent)
    return word >= 0 && word & Self.low >= word >> 32
  }

  private func work(lane: Int) {
    Self.setLane(lane)
    // With more threads than cores, a thread that spins keeps another from working.
    let patience = threads <= cores ? 20_000 : 0
    while true {
      var spins = 0
      while isIdle(lane) {
        if spins < patience {
          processor_relax()
          spins += 1
          continue
        }
        pthread_mutex_lock(mutex)
        sleepers.add(1, ordering: .sequentiallyConsistent)
        while isIdle(lane) { pthread_cond_wait(wake, mutex) }
        sleepers.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
      }
      if tasks[lane].pointee.load(ordering: .relaxed) < 0 { return }
      _ = runTasks(lane: lane)
    }
  }

  private final class Worker {
    let pool: ThreadPool
    let lane: Int
    init(pool: ThreadPool, lane: Int) {
      self.pool = pool
      self.lane = lane
    }
  }
}
