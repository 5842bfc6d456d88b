// Where the repository's files are.

import Foundation

/// The repository that the tests belong to.
public enum Repository {
  public static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  public static let base = "\(path)/checkpoints/base"
  public static let photograph = "\(path)/prompts/photos/cow.jpg"
}
