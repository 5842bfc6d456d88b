// Paths and commands between a program and the shell that started it.

import Foundation

/// What a shell gives and takes.
public enum Shell {
  /// A path that holds wherever the next program is run.
  public static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }

  /// This command, as a shell takes it. Going on, it doesn't begin anew a second time.
  public static var command: String {
    CommandLine.arguments.filter { $0 != "--restart" }.map(quoted).joined(separator: " ")
  }

  private static func quoted(_ word: String) -> String {
    let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./,:@%"
    return !word.isEmpty && word.allSatisfy(plain.contains)
      ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
  }
}
