import Foundation
import Glibc
import Testing

@testable import Checkpoints

@Suite struct RunLockTests {
  @Test func secondIsRefusedUntilFirstEnds() throws {
    try withFolder { folder in
      let first = try RunLock(folder: folder)
      #expect(
        throws: StoreError(
          .locked,
          "\(folder): another process (\(getpid())) works in this run folder; wait for its end")
      ) { try RunLock(folder: folder) }
      first.release()
      try RunLock(folder: folder).release()
    }
  }

  @Test func oneOfManyWins() async throws {
    let folder = NSTemporaryDirectory() + "checkpoints-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for _ in 0..<50 {
      let locks = await withTaskGroup(of: RunLock?.self) { group in
        for _ in 0..<8 { group.addTask { try? RunLock(folder: folder) } }
        return await group.reduce(into: [RunLock]()) { if let lock = $1 { $0.append(lock) } }
      }
      #expect(locks.count == 1)
      for lock in locks { lock.release() }
    }
  }

  @Test func killedHolderLeavesNothingToRemove() async throws {
    let folder = NSTemporaryDirectory() + "checkpoints-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: "\(folder)/edits", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
      _ = try RunLock(folder: folder)
      _ = try? AtomicFile.write([1, 2, 3], to: "\(folder)/a.png", system: DeadlyCalls(at: 3))
    }
    #expect(try names(in: folder).contains { $0.hasPrefix(".a.png.partial-") })
    try Data().write(to: URL(filePath: "\(folder)/edits/.b.png.partial-12-3"))
    try Data().write(to: URL(filePath: "\(folder)/edits/.mine.partial-copy"))

    try RunLock(folder: folder).release()
    #expect(try names(in: folder) == [".lock", "edits"])
    #expect(try names(in: "\(folder)/edits") == [".mine.partial-copy"])
  }

  @Test func folderThatIsMissing() throws {
    let error = #expect(throws: StoreError.self) { try RunLock(folder: "/nowhere/at/all") }
    #expect(error?.kind == .cantCreate)
  }
}
