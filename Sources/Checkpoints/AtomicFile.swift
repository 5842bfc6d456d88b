// Files that are replaced whole: whoever looks, and whenever the machine stops, finds the old content or the new one.

import Crypto
import Glibc
import Synchronization

/// Writes whole files.
public enum AtomicFile {
  /// Replaces the file at `path` by one with these bytes: written beside it, synced, read back, compared, renamed over
  /// it, and its folder synced.
  /// - Throws: `StoreError`, of kind `cantCreate` or `inputOutput`; what was at `path` is then still there, unless all was
  ///   done but the folder's sync.
  /// - Returns: the SHA-256 of the bytes.
  @discardableResult
  public static func write(
    _ bytes: some Collection<UInt8>, to path: String, system: any SystemCalls = PosixCalls()
  ) throws(StoreError) -> String {
    let content = Array(bytes)
    return try PartialFile.publish(at: path, system: system) { file throws(StoreError) in
      let attempt = content.withUnsafeBytes { content in
        Result { () throws(StoreError) in try file.write(content, at: 0) }
      }
      try attempt.get()
      return SHA256Text.digest(of: content)
    } verify: { file, digest throws(StoreError) in
      var hash = SHA256()
      try file.forEachPiece(from: 0, to: file.size()) { hash.update(bufferPointer: $0) }
      guard SHA256Text.hex(hash.finalize()) == digest else {
        throw StoreError(.inputOutput, "\(path): read back otherwise than it was written")
      }
      return digest
    }
  }

  /// Keeps the file at `path` as `path` + `.previous`, in place of an earlier one of that name. Does nothing where there
  /// is no file.
  /// - Throws: `StoreError` where it can't be renamed; it is then still at `path`.
  public static func keepPrevious(_ path: String, system: any SystemCalls = PosixCalls())
    throws(StoreError)
  {
    guard OpenFile.uninterrupted({ Int(system.rename(path, path + ".previous")) }) == 0 else {
      let code = errno
      if code == ENOENT { return }
      throw StoreError(.inputOutput, path, "can't be renamed to \(path).previous", errno: code)
    }
    try PartialFile.syncFolder(of: path, system: system)
  }

  /// Gives the file at `path` the second name `path` + `.previous`, in place of an earlier one of that name, so that
  /// it stays when the next write replaces it at `path`. On a file system that knows no second names it is renamed, as by
  /// ``keepPrevious(_:system:)``. Does nothing where there is no file.
  /// - Throws: `StoreError`; the file is then still at `path`.
  public static func linkPrevious(_ path: String, system: any SystemCalls = PosixCalls())
    throws(StoreError)
  {
    let partial = PartialFile.name(beside: path)
    guard OpenFile.uninterrupted({ Int(system.link(path, partial)) }) == 0 else {
      let code = errno
      if code == ENOENT { return }
      if [EPERM, ENOTSUP, ENOSYS, EMLINK].contains(code) {
        return try keepPrevious(path, system: system)
      }
      throw StoreError(.inputOutput, path, "can't be kept as \(path).previous", errno: code)
    }
    let status = OpenFile.uninterrupted { Int(system.rename(partial, path + ".previous")) }
    let code = errno
    // Where both are names of the same file already, nothing was renamed.
    _ = system.remove(partial)
    guard status == 0 else {
      throw StoreError(.inputOutput, path, "can't be kept as \(path).previous", errno: code)
    }
    try PartialFile.syncFolder(of: path, system: system)
  }

  /// Removes what writers that were killed have left in a folder. Only for who knows that no other process writes there.
  static func removePartialFiles(in folder: String, system: any SystemCalls) {
    guard let stream = opendir(folder) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if PartialFile.isName(name) { _ = system.remove("\(folder)/\(name)") }
    }
  }
}

/// A file on its way to its place.
enum PartialFile {
  private static let count = Atomic<Int>(0)
  private static let mark = ".partial-"

  /// Creates a file beside `path`, has `write` fill it, syncs it, has `verify` read it back, and puts it in its place.
  /// Whatever throws, the file beside is removed and `path` stays as it was.
  static func publish<Written, Verified>(
    at path: String, system: any SystemCalls,
    write: (OpenFile) throws(StoreError) -> Written,
    verify: (OpenFile, Written) throws(StoreError) -> Verified
  ) throws(StoreError) -> Verified {
    _ = fileSizeSignalIgnored
    let partial = name(beside: path)
    let file = try OpenFile(creating: partial, for: path, system: system)
    let verified: Verified
    do throws(StoreError) {
      do throws(StoreError) {
        let written = try write(file)
        try file.sync()
        file.forgetCached()
        verified = try verify(file, written)
      } catch {
        file.abandon()
        throw error
      }
      try file.close()
      guard OpenFile.uninterrupted({ Int(system.rename(partial, path)) }) == 0 else {
        throw StoreError(.inputOutput, path, "can't be put in place", errno: errno)
      }
    } catch {
      _ = system.remove(partial)
      throw error
    }
    try syncFolder(of: path, system: system)
    return verified
  }

  /// Makes a rename in the folder of `path` outlast a power cut.
  static func syncFolder(of path: String, system: any SystemCalls) throws(StoreError) {
    do {
      let folder = try OpenFile(reading: Self.folder(of: path), system: system)
      defer { folder.abandon() }
      try folder.sync()
    } catch {
      throw StoreError(.inputOutput, error.description)
    }
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// A name of its own for each attempt: two threads that write the same file must not share one.
  static func name(beside path: String) -> String {
    let number = count.add(1, ordering: .relaxed).newValue
    let last = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
    // Names have at most 255 bytes, and the mark must stay.
    let beginning = String(decoding: last.utf8.prefix(48), as: UTF8.self)
    return "\(folder(of: path))/.\(beginning)\(mark)\(getpid())-\(number)"
  }

  static func isName(_ name: String) -> Bool {
    guard name.hasPrefix("."), let range = name.range(of: mark, options: .backwards) else {
      return false
    }
    let digits = name[range.upperBound...]
    return !digits.isEmpty && digits.allSatisfy { ("0"..."9").contains($0) || $0 == "-" }
  }

  /// A write beyond the process's file size limit ends it by a signal, unless that is ignored; then it is an error like
  /// that of a full disk. Someone else's handler is left alone.
  private static let fileSizeSignalIgnored: Void = {
    let old = signal(SIGXFSZ, SIG_IGN)
    if let old { signal(SIGXFSZ, old) }
  }()
}
