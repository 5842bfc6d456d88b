// What the machine has and how fast it goes: the clock, the peak of memory, and the processor.

import Foundation
import Tensors

func secondsTaken(by work: () -> Void) -> Double {
  let start = ContinuousClock.now
  work()
  let taken = start.duration(to: .now)
  return Double(taken.components.seconds) + Double(taken.components.attoseconds) * 1e-18
}

/// The most memory that this process has held so far, in bytes.
///
/// `getrusage` won't do: what it tells survives `exec`, so that a process begins with the peak of the one that started
/// it.
func peakMemory() -> Int { kilobytes("VmHWM", in: "/proc/self/status") * 1024 }

/// The number after `field` in a file of `/proc`; 0 where there is none.
private func kilobytes(_ field: String, in file: String) -> Int {
  value(of: field, in: file).flatMap { Int($0.prefix(while: \.isNumber)) } ?? 0
}

private func value(of field: String, in file: String) -> String? {
  guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
  for line in text.split(separator: "\n") where line.hasPrefix(field) {
    return line.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces)
  }
  return nil
}

/// Where and with what a bench ran.
struct Machine: Codable {
  var kind = "machine"
  var processor = value(of: "model name", in: "/proc/cpuinfo") ?? "unknown"
  /// What of the processor's vector units the kernels may use.
  var vectors = Machine.vectorUnits
  var cores = ProcessInfo.processInfo.processorCount
  var memoryBytes = kilobytes("MemTotal", in: "/proc/meminfo") * 1024
  var threads = Parallel.threads
  var swift = Machine.swiftVersion()
  var date = ISO8601DateFormatter().string(from: Date())
  /// Of the largest product of our own, in thousand millions of floating-point operations a second.
  var peakGflops: Double

  private static var vectorUnits: String {
    let flags = value(of: "flags", in: "/proc/cpuinfo")?.split(separator: " ") ?? []
    return flags.contains("avx512f") ? "AVX-512" : flags.contains("avx2") ? "AVX2" : "neither AVX"
  }

  /// The toolchain's version, as it tells it; "unknown" where there is none to ask.
  private static func swiftVersion() -> String {
    let lines = (try? output(of: "/usr/bin/env", ["swift", "--version"])) ?? ""
    let words = lines.split(whereSeparator: \.isWhitespace)
    guard let index = words.firstIndex(of: "version"), index + 1 < words.count else {
      return "unknown"
    }
    return String(words[index + 1])
  }
}

/// What a program prints before its end.
/// - Throws: where it can't be started or fails.
func output(of program: String, _ arguments: [String]) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: program)
  process.arguments = arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else {
    throw BenchFailure(
      description: "\(program) \(arguments.joined(separator: " ")) ended with "
        + "\(process.terminationReason == .exit ? "exit code" : "signal") "
        + "\(process.terminationStatus)")
  }
  return String(decoding: data, as: UTF8.self)
}

struct BenchFailure: Error, CustomStringConvertible {
  let description: String
}

/// The arithmetic of the fastest of some large products of square matrices, in operations a second: what the share of a
/// kernel is told of. The operands are far larger than the caches.
func productPeak() -> Double {
  let side = 2048
  let (left, right) = (evenTensor([side, side], scale: 1), evenTensor([side, side], scale: 1))
  let times = (0..<12).map { _ in secondsTaken { _ = matrixProduct(left, right) } }
  return 2 * Double(side * side * side) / times.min()!
}
