// One process at a time in a run folder.

import Glibc

/// The right to work in a run folder, held until `release()` or the end of the process, however it ends: the kernel
/// keeps the lock, so the file `.lock` that stays behind locks nobody out.
public final class RunLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock of a folder, which must exist, and clears away what killed processes have left of their saves in it
  /// and in its folder `edits`.
  /// - Throws: `locked` where another process holds it; `cantCreate` where the folder can't be written.
  public init(folder: String, system: any SystemCalls = PosixCalls()) throws(StoreError) {
    let path = "\(folder)/.lock"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw StoreError(.cantCreate, path, "can't be opened", errno: errno)
    }
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      let holder = Self.holder(descriptor)
      close(descriptor)
      guard code == EWOULDBLOCK else {
        throw StoreError(.cantCreate, path, "can't be locked", errno: code)
      }
      throw StoreError(
        .locked, "\(folder): another process\(holder) works in this run folder; wait for its end")
    }
    self.descriptor = descriptor
    // Only for the message above, so nothing hangs on it.
    let text = "\(getpid())\n"
    if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.utf8.count, 0) }
    for writtenTo in [folder, "\(folder)/edits"] {
      AtomicFile.removePartialFiles(in: writtenTo, system: system)
    }
  }

  /// Gives the folder to others. To be called once, when the last file is written: `defer { lock.release() }`.
  public func release() { close(descriptor) }

  private static func holder(_ descriptor: Int32) -> String {
    var digits = [UInt8](repeating: 0, count: 16)
    let count = pread(descriptor, &digits, digits.count, 0)
    let text = String(decoding: digits.prefix(max(0, count)), as: UTF8.self)
    return Int(text.filter { $0 != "\n" }).map { " (\($0))" } ?? ""
  }
}
