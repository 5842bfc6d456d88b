// How a run ends: the exit codes of sysexits.h that the programs use, and the error that carries one.

import Checkpoints
import Diffusion
import Images
import Weights

/// What an ended program tells its caller, in the numbers of sysexits.h.
public enum ExitStatus: Int32, Sendable {
  case success = 0
  /// A flag is unknown, lacks its value or has a bad one.
  case usage = 64
  /// A file was read, and what it holds is not what it should.
  case badData = 65
  /// A file or folder that is needed is not there or can't be read.
  case noInput = 66
  /// The computation went wrong: a loss that is not a number, or a fault of the program.
  case internalError = 70
  /// A file or folder can't be made.
  case cannotCreate = 73
  /// Reading or writing failed on the way.
  case inputOutput = 74
  /// Stopped as it was told to, and the same command goes on.
  case stopped = 75
}

/// A failure that a person is to read: one line, and the exit code that goes with it.
public struct EditingError: Error, Equatable, CustomStringConvertible {
  public let status: ExitStatus
  public let description: String

  public init(_ status: ExitStatus, _ description: String) {
    self.status = status
    self.description = description
  }
}

extension ExitStatus {
  /// The exit code that goes with an error of any module.
  public init(of error: any Error) {
    switch error {
    case let error as EditingError: self = error.status
    case let error as StoreError: self = ExitStatus(rawValue: error.exitCode) ?? .internalError
    case let error as ImageError:
      self = error.kind == .noInput ? .noInput : .badData
    case let error as LoadingError:
      switch error.kind {
      case .missing: self = .noInput
      case .malformed: self = .badData
      case .cannotCreate: self = .cannotCreate
      case .inputOutput: self = .inputOutput
      }
    case is ScheduleError: self = .usage
    default: self = .internalError
    }
  }
}
