// The file driver through which HDF5 reads and writes: an already open file, by the store's own system calls. So what was
// hashed is what HDF5 reads, and a failed write can't be lost in the library, which forgets some of them.

import CHDF5
import Synchronization

/// A file in HDF5's hands.
final class DriverFile: @unchecked Sendable {
  let file: OpenFile
  /// The first failure. From then on writes are dropped, so that the library can wind up; the file is given up.
  var failure: StoreError?
  fileprivate var size: Int

  init(_ file: OpenFile) throws(StoreError) {
    self.file = file
    self.size = try file.size()
  }

  fileprivate func attempt(_ body: () throws(StoreError) -> Void) -> herr_t {
    do {
      try body()
      return 0
    } catch {
      failure = failure ?? error
      return -1
    }
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
      H5Pset_libver_bounds(access.id, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0
    else {
      throw StoreError(.inputOutput, "\(file.file.path): HDF5: \(HDF5.lastMessage())")
    }
    return try body(access)
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
      if flags & hdf5_truncate() != 0 {
        guard file.attempt({ () throws(StoreError) in try file.file.truncate(to: 0) }) == 0 else {
          return nil
        }
        file.size = 0
      }
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
    description.read = { pointer, _, _, address, size, target in
      guard let file = file(pointer), let target, let offset = Int(exactly: address) else {
        return -1
      }
      guard file.failure == nil, size <= file.size, offset <= file.size - size else { return -1 }
      return file.attempt { () throws(StoreError) in
        let bytes = UnsafeMutableRawBufferPointer(start: target, count: size)
        try file.file.read(into: bytes, at: offset)
      }
    }
    description.write = { pointer, _, _, address, size, source in
      guard let file = file(pointer), let source, let offset = Int(exactly: address) else {
        return -1
      }
      guard file.failure == nil else { return 0 }
      return file.attempt { () throws(StoreError) in
        try file.file.write(UnsafeRawBufferPointer(start: source, count: size), at: offset)
        file.size = max(file.size, offset + size)
      }
    }
    description.truncate = { pointer, _, _ in
      guard let file = file(pointer), let own = own(pointer),
        let end = Int(exactly: own.pointee.end_of_allocation)
      else { return -1 }
      guard file.failure == nil, end != file.size else { return 0 }
      return file.attempt { () throws(StoreError) in
        try file.file.truncate(to: end)
        file.size = end
      }
    }
    return H5FDregister(&description)
  }()
}
