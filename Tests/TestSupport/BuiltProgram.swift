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
