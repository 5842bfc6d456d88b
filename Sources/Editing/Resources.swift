// What the process has used and what the machine has.

import Foundation
import Glibc

/// Time and memory.
public enum Resources {
  /// The process's largest resident memory so far, in bytes.
  public static var peakMemory: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }

  /// Memory that can be had without swapping, in bytes: the smaller of what the machine has available and what the
  /// control group leaves. Nil where the system doesn't tell.
  public static var availableMemory: Int? {
    let machine = contents("/proc/meminfo").flatMap { text in
      text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        .flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") }
    }.map { $0 * 1024 }
    let group = contents("/sys/fs/cgroup/memory.max").flatMap(Int.init)
    let used = contents("/sys/fs/cgroup/memory.current").flatMap(Int.init) ?? 0
    return [machine, group.map { max(0, $0 - used) }].compactMap { $0 }.min()
  }

  private static func contents(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Seconds of a clock that only goes forward.
  public static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
