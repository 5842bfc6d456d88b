import CHDF5
import Foundation
import Glibc
import Tensors
import Testing

@testable import Checkpoints

@Suite struct StoreReaderTests {
  // MARK: - Damage

  /// Bits of every byte, all eight in the first 2 KiB, which are the header, the superblock and the root.
  @Test func flippedBits() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      try everything(step: 1).save(to: path)
      let size = try Data(contentsOf: URL(filePath: path)).count
      let descriptor = open(path, O_RDWR)
      defer { close(descriptor) }
      for offset in 0..<size {
        var original: UInt8 = 0
        #expect(pread(descriptor, &original, 1, offset) == 1)
        for bit in offset < 2048 ? Array(0..<8) : [offset % 8] {
          var flipped = original ^ (1 << UInt8(bit))
          pwrite(descriptor, &flipped, 1, offset)
          let error = failure { () throws(StoreError) in _ = try StoreFile.read(path) }
          if error?.kind != .badData { Issue.record("bit \(bit) of byte \(offset)") }
        }
        pwrite(descriptor, &original, 1, offset)
      }
      #expect(try StoreFile.read(path).integer("step") == 1)
    }
  }

  @Test func truncations() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      try everything(step: 1).save(to: path)
      let size = try Data(contentsOf: URL(filePath: path)).count
      for length in (0..<size).reversed() {
        truncate(path, length)
        let error = failure { () throws(StoreError) in _ = try StoreFile.read(path) }
        if error?.kind != .badData { Issue.record("\(length) of \(size) bytes") }
      }
    }
  }

  @Test func appendedBytes() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      try everything(step: 1).save(to: path)
      try AtomicFile.write(Data(contentsOf: URL(filePath: path)) + [0], to: path)
      #expect(throws: StoreError.self) { try StoreFile.read(path) }
      // Damage is damage whoever may have made the file.
      #expect(throws: StoreError.self) { try StoreFile.read(path, from: .anyone) }
    }
  }

  /// Another good file, in the place of the one that is asked for.
  @Test func otherDigest() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      let first = try everything(step: 1).save(to: path)
      let second = try everything(step: 2).save(to: path)
      #expect(
        throws: StoreError(.badData, "\(path): has the SHA-256 \(second), wanted \(first)")
      ) { try StoreFile.read(path, expectedDigest: first) }
    }
  }

  @Test func missingFile() throws {
    let error = #expect(throws: StoreError.self) { try StoreFile.read("/nowhere/at/all.h5") }
    #expect(error?.exitCode == 66)
  }

  @Test func noHDF5() throws {
    try withFolder { folder in
      let path = "\(folder)/text"
      try AtomicFile.write(Array("hello".utf8), to: path)
      #expect(throws: StoreError.self) { try StoreFile.read(path) }
      let error = #expect(throws: StoreError.self) { try StoreFile.read(path, from: .anyone) }
      #expect(error?.kind == .badData)
      #expect(error?.description.hasPrefix("\(path): not a readable HDF5 file") == true)
    }
  }

  /// A disk that fails at every operation of a read: said as such, not as a damaged file.
  @Test func faults() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      try everything(step: 1).save(to: path)
      for index in 1... {
        let system = FaultyCalls(.error(EIO), at: index)
        do {
          let file = try StoreFile.read(path, system: system)
          #expect(try file.integer("step") == 1)
        } catch let error as StoreError {
          #expect(error.kind == .inputOutput, "\(index): \(error)")
        }
        if !system.wasReached {
          #expect(index > 10)
          break
        }
      }
    }
  }

  // MARK: - Files of others

  private typealias Make = @Sendable (hid_t, String) -> Void

  /// A file made by HDF5 alone, in its newest format where `isNew`, which some features need.
  private func make(_ path: String, isNew: Bool = false, _ body: (hid_t, String) -> Void) throws {
    try HDF5.exclusively { () throws(StoreError) in
      let access = H5Pcreate(hdf5_file_access())
      if isNew { H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) }
      let file = H5Fcreate(path, hdf5_truncate(), hdf5_defaults(), access)
      body(file, (path as NSString).deletingLastPathComponent)
      H5Pclose(access)
      if H5Fclose(file) < 0 { throw StoreError(.badData, HDF5.lastMessage()) }
    }
  }

  private static func dataset(
    _ file: hid_t, _ type: hid_t = hdf5_file_float32(), _ extents: [hsize_t] = [4],
    write values: UnsafeRawPointer? = nil, as memoryType: hid_t? = nil,
    _ prepare: (hid_t) -> Void = { _ in }
  ) {
    let creation = H5Pcreate(hdf5_dataset_create())
    prepare(creation)
    let space = H5Screate_simple(Int32(extents.count), extents, nil)
    let all = hdf5_whole_space()
    let dataset = H5Dcreate2(
      file, "data", type, space, hdf5_defaults(), creation, hdf5_defaults())
    if let values { H5Dwrite(dataset, memoryType ?? type, all, all, hdf5_defaults(), values) }
    H5Dclose(dataset)
    H5Sclose(space)
    H5Pclose(creation)
  }

  private static func attribute(_ file: hid_t, _ type: hid_t, _ space: hid_t) {
    H5Aclose(H5Acreate2(file, "a", type, space, hdf5_defaults(), hdf5_defaults()))
    H5Sclose(space)
  }

  private static let zeros = [Float](repeating: 0, count: 64)

  private static let hostile: [(String, Make)] = [
    (
      "its data lie in another file",
      { file, folder in
        dataset(file) { H5Pset_external($0, "\(folder)/secret", 0, 16) }
      }
    ),
    (
      "a link to elsewhere",
      { file, folder in
        H5Lcreate_external("\(folder)/other.h5", "/", file, "l", hdf5_defaults(), hdf5_defaults())
      }
    ),
    (
      "a link to elsewhere",
      { file, _ in
        H5Lcreate_soft("/", file, "l", hdf5_defaults(), hdf5_defaults())
      }
    ),
    (
      "a link to elsewhere",
      { file, _ in
        H5Lcreate_soft("/nothing", file, "l", hdf5_defaults(), hdf5_defaults())
      }
    ),
    (
      "reached by two paths",
      { file, _ in
        H5Lcreate_hard(file, "/", file, "l", hdf5_defaults(), hdf5_defaults())
      }
    ),
    (
      "reached by two paths",
      { file, _ in
        dataset(file, write: zeros)
        H5Lcreate_hard(file, "data", file, "l", hdf5_defaults(), hdf5_defaults())
      }
    ),
    (
      "the filter 1",
      { file, _ in
        dataset(file, write: zeros) {
          H5Pset_chunk($0, 1, [4])
          H5Pset_deflate($0, 9)
        }
      }
    ),
    (
      "the filter 32000",
      { file, _ in
        dataset(file, write: zeros) {
          H5Pset_chunk($0, 1, [4])
          H5Pset_filter($0, 32000, UInt32(H5Z_FLAG_OPTIONAL), 0, nil)
        }
      }
    ),
    (
      "more than a file of",
      { file, _ in
        dataset(file, hdf5_file_float32(), [1 << 40]) { H5Pset_chunk($0, 1, [1024]) }
      }
    ),
    (
      "more than a file of",
      { file, _ in
        dataset(file, hdf5_file_float32(), [1 << 31, 1 << 31, 1 << 31, 1 << 31]) {
          H5Pset_chunk($0, 4, [1, 1, 1, 1])
        }
      }
    ),
    ("0 bytes are stored", { file, _ in dataset(file) { H5Pset_chunk($0, 1, [2]) } }),
    ("0 bytes are stored", { file, _ in dataset(file) }),
    (
      "found 5 dimensions",
      { file, _ in
        dataset(file, hdf5_file_float32(), [1, 1, 1, 2, 2], write: zeros)
      }
    ),
    (
      "found float64",
      { file, _ in
        dataset(file, hdf5_file_float64(), write: zeros)
      }
    ),
    (
      "type compound",
      { file, _ in
        let type = H5Tcreate(H5T_COMPOUND, 8)
        H5Tinsert(type, "x", 0, hdf5_file_float32())
        dataset(file, type, write: zeros)
        H5Tclose(type)
      }
    ),
    (
      "type opaque of 3 bytes",
      { file, _ in
        let type = H5Tcreate(H5T_OPAQUE, 3)
        dataset(file, type, write: zeros)
        H5Tclose(type)
      }
    ),
    (
      "isn't UTF-8",
      { file, _ in
        let type = H5Tcopy(hdf5_c_string())
        H5Tset_size(type, 2)
        dataset(file, type, write: [0xC3, 0x28, 0x61, 0x62, 0x61, 0x62, 0x61, 0x62] as [UInt8])
        H5Tclose(type)
      }
    ),
    (
      "neither a dataset nor a group",
      { file, _ in
        let type = H5Tcopy(hdf5_file_float32())
        H5Tcommit2(file, "type", type, hdf5_defaults(), hdf5_defaults(), hdf5_defaults())
        H5Tclose(type)
      }
    ),
    (
      "attribute a of /: an array",
      { file, _ in
        attribute(file, hdf5_file_float32(), H5Screate_simple(1, [3], nil))
      }
    ),
    (
      "attribute a of /: an array",
      { file, _ in
        attribute(file, hdf5_file_float32(), H5Screate(H5S_NULL))
      }
    ),
    (
      "type enumeration",
      { file, _ in
        let type = H5Tenum_create(hdf5_file_uint8())
        var one: UInt8 = 1
        H5Tenum_insert(type, "TRUE", &one)
        attribute(file, type, H5Screate(H5S_SCALAR))
        H5Tclose(type)
      }
    ),
    (
      "groups lie more than 16 deep",
      { file, _ in
        var path = ""
        for _ in 0..<20 {
          path += "/g"
          H5Gclose(H5Gcreate2(file, path, hdf5_defaults(), hdf5_defaults(), hdf5_defaults()))
        }
      }
    ),
  ]

  @Test(arguments: hostile.indices)
  func hostileFiles(index: Int) throws {
    let (message, body) = Self.hostile[index]
    try withFolder { folder in
      let path = "\(folder)/in.h5"
      try Data(repeating: 0x41, count: 64).write(to: URL(filePath: "\(folder)/secret"))
      try make(path, body)
      let error = #expect(throws: StoreError.self) { try StoreFile.read(path, from: .anyone) }
      #expect(error?.kind == .badData)
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
      // None of them is one of ours.
      #expect(throws: StoreError.self) { try StoreFile.read(path) }
    }
  }

  @Test func virtualDataset() throws {
    try withFolder { folder in
      let path = "\(folder)/in.h5"
      try make("\(folder)/other.h5") { file, _ in Self.dataset(file, write: Self.zeros) }
      try make(path, isNew: true) { file, folder in
        let space = H5Screate_simple(1, [4], nil)
        Self.dataset(file) { H5Pset_virtual($0, space, "\(folder)/other.h5", "data", space) }
        H5Sclose(space)
      }
      let error = #expect(throws: StoreError.self) { try StoreFile.read(path, from: .anyone) }
      #expect(error?.kind == .badData)
    }
  }

  /// What h5py writes by default, and what it may: other integer types and byte orders, both kinds of strings.
  @Test func ordinaryFiles() throws {
    try withFolder { folder in
      func read(_ body: (hid_t, String) -> Void) throws -> StoreFile {
        try make("\(folder)/in.h5", body)
        return try StoreFile.read("\(folder)/in.h5", from: .anyone)
      }
      let floats: [Float] = [1, -2, 3.5, 4]
      let bigEndian = try read { file, _ in
        let type = H5Tcopy(hdf5_file_float32())
        H5Tset_order(type, H5T_ORDER_BE)
        Self.dataset(file, type, write: floats, as: hdf5_native_float())
        H5Tclose(type)
      }
      #expect(try bigEndian.tensor("/data", shape: [4]).array == floats)

      let shuffled = try read { file, _ in
        Self.dataset(file, write: floats) {
          H5Pset_chunk($0, 1, [2])
          H5Pset_shuffle($0)
          H5Pset_fletcher32($0)
        }
      }
      #expect(try shuffled.tensor("/data", shape: [4]).array == floats)

      let integers: [Int64] = [-1, 0, 77, 1 << 14]
      let short = try read { file, _ in
        let type = H5Tcopy(hdf5_file_int64())
        H5Tset_size(type, 2)
        Self.dataset(file, type, write: integers, as: hdf5_native_int64())
        H5Tclose(type)
      }
      #expect(try short.integers("/data").values == integers)

      let text = try read { file, _ in
        let type = H5Tcopy(hdf5_c_string())
        H5Tset_size(type, 3)
        H5Tset_strpad(type, H5T_STR_SPACEPAD)
        Self.dataset(file, type, [2], write: Array("ab c\u{e9}".utf8))
        H5Tclose(type)
        let variable = H5Tcopy(hdf5_c_string())
        H5Tset_size(variable, hdf5_variable_length())
        let space = H5Screate(H5S_SCALAR)
        let attribute = H5Acreate2(
          file, "ascii", variable, space, hdf5_defaults(), hdf5_defaults())
        var string = UnsafePointer(strdup("plain"))
        H5Awrite(attribute, variable, &string)
        H5Aclose(attribute)
        H5Sclose(space)
        H5Tclose(variable)
        free(UnsafeMutablePointer(mutating: string))
      }
      #expect(try text.strings("/data").values == ["ab", "c\u{e9}"])
      #expect(try text.string("ascii") == "plain")
    }
  }

  /// What is not wanted is not looked at, whatever it is.
  @Test func unwantedDatasets() throws {
    try withFolder { folder in
      try make("\(folder)/in.h5") { file, _ in
        Self.dataset(file, hdf5_file_float64(), write: Self.zeros)
      }
      let file = try StoreFile.read("\(folder)/in.h5", from: .anyone) { _ in false }
      #expect(file.datasets.isEmpty)
    }
  }
}
