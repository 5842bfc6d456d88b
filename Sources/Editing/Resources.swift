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
    let group = freeMemory(
      ofGroup: contents("/sys/fs/cgroup/memory.max"),
      used: contents("/sys/fs/cgroup/memory.current"), parts: contents("/sys/fs/cgroup/memory.stat")
    )
    return [machine, group].compactMap { $0 }.min()
  }

  /// What a control group (version 2) leaves, in bytes: the kernel's copies of files, which it counts as used, can be had.
  /// Nil where it sets no limit.
  /// - Parameters:
  ///   - limit: what `memory.max` says.
  ///   - used: what `memory.current` says.
  ///   - parts: what `memory.stat` says.
  static func freeMemory(ofGroup limit: String?, used: String?, parts: String?) -> Int? {
    guard let limit = limit.flatMap(Int.init) else { return nil }
    let files = (parts ?? "").split(separator: "\n").reduce(0) { sum, line in
      let words = line.split(separator: " ")
      guard words.count == 2, ["active_file", "inactive_file"].contains(words[0]) else {
        return sum
      }
      return sum + (Int(words[1]) ?? 0)
    }
    return min(limit, max(0, limit - (used.flatMap(Int.init) ?? 0) + files))
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
