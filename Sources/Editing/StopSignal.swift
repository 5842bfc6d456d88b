// The wish to stop, as a signal tells it: noticed between two steps, never in one.

import Glibc
import Synchronization

/// Whether the run was told to stop.
public enum StopSignal {
  private static let received = Atomic<Int32>(0)

  /// The number of the first signal that came, nil while none has.
  public static var number: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// From here on SIGINT, SIGTERM and SIGHUP ask the run to stop. A second SIGINT ends the process at once.
  public static func install() {
    // Touched here, so that the handler finds it initialised.
    received.store(0, ordering: .relaxed)
    listen(to: SIGINT, flags: SA_RESTART | Int32(bitPattern: UInt32(SA_RESETHAND)))
    listen(to: SIGTERM, flags: SA_RESTART)
    // A program started with nohup goes on when its terminal closes.
    if !isIgnored(SIGHUP) { listen(to: SIGHUP, flags: SA_RESTART) }
    // A parent that blocks signals in the thread that starts this process hands that on.
    var all = sigset_t()
    sigemptyset(&all)
    for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&all, number) }
    pthread_sigmask(SIG_UNBLOCK, &all, nil)
    // A reader of the output that goes away is seen as a failing write.
    signal(SIGPIPE, SIG_IGN)
  }

  /// From here on SIGINT, SIGTERM and SIGHUP end the process at once, as a run that was told to stop ends: for what leaves nothing
  /// half done, and whose single steps may be long.
  public static func endAtOnce() {
    for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { _ in _exit(Int32(ExitStatus.stopped.rawValue)) }
      sigaction(number, &action, nil)
    }
    // One that came just before.
    if number != nil { _exit(Int32(ExitStatus.stopped.rawValue)) }
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    let ignored = unsafeBitCast(SIG_IGN, to: Int.self)
    return action.__sigaction_handler.sa_handler.map { unsafeBitCast($0, to: Int.self) } == ignored
  }

  private static func listen(to number: Int32, flags: Int32) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      StopSignal.received.store(number, ordering: .relaxed)
    }
    action.sa_flags = flags
    sigaction(number, &action, nil)
  }
}
