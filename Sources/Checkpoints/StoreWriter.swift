// Saving: the content becomes an HDF5 file that replaces the one at its path as a whole.

import CHDF5
import Glibc
import Tensors

extension StoreFile {
  /// Saves the content at `path`: a new file beside it, in the format of HDF5 1.8 with checksums, is synced, read back,
  /// compared by SHA-256, renamed over the old one, and the folder is synced. The same content gives the same bytes.
  ///
  /// Tensors are written from where they lie; no second copy of them is made.
  /// - Throws: `StoreError` of kind `cantCreate` or `inputOutput`; what was at `path` is then still there, unless all was
  ///   done but the folder's sync, and what was begun is removed. Of kind `badData` for content that can't be saved: a path
  ///   that doesn't begin with a slash, a count that isn't that of the shape, more dimensions than are read, a NUL in a
  ///   string.
  /// - Returns: the SHA-256 of the file, for the manifest.
  @discardableResult
  public func save(to path: String, system: any SystemCalls = PosixCalls()) throws(StoreError)
    -> String
  {
    try checkContent(path)
    return try PartialFile.publish(at: path, system: system) { file throws(StoreError) in
      try HDF5.exclusively { () throws(StoreError) in
        let target = DriverFile(writing: file)
        try HDF5Driver.withAccess(to: target) { access throws(StoreError) in
          try StoreWriter(target: target, path: path).write(self, access: access)
        }
      }
      try StoreHeader.seal(file)
    } verify: { file, _ throws(StoreError) in
      do {
        return try StoreHeader.verify(file)
      } catch {
        throw StoreError(.inputOutput, "\(path): read back otherwise than it was written")
      }
    }
  }

  private func checkContent(_ file: String) throws(StoreError) {
    func refuse(_ what: String) -> StoreError { StoreError(.badData, "\(file): \(what)") }
    func check(_ text: String, _ owner: String) throws(StoreError) {
      if text.utf8.contains(0) { throw refuse("\(owner): a string with a NUL can't be saved") }
    }
    for path in groupAttributes.keys where datasets[path] != nil {
      throw refuse("\(path): both a group and a dataset")
    }
    for path in Array(datasets.keys) + Array(groupAttributes.keys) {
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count >= 2, parts[0].isEmpty,
        !parts.dropFirst().contains(where: { $0.isEmpty || $0 == "." || $0 == ".." })
      else { throw refuse("\(path): wanted a path such as /group/name") }
      for count in 2..<parts.count {
        let parent = parts[..<count].joined(separator: "/")
        if datasets[parent] != nil { throw refuse("\(path): lies in \(parent), a dataset") }
      }
      try check(path, path)
    }
    for (path, dataset) in datasets {
      guard dataset.count == dataset.shape.count else {
        throw refuse("\(path): \(dataset.count) values for the shape \(dataset.shape)")
      }
      guard dataset.shape.rank <= Dataset.mostDimensions else {
        throw refuse(
          "\(path): \(dataset.shape.rank) dimensions can't be saved, \(Dataset.mostDimensions) at most"
        )
      }
      guard case .strings(let strings, _) = dataset else { continue }
      for string in strings { try check(string, path) }
    }
    for owner in [attributes] + groupAttributes.values {
      for (name, value) in owner {
        guard !name.isEmpty else { throw refuse("an attribute without a name") }
        try check(name, name)
        if case .string(let string) = value { try check(string, "attribute \(name)") }
      }
    }
  }
}

/// Puts content into a file that HDF5 has in hand.
struct StoreWriter {
  let target: DriverFile
  /// Where the file will be, for messages.
  let path: String

  /// Bytes of a chunk, at most: a checksum is taken over a whole chunk, which has to be in memory for it.
  static let chunkByteCount = 2 << 20

  func write(_ content: StoreFile, access: Identifier) throws(StoreError) {
    let creation = try identifier(H5Pcreate(hdf5_file_create()), H5Pclose, "creation list")
    try check(H5Pset_userblock(creation.id, hsize_t(StoreHeader.byteCount)), "user block")
    try check(H5Pset_obj_track_times(creation.id, false), "creation list")
    let file = try identifier(
      H5Fcreate(path, hdf5_truncate(), creation.id, access.id), H5Fclose, "file")

    try write(content.attributes, of: file, "/")
    try writeGroups(content, in: file)
    for (path, dataset) in content.datasets.sorted(by: { $0.key < $1.key }) {
      try write(dataset, at: path, in: file)
    }
    try check(H5Fflush(file.id, H5F_SCOPE_GLOBAL), "flush")
    guard file.close(), target.failure == nil else { throw failed("close") }
  }

  /// Makes every group that a path goes through, parents first, and gives them their attributes.
  private func writeGroups(_ content: StoreFile, in file: Identifier) throws(StoreError) {
    var groups = Set(content.groupAttributes.keys)
    for path in Array(content.datasets.keys) + Array(content.groupAttributes.keys) {
      let parts = path.split(separator: "/").dropLast()
      for count in parts.indices { groups.insert("/" + parts[...count].joined(separator: "/")) }
    }
    let creation = try identifier(H5Pcreate(hdf5_group_create()), H5Pclose, "creation list")
    try check(H5Pset_obj_track_times(creation.id, false), "creation list")
    // A parent's path is a beginning of its child's, so it sorts before it.
    for path in groups.sorted() {
      let group = try identifier(
        H5Gcreate2(file.id, path, hdf5_defaults(), creation.id, hdf5_defaults()), H5Gclose, path)
      try write(content.groupAttributes[path] ?? [:], of: group, path)
      try close(group, path)
    }
  }

