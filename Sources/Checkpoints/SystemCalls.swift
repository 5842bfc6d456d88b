// The file operations that saving and loading are made of, behind a protocol so that tests can make each one fail.

import Glibc

/// The system calls that the store uses. Each behaves as its POSIX namesake: on failure it returns -1 and sets `errno`.
public protocol SystemCalls: Sendable {
  func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32
  func close(_ descriptor: Int32) -> Int32
  func read(_ descriptor: Int32, _ target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int
  func truncate(_ descriptor: Int32, to size: Int) -> Int32
  func sync(_ descriptor: Int32) -> Int32
  func size(_ descriptor: Int32) -> Int
  func rename(_ old: String, _ new: String) -> Int32
  func link(_ old: String, _ new: String) -> Int32
  func remove(_ path: String) -> Int32
}

/// The real ones.
public struct PosixCalls: SystemCalls {
  public init() {}

  public func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
    Glibc.open(path, flags | O_CLOEXEC, mode)
  }

  public func close(_ descriptor: Int32) -> Int32 { Glibc.close(descriptor) }

  public func read(_ descriptor: Int32, _ target: UnsafeMutableRawBufferPointer, at offset: Int)
    -> Int
  {
    pread(descriptor, target.baseAddress, target.count, offset)
  }

  public func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    pwrite(descriptor, bytes.baseAddress, bytes.count, offset)
  }

  public func truncate(_ descriptor: Int32, to size: Int) -> Int32 { ftruncate(descriptor, size) }

  public func sync(_ descriptor: Int32) -> Int32 { fsync(descriptor) }

  public func size(_ descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : -1
  }

  public func rename(_ old: String, _ new: String) -> Int32 { Glibc.rename(old, new) }

  public func link(_ old: String, _ new: String) -> Int32 { Glibc.link(old, new) }

  public func remove(_ path: String) -> Int32 { unlink(path) }
}

/// An open file. Interrupted and short transfers go on where they stopped; everything else that fails throws.
struct OpenFile: Sendable {
  let path: String
  let descriptor: Int32
  let system: any SystemCalls

  /// Opens a file for reading.
  /// - Throws: `noInput` where there is none or it may not be read, `inputOutput` where the disk fails.
  init(reading path: String, system: any SystemCalls) throws(StoreError) {
    let descriptor = Self.uninterrupted { Int(system.open(path, O_RDONLY, 0)) }
    guard descriptor >= 0 else {
      let code = errno
      let kind: StoreError.Kind = code == EIO ? .inputOutput : .noInput
      throw StoreError(kind, path, "can't be opened", errno: code)
    }
    self.init(path: path, descriptor: Int32(descriptor), system: system)
  }

  /// Creates a file that isn't there yet, for writing and for reading back.
  /// - Parameter place: the path that errors name, where the file is on its way to another than its own.
  /// - Throws: `cantCreate`, or `inputOutput` where the disk is full or fails.
  init(creating path: String, for place: String? = nil, system: any SystemCalls) throws(StoreError)
  {
    let flags = O_RDWR | O_CREAT | O_EXCL
    let descriptor = Self.uninterrupted { Int(system.open(path, flags, 0o666)) }
    guard descriptor >= 0 else {
      let code = errno
      let kind: StoreError.Kind = [EIO, ENOSPC, EDQUOT].contains(code) ? .inputOutput : .cantCreate
      throw StoreError(kind, place ?? path, "can't be created", errno: code)
    }
    self.init(path: place ?? path, descriptor: Int32(descriptor), system: system)
  }

  private init(path: String, descriptor: Int32, system: any SystemCalls) {
    self.path = path
    self.descriptor = descriptor
    self.system = system
  }

  /// Fills `target` with the bytes at `offset`.
  /// - Throws: `badData` where the file ends before, `inputOutput` where reading fails.
  func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(StoreError) {
    var done = 0
    while done < target.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
      let count = Self.uninterrupted { system.read(descriptor, rest, at: offset + done) }
      guard count >= 0 else { throw failed("can't be read") }
      guard count > 0 else {
        throw StoreError(
          .badData,
          "\(path): ends after \(offset + done) bytes, wanted \(offset + target.count) or more")
      }
      done += count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StoreError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = Self.uninterrupted { system.write(descriptor, rest, at: offset + done) }
      guard count >= 0 else { throw failed("can't be written") }
      guard count > 0 else {
        throw StoreError(.inputOutput, "\(path): can't be written: nothing was taken")
      }
      done += count
    }
  }

  func truncate(to size: Int) throws(StoreError) {
    let status = Self.uninterrupted { Int(system.truncate(descriptor, to: size)) }
    guard status == 0 else { throw failed("can't be cut to \(size) bytes") }
  }

  /// Puts what was written on the disk. After a failure the kernel may have dropped the bytes and says nothing when asked
  /// again, so the caller gives up the whole file.
  func sync() throws(StoreError) {
    let status = Self.uninterrupted { Int(system.sync(descriptor)) }
    guard status == 0 else { throw failed("can't be synced") }
  }

  func size() throws(StoreError) -> Int {
    let size = Self.uninterrupted { system.size(descriptor) }
    guard size >= 0 else { throw failed("has no readable size") }
    return size
  }

  func close() throws(StoreError) {
    // An interrupted close has closed on Linux, and closing again could hit another file.
    guard system.close(descriptor) == 0 || errno == EINTR else { throw failed("can't be closed") }
  }

  /// Closes a file that is given up, or that was only read: nothing hangs on the outcome.
  func abandon() { _ = system.close(descriptor) }

  /// Makes the next read come from the disk and not from the kernel's copy, where the kernel does as it is asked.
  func forgetCached() { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

  private func failed(_ what: String) -> StoreError {
    StoreError(.inputOutput, path, what, errno: errno)
  }

  /// The result of a call, made again as long as a signal interrupts it.
  static func uninterrupted(_ call: () -> Int) -> Int {
    while true {
      let result = call()
      if result >= 0 || errno != EINTR { return result }
    }
  }
}
