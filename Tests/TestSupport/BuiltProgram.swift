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
  public func start(
    _ arguments: [String], in folder: String = Repository.path,
    output: Any? = FileHandle.nullDevice, errors: Any? = FileHandle.nullDevice
  ) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    return process
  }

  /// Runs the program to its end.
  public func run(_ arguments: [String], in folder: String = Repository.path) throws -> Result {
    // Files, not pipes: a pipe that no one reads while the program runs would stop it.
    let capture = try TemporaryFolder()
    let paths = (try capture.write("", to: "output"), try capture.write("", to: "errors"))
    let process = try start(
      arguments, in: folder, output: FileHandle(forWritingAtPath: paths.0),
      errors: FileHandle(forWritingAtPath: paths.1))
    process.waitUntilExit()
    let signalled = process.terminationReason == .uncaughtSignal
    return Result(
      status: signalled ? -process.terminationStatus : process.terminationStatus,
      output: try String(contentsOfFile: paths.0, encoding: .utf8),
      errors: try String(contentsOfFile: paths.1, encoding: .utf8))
  }
}
