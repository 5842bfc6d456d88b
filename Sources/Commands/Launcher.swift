// The way into every program and the only way out: arguments are parsed, the command runs, and whatever ends it becomes
// one line on standard error and an exit code of sysexits.h.

import ArgumentParser
import Editing
import Foundation
import Glibc

/// A program whose `perform` may throw any error.
public protocol Program: ParsableCommand {
  /// How the program talks, known once its flags are.
  var console: Console { get }

  func perform() throws
}

extension Program {
  public static func main() {
    Glibc.exit(launch(Array(CommandLine.arguments.dropFirst())).rawValue)
  }

  static func launch(_ arguments: [String]) -> ExitStatus {
    var console = Console(program: _commandName)
    do {
      var command = try parseAsRoot(arguments)
      guard let program = command as? any Program else {
        // Help and version are commands of the parser's own.
        try command.run()
        return .success
      }
      console = program.console
      StopSignal.install()
      try program.perform()
      return .success
    } catch {
      return end(with: error, console: console)
    }
  }

  private static func end(with error: any Error, console: Console) -> ExitStatus {
    if let failure = error as? EditingError {
      console.fail(failure.description, status: failure.status)
      return failure.status
    }
    switch exitCode(for: error) {
    case .success:
      console.result(fullMessage(for: error))
      return .success
    case .validationFailure:
      console.fail("\(message(for: error)); --help lists the flags", status: .usage)
      return .usage
    default:
      let status = ExitStatus(of: error)
      console.fail("\(error)", status: status)
      return status
    }
  }
}
