// When files were changed, to tell whether a stage has to run again without reading them.

import Foundation
import Glibc

/// Sizes and times of change.
enum FileStates {
  /// The size and the time of the last change of each file, by its path; "missing" for one that is not there.
  static func of(_ paths: [String]) -> [String: String] {
    var states: [String: String] = [:]
    for path in paths {
      var status = stat()
      states[path] =
        stat(path, &status) == 0
        ? "\(status.st_size) bytes, \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)" : "missing"
    }
    return states
  }

  /// The files of a base's folder.
  static func files(inBase path: String) -> [String] {
    let found = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return found.sorted().map { "\(path)/\($0)" }
  }
}

/// Which file a path leads to, whatever it is called; nil where there is none.
struct SystemFile: Equatable {
  private let device: UInt64
  private let number: UInt64

  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    (device, number) = (UInt64(status.st_dev), UInt64(status.st_ino))
  }
}
