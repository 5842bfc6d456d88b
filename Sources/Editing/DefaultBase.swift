// Where the base is that comes with the program.

import Foundation

/// Finds the embedded base: `checkpoints/base` in the working folder, or in the folder that the program was built in.
enum DefaultBase {
  static let relativePath = "checkpoints/base"

  /// - Throws: `EditingError`, `noInput`, where there is none.
  static func locate(
    from workingFolder: String = FileManager.default.currentDirectoryPath,
    program: String? = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  ) throws -> String {
    var folders = [URL(fileURLWithPath: workingFolder)]
    var folder = URL(fileURLWithPath: program ?? "/")
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      folders.append(folder)
    }
    for folder in folders {
      let base = folder.appendingPathComponent(relativePath)
      let index = base.appendingPathComponent("model_index.json").path
      if FileManager.default.fileExists(atPath: index) { return base.standardizedFileURL.path }
    }
    throw EditingError(
      .noInput,
      "no base model: found no \(relativePath) in \(workingFolder) or above the program, "
        + "give a folder with --base")
  }
}
