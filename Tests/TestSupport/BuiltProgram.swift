// Runs the programs that were built with the tests.

import Foundation

/// A program that was built with the tests.
public struct BuiltProgram: Sendable {
  public let path: String

  /// How a run of a program ended.
  public struct Result: Sendable {
    /// The exit code; minus the signal's number where one ended it.
    public let status: Int32
    public let output: String
    public let errors: String
  }

  public init(_ name: String) {
    let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    path = tests.deletingLastPathComponent().appendingPathComponent(name).path
  }

  /// Any program by its path.
  public init(at path: String) { self.path = path }

  /// Starts the program and gives it without waiting for its end.
  ///
  /// It gets two minutes of the processor at most, so that none outlives tests that are killed.
  /// - Parameter fileSize: how large a file it may write, in bytes; nil for any.
  public func start(
    _ arguments: [String], in folder: String = Repository.path, fileSize: Int? = nil,
    output: Any? = FileHandle.nullDevice, errors: Any? = FileHandle.nullDevice
  ) throws -> Process {
    let process = Process()
    // Replaces itself by the program, whose process this then is.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
    let limits = ["--cpu=120"] + (fileSize.map { ["--fsize=\($0)"] } ?? [])
    process.arguments = limits + ["--", path] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    return process
  }

  /// Runs the program to its end.
  public func run(
    _ arguments: [String], in folder: String = Repository.path, fileSize: Int? = nil
  ) throws -> Result {
    // The output goes to a file, so that the errors are the only pipe to read. They are few, and come by a pipe because
    // that has no limit of its size.
    let capture = try TemporaryFolder()
    let output = try capture.write("", to: "output")
    let pipe = Pipe()
    let process = try start(
      arguments, in: folder, fileSize: fileSize, output: FileHandle(forWritingAtPath: output),
      errors: pipe)
    let errors = Self.everything(from: pipe.fileHandleForReading.fileDescriptor)
    process.waitUntilExit()
    let signalled = process.terminationReason == .uncaughtSignal
    return Result(
      status: signalled ? -process.terminationStatus : process.terminationStatus,
      output: try String(contentsOfFile: output, encoding: .utf8),
      errors: String(decoding: errors, as: UTF8.self))
  }

  /// Kills the program after uneven times and starts it again with the same arguments, until it gets to its end.
  /// - Parameter whole: how many seconds it takes when nobody kills it, measured beside the same other work: a busy
  ///   machine is given as much longer as it needs.
  /// - Returns: how often it was killed.
  /// - Throws: `NeverComplete` if it did not get to its end between so many kills that the last had many times `whole`.
  public func killedUntilComplete(_ arguments: [String], whole: TimeInterval) throws -> Int {
    for kills in 0..<100 {
      let process = try start(arguments)
      // From within the start of the program to after several saves; the longest time grows to 24 times the whole run's.
      let longest = whole / 2 * pow(1.04, Double(kills))
      let part = (Double(kills) * 0.618).truncatingRemainder(dividingBy: 1)
      let deadline = Date(timeIntervalSinceNow: 0.02 + part * longest)
      while process.isRunning && Date() < deadline { usleep(500) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      process.waitUntilExit()
      if process.terminationReason == .exit {
        guard process.terminationStatus == 0 else {
          throw NeverComplete(path: path, kills: kills, status: process.terminationStatus)
        }
        return kills
      }
    }
    throw NeverComplete(path: path, kills: 100, status: nil)
  }

  /// A program that is killed and run again does not get to a good end.
  public struct NeverComplete: Error {
    let path: String
    let kills: Int
    /// How it ended by itself, if it did.
    let status: Int32?
  }

  /// What comes until the end. Foundation's own reading traps where a signal interrupts it.
  private static func everything(from descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 12)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
    }
  }
}