  private func write(
    _ attributes: [String: AttributeValue], of owner: Identifier, _ path: String
  ) throws(StoreError) {
    let space = try identifier(H5Screate(H5S_SCALAR), H5Sclose, "scalar")
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      let what = "attribute \(name) of \(path)"
      func write(_ fileType: hid_t, _ memoryType: hid_t, _ value: UnsafeRawPointer)
        throws(StoreError)
      {
        let attribute = try identifier(
          H5Acreate2(
            owner.id, name, fileType, space.id, hdf5_defaults(), hdf5_defaults()), H5Aclose, what)
        try check(H5Awrite(attribute.id, memoryType, value), what)
        try close(attribute, what)
      }
      switch value {
      case .integer(var integer):
        try write(hdf5_file_int64(), hdf5_native_int64(), &integer)
      case .float(var float):
        try write(hdf5_file_float64(), hdf5_native_double(), &float)
      case .string(let string):
        let type = try stringType()
        let text = CStrings([string])
        try write(type.id, type.id, text.pointers)
      }
    }
  }

  private func write(_ dataset: Dataset, at path: String, in file: Identifier) throws(StoreError) {
    switch dataset {
    case .deferredFloats(let shape, let make):
      let tensor = make()
      precondition(tensor.shape == shape, "\(path): \(tensor.shape) for \(shape)")
      try write(.floats(tensor), at: path, in: file)
    case .floats(let tensor):
      try create(path, hdf5_file_float32(), 4, tensor.shape, in: file).write(
        hdf5_native_float(), tensor.pointer, self)
      // The library reads from the tensor's memory, which goes with the tensor.
      withExtendedLifetime(tensor) {}
    case .bytes(let values, let shape):
      try create(path, hdf5_file_uint8(), 1, shape, in: file).write(
        hdf5_native_uint8(), values, self)
    case .integers(let values, let shape):
      try create(path, hdf5_file_int64(), 8, shape, in: file).write(
        hdf5_native_int64(), values, self)
    case .strings(let values, let shape):
      let type = try stringType()
      let text = CStrings(values)
      // HDF5 takes no checksums of strings of variable length; the header's covers them.
      try create(path, type.id, nil, shape, in: file).write(type.id, text.pointers, self)
    }
  }

  /// An empty dataset, ready to be written.
  private struct NewDataset {
    let identifier: Identifier
    let path: String

    func write(_ type: hid_t, _ values: UnsafeRawPointer, _ writer: StoreWriter) throws(StoreError)
    {
      let all = hdf5_whole_space()
      try writer.check(
        H5Dwrite(identifier.id, type, all, all, hdf5_defaults(), values), path)
      try writer.close(identifier, path)
    }
  }

  private func create(
    _ path: String, _ type: hid_t, _ elementByteCount: Int?, _ shape: Shape, in file: Identifier
  ) throws(StoreError) -> NewDataset {
    let creation = try identifier(H5Pcreate(hdf5_dataset_create()), H5Pclose, "creation list")
    try check(H5Pset_obj_track_times(creation.id, false), "creation list")
    let extents = shape.array.map { hsize_t($0) }
    let space = try identifier(
      extents.isEmpty
        ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(extents.count), extents, nil),
      H5Sclose, path)
    // Only chunked data can have checksums, and a scalar or an empty array has no chunks.
    if let elementByteCount,
      let chunk = Self.chunk(of: shape, elementByteCount: elementByteCount)
    {
      try check(H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map { hsize_t($0) }), path)
      try check(H5Pset_fletcher32(creation.id), path)
    }
    let dataset = try identifier(
      H5Dcreate2(
        file.id, path, type, space.id, hdf5_defaults(), creation.id, hdf5_defaults()), H5Dclose,
      path)
    return NewDataset(identifier: dataset, path: path)
  }

  /// The extents of a chunk: whole inner dimensions as far as they fit, and even parts of the first that doesn't. Nil for
  /// what can't be chunked.
  static func chunk(of shape: Shape, elementByteCount: Int) -> [Int]? {
    guard shape.rank > 0, shape.count > 0 else { return nil }
    var room = max(1, chunkByteCount / elementByteCount)
    var chunk: [Int] = []
    for extent in shape.array.reversed() {
      let parts = (extent + room - 1) / room
      let part = (extent + parts - 1) / parts
      chunk.insert(part, at: 0)
      room = parts > 1 ? 1 : room / extent
    }
    return chunk
  }

  private func stringType() throws(StoreError) -> Identifier {
    let type = try identifier(H5Tcopy(hdf5_c_string()), H5Tclose, "string type")
    try check(H5Tset_size(type.id, hdf5_variable_length()), "string type")
    try check(H5Tset_cset(type.id, H5T_CSET_UTF8), "string type")
    return type
  }

  private func identifier(
    _ id: hid_t, _ closer: @escaping @convention(c) (hid_t) -> herr_t, _ what: String
  ) throws(StoreError) -> Identifier {
    guard let identifier = Identifier(id, closer), target.failure == nil else { throw failed(what) }
    return identifier
  }

  private func check(_ status: herr_t, _ what: String) throws(StoreError) {
    guard status >= 0, target.failure == nil else { throw failed(what) }
  }

  private func close(_ identifier: Identifier, _ what: String) throws(StoreError) {
    guard identifier.close(), target.failure == nil else { throw failed(what) }
  }

  private func failed(_ what: String) -> StoreError {
    let message = HDF5.lastMessage()
    return target.failure ?? StoreError(.inputOutput, "\(path): \(what): HDF5: \(message)")
  }
}

/// Strings as C has them, for as long as this lives.
private final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointers = .allocate(capacity: max(1, count))
    for (index, string) in strings.enumerated() {
      (pointers + index).initialize(to: strdup(string))
    }
  }

  deinit {
    for index in 0..<count { free(pointers[index]) }
    pointers.deallocate()
  }
}
