// The file driver through which HDF5 reads and writes: an already open file, by the store's own system calls. So what was
// hashed is what HDF5 reads, and a failed write can't be lost in the library, which forgets some of them.

import CHDF5
import Synchronization

/// A file in HDF5's hands.
///
/// The library's own handling of failed transfers frees memory twice in places (1.10.8), so it is not shown any: a
/// failure is kept here, the library is told that all went well, and who called it asks here.
final class DriverFile: @unchecked Sendable {
  let file: OpenFile
  /// The first failure. From then on writes are dropped; the file is given up.
  private(set) var failure: StoreError?
  fileprivate var size: Int
  /// All of a file that is read and not large.
  private let image: [UInt8]?

  /// A larger file is read piece by piece; a failure in its data is kept as said above, only one in its structure, which
  /// was read without failure just before to prove the file, reaches the library.
  private static let largestImage = 64 << 20

  /// A new file that is to be written.
  init(writing file: OpenFile) {
    self.file = file
    self.size = 0
    self.image = nil
  }

  /// A file that is to be read.
  init(reading file: OpenFile) throws(StoreError) {
    self.file = file
    self.size = try file.size()
    guard size <= Self.largestImage else {
      self.image = nil
      return
    }
    var image: [UInt8] = []
    image.reserveCapacity(size)
    try file.forEachPiece(from: 0, to: size) { image += $0 }
    self.image = image
  }

  fileprivate func read(_ target: UnsafeMutableRawBufferPointer, at offset: Int, isRaw: Bool)
    -> herr_t
  {
    guard target.count <= size, offset <= size - target.count else { return -1 }
    if let image {
      image.withUnsafeBytes {
        target.copyMemory(from: .init(rebasing: $0[offset...].prefix(target.count)))
      }
      return 0
    }
    attempt { () throws(StoreError) in try file.read(into: target, at: offset) }
    guard failure != nil else { return 0 }
    target.initializeMemory(as: UInt8.self, repeating: 0)
    return isRaw ? 0 : -1
  }

  fileprivate func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    attempt { () throws(StoreError) in try file.write(bytes, at: offset) }
    size = max(size, offset + bytes.count)
  }

  fileprivate func truncate(to newSize: Int) {
    guard newSize != size else { return }
    attempt { () throws(StoreError) in try file.truncate(to: newSize) }
    size = newSize
  }

  private func attempt(_ body: () throws(StoreError) -> Void) {
    guard failure == nil else { return }
    do { try body() } catch { failure = error }
  }
}

enum HDF5Driver {
  /// Files are looked up by number: if the library ever held on to one that is gone, it would find nothing.
  private static let files = Mutex<(next: UInt64, open: [UInt64: DriverFile])>((1, [:]))

  /// Runs `body` with a file access list that leads to `file`. For a caller that has the library for itself.
  static func withAccess<Result>(
    to file: DriverFile, _ body: (Identifier) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    var key = files.withLock { files in
      let key = files.next
      files.next += 1
      files.open[key] = file
      return key
    }
    defer { files.withLock { files in _ = files.open.removeValue(forKey: key) } }
    guard let access = Identifier(H5Pcreate(hdf5_file_access()), H5Pclose),
      H5Pset_driver(access.id, driver, &key) >= 0,
      H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG) >= 0,
      H5Pset_libver_bounds(access.id, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0,
      keepStructureCached(access)
    else {
      throw StoreError(.inputOutput, "\(file.file.path): HDF5: \(HDF5.lastMessage())")
    }
    return try body(access)
  }

  /// Lets the cache of a file's structure grow as far as it may from the start. So nothing of a file that is written is
  /// pushed out and read again: a write that was dropped is never missed.
  private static func keepStructureCached(_ access: Identifier) -> Bool {
    var configuration = H5AC_cache_config_t()
    configuration.version = H5AC__CURR_CACHE_CONFIG_VERSION
    guard H5Pget_mdc_config(access.id, &configuration) >= 0 else { return false }
    let largest = 128 << 20
    configuration.set_initial_size = true
    configuration.initial_size = largest
    configuration.min_size = largest
    configuration.max_size = largest
    configuration.incr_mode = H5C_incr__off
    configuration.flash_incr_mode = H5C_flash_incr__off
    configuration.decr_mode = H5C_decr__off
    return H5Pset_mdc_config(access.id, &configuration) >= 0
  }

  private static func file(_ pointer: UnsafePointer<H5FD_t>?) -> DriverFile? {
    guard let key = own(pointer)?.pointee.key else { return nil }
    return files.withLock { $0.open[key] }
  }

  private static func own(_ pointer: UnsafePointer<H5FD_t>?)
    -> UnsafeMutablePointer<hdf5_driver_file>?
  {
    guard let pointer else { return nil }
    return UnsafeMutableRawPointer(mutating: pointer)
      .assumingMemoryBound(to: hdf5_driver_file.self)
  }

  private static let name = StaticString("imagic")

  private static let driver: hid_t = {
    var description = hdf5_empty_driver_class()
    description.name = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
    description.maxaddr = haddr_t(Int64.max)
    description.fc_degree = H5F_CLOSE_STRONG
    description.fapl_size = MemoryLayout<UInt64>.size

    description.open = { _, flags, access, _ in
      guard let key = H5Pget_driver_info(access)?.loadUnaligned(as: UInt64.self),
        let file = files.withLock({ $0.open[key] })
      else { return nil }
      if flags & hdf5_truncate() != 0 { file.truncate(to: 0) }
      let opened = UnsafeMutablePointer<hdf5_driver_file>.allocate(capacity: 1)
      opened.initialize(to: hdf5_driver_file())
      opened.pointee.key = key
      return UnsafeMutableRawPointer(opened).assumingMemoryBound(to: H5FD_t.self)
    }
    description.close = { pointer in
      own(pointer)?.deallocate()
      return 0
    }
    description.query = { _, flags in
      // What HDF5's own POSIX driver offers: gathering small pieces into larger transfers.
      flags?.pointee = UInt(
        H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE
          | H5FD_FEAT_AGGREGATE_SMALLDATA)
      return 0
    }
    description.get_eoa = { pointer, _ in
      own(pointer)?.pointee.end_of_allocation ?? hdf5_undefined_address()
    }
    description.set_eoa = { pointer, _, address in
      own(pointer)?.pointee.end_of_allocation = address
      return 0
    }
    description.get_eof = { pointer, _ in
      file(pointer).map { haddr_t($0.size) } ?? hdf5_undefined_address()
    }
    description.read = { pointer, kind, _, address, size, target in
      guard let file = file(pointer), let target, let offset = Int(exactly: address) else {
        return -1
      }
      let bytes = UnsafeMutableRawBufferPointer(start: target, count: size)
      return file.read(bytes, at: offset, isRaw: kind == H5FD_MEM_DRAW)
    }
    description.write = { pointer, _, _, address, size, source in
      guard let file = file(pointer), let source, let offset = Int(exactly: address) else {
        return -1
      }
      file.write(UnsafeRawBufferPointer(start: source, count: size), at: offset)
      return 0
    }
    description.truncate = { pointer, _, _ in
      guard let file = file(pointer), let own = own(pointer),
        let end = Int(exactly: own.pointee.end_of_allocation)
      else { return -1 }
      file.truncate(to: end)
      return 0
    }
    return H5FDregister(&description)
  }()
}
