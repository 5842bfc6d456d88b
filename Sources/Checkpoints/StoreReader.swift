// Loading: a file is proved whole before HDF5 sees it, and nothing is taken from HDF5 that the file itself can't hold.

import CHDF5
import Glibc
import Tensors

extension StoreFile {
  /// Who made a file.
  public enum Origin: Sendable {
    /// This program: the file proves itself by its header.
    case thisProgram
    /// Anyone, such as h5py. Without a header nothing proves the bytes, and HDF5 1.10 doesn't withstand every damage to
    /// its structures: for files from a source that is trusted.
    case anyone
  }

  /// Reads a file.
  /// - Parameters:
  ///   - path: the file.
  ///   - origin: whose files are taken.
  ///   - expectedDigest: the SHA-256 that the file must have, as `save` gave it; nil takes any file that proves itself.
  ///   - isWanted: which datasets are read, by their paths; the others are not looked at.
  /// - Throws: `StoreError`: `noInput` for a missing file, `inputOutput` where reading fails, `badData` for a damaged
  ///   file, and for one with links to elsewhere, data in other files, virtual datasets, filters other than checksums and
  ///   byte shuffling, more than `StoreReader.mostObjects` objects, sizes that the file can't hold, or types that are none
  ///   of float32, integers and strings.
  public static func read(
    _ path: String, from origin: Origin = .thisProgram, expectedDigest: String? = nil,
    system: any SystemCalls = PosixCalls(), where isWanted: (String) -> Bool = { _ in true }
  ) throws(StoreError) -> StoreFile {
    let file = try OpenFile(reading: path, system: system)
    defer { file.abandon() }
    var digest: String?
    let hasHeader = try StoreHeader.isPresent(in: file)
    if origin == .thisProgram || hasHeader {
      digest = try StoreHeader.verify(file)
    } else if expectedDigest != nil {
      digest = try SHA256Text.digest(ofFile: path, system: system)
    }
    if let expectedDigest, let digest, digest != expectedDigest {
      throw StoreError(.badData, "\(path): has the SHA-256 \(digest), wanted \(expectedDigest)")
    }
    return try HDF5.exclusively { () throws(StoreError) -> StoreFile in
      let source = try DriverFile(reading: file)
      return try HDF5Driver.withAccess(to: source) { access throws(StoreError) -> StoreFile in
        var reader = StoreReader(source: source, size: try file.size())
        var content = try reader.read(access: access, where: isWanted)
        content.digest = digest
        return content
      }
    }
  }
}

/// Takes content out of a file that HDF5 has in hand.
struct StoreReader {
  static let mostObjects = 1 << 16
  private static let deepest = 16

  private let source: DriverFile
  private let fileSize: Int
  private let path: String
  /// Addresses of the objects met so far: an object met twice is a cycle, or makes much out of little.
  private var seen: Set<haddr_t> = []
  /// Bytes of all datasets read so far; together they can't be more than the file.
  private var total = 0
  private var content = StoreFile()

  init(source: DriverFile, size: Int) {
    self.source = source
    self.fileSize = size
    self.path = source.file.path
  }

  mutating func read(access: Identifier, where isWanted: (String) -> Bool) throws(StoreError)
    -> StoreFile
  {
    content.source = path
    let file = try identifier(
      H5Fopen(path, hdf5_read_only(), access.id), H5Fclose, "not a readable HDF5 file")
    let root = try identifier(H5Gopen2(file.id, "/", hdf5_defaults()), H5Gclose, "/")
    content.attributes = try attributes(of: root, "/")
    try visit(root, "", depth: 0, where: isWanted)
    return content
  }

  // MARK: - Groups

  private mutating func visit(
    _ group: Identifier, _ groupPath: String, depth: Int, where isWanted: (String) -> Bool
  ) throws(StoreError) {
    guard depth <= Self.deepest else {
      throw bad(groupPath, "groups lie more than \(Self.deepest) deep")
    }
    try count(group, groupPath.isEmpty ? "/" : groupPath)
    for link in try links(of: group, groupPath) {
      let objectPath = "\(groupPath)/\(link.name)"
      guard link.isHard else {
        throw bad(
          objectPath, "a link to elsewhere, which is not followed; wanted a dataset or a group")
      }
      let object = try identifier(
        H5Oopen(group.id, link.name, hdf5_defaults()), H5Oclose, objectPath)
      switch H5Iget_type(object.id) {
      case H5I_GROUP:
        let values = try attributes(of: object, objectPath)
        if !values.isEmpty { content.groupAttributes[objectPath] = values }
        try visit(object, objectPath, depth: depth + 1, where: isWanted)
      case H5I_DATASET:
        try count(object, objectPath)
        if isWanted(objectPath) {
          content.datasets[objectPath] = try dataset(object, objectPath)
        }
      default:
        throw bad(objectPath, "neither a dataset nor a group")
      }
    }
  }

  private mutating func count(_ object: Identifier, _ objectPath: String) throws(StoreError) {
    let address = hdf5_object_address(object.id)
    guard address != hdf5_undefined_address() else { throw failed(objectPath) }
    guard seen.insert(address).inserted else {
      throw bad(objectPath, "is reached by two paths; wanted a tree")
    }
    guard seen.count <= Self.mostObjects else {
      throw bad(objectPath, "more than \(Self.mostObjects) objects")
    }
  }

  private struct Link {
    let name: String
    let isHard: Bool
  }

  /// What a visit of links or attributes gathers.
  private struct Names {
    var links: [Link] = []
    var isTooLong = false

    mutating func add(_ name: UnsafePointer<CChar>?, isHard: Bool) -> herr_t {
      guard let name, links.count < StoreReader.mostObjects else {
        isTooLong = true
        return -1
      }
      links.append(Link(name: String(cString: name), isHard: isHard))
      return 0
    }
  }

  private func links(of group: Identifier, _ groupPath: String) throws(StoreError) -> [Link] {
    var names = Names()
    let status = withUnsafeMutablePointer(to: &names) { pointer in
      hdf5_visit_links(
        group.id,
        { name, isHard, context in
          context?.assumingMemoryBound(to: Names.self).pointee.add(name, isHard: isHard) ?? -1
        }, pointer)
    }
    guard !names.isTooLong else {
      throw bad(groupPath, "more than \(Self.mostObjects) objects")
    }
    try check(status, groupPath.isEmpty ? "/" : groupPath)
    return names.links
  }

  // MARK: - Attributes

  private func attributes(of object: Identifier, _ objectPath: String) throws(StoreError)
    -> [String: AttributeValue]
  {
    var names = Names()
    var position: hsize_t = 0
    let status = withUnsafeMutablePointer(to: &names) { pointer in
      H5Aiterate2(
        object.id, H5_INDEX_NAME, H5_ITER_INC, &position,
        { _, name, _, context in
          context?.assumingMemoryBound(to: Names.self).pointee.add(name, isHard: true) ?? -1
        }, pointer)
    }
    guard !names.isTooLong else {
      throw bad(objectPath, "more than \(Self.mostObjects) attributes")
    }
    try check(status, objectPath)
    var result: [String: AttributeValue] = [:]
    for link in names.links {
      result[link.name] = try attribute(
        link.name, of: object, "attribute \(link.name) of \(objectPath)")
    }
    return result
  }

  private func attribute(_ name: String, of object: Identifier, _ what: String) throws(StoreError)
    -> AttributeValue
  {
    let attribute = try identifier(
      H5Aopen(object.id, name, hdf5_defaults()), H5Aclose, what)
    let space = try identifier(H5Aget_space(attribute.id), H5Sclose, what)
    guard H5Sget_simple_extent_npoints(space.id) == 1 else {
      throw bad(what, "an array, wanted a single value")
    }
    let type = try identifier(H5Aget_type(attribute.id), H5Tclose, what)
    guard H5Tget_size(type.id) <= fileSize else { throw bad(what, "larger than the file") }
    switch try element(type, what) {
    case .float32, .float64:
      var value = 0.0
      try check(H5Aread(attribute.id, hdf5_native_double(), &value), what)
      return .float(value)
    case .uint8, .integer:
      var value: Int64 = 0
      try check(H5Aread(attribute.id, hdf5_native_int64(), &value), what)
      return .integer(value)
    case .string(let string):
      let values = try strings(count: 1, string, space, what) { H5Aread(attribute.id, $0, $1) }
      return .string(values[0])
    }
  }

  // MARK: - Datasets

  private mutating func dataset(_ dataset: Identifier, _ datasetPath: String) throws(StoreError)
    -> Dataset
  {
    let type = try identifier(H5Dget_type(dataset.id), H5Tclose, datasetPath)
    let element = try element(type, datasetPath)
    let space = try identifier(H5Dget_space(dataset.id), H5Sclose, datasetPath)
    let shape = try shape(of: space, datasetPath)
    try checkStorageLayout(dataset, datasetPath, elementByteCount: H5Tget_size(type.id))
    try checkStorage(
      dataset, datasetPath, shape: shape, elementByteCount: H5Tget_size(type.id))

    let all = hdf5_whole_space()
    func read(_ type: hid_t, _ target: UnsafeMutableRawPointer) -> herr_t {
      shape.count == 0 ? 0 : H5Dread(dataset.id, type, all, all, hdf5_defaults(), target)
    }
    switch element {
    case .float32:
      let tensor = Tensor(uninitialized: shape)
      try check(read(hdf5_native_float(), tensor.pointer), datasetPath)
      return .floats(tensor)
    case .uint8:
      var values = [UInt8](repeating: 0, count: shape.count)
      try check(read(hdf5_native_uint8(), &values), datasetPath)
      return .bytes(values, shape: shape)
    case .integer:
      var values = [Int64](repeating: 0, count: shape.count)
      try check(read(hdf5_native_int64(), &values), datasetPath)
      return .integers(values, shape: shape)
    case .string(let string):
      let values = try strings(count: shape.count, string, space, datasetPath, read)
      return .strings(values, shape: shape)
    case .float64:
      throw bad(datasetPath, "found float64, wanted float32, an integer or a string")
    }
  }

  /// The shape of a dataset, once its count is known to fit in the file.
  private func shape(of space: Identifier, _ datasetPath: String) throws(StoreError) -> Shape {
    let rank = Int(H5Sget_simple_extent_ndims(space.id))
    guard (0...Dataset.mostDimensions).contains(rank),
      H5Sget_simple_extent_type(space.id) != H5S_NULL
    else {
      throw bad(datasetPath, "found \(rank) dimensions, wanted 0 to \(Dataset.mostDimensions)")
    }
    var extents = [hsize_t](repeating: 0, count: Dataset.mostDimensions)
    try check(H5Sget_simple_extent_dims(space.id, &extents, nil), datasetPath)
    let used = extents.prefix(rank)
    let names = used.map(String.init).joined(separator: ", ")
    var count = 1
    for extent in used {
      let (product, overflows) = count.multipliedReportingOverflow(by: Int(clamping: extent))
      guard !overflows, extent <= fileSize, product <= fileSize else {
        throw bad(
          datasetPath, "has the shape [\(names)], more than a file of \(fileSize) bytes holds")
      }
      count = product
    }
    return Shape(used.map { Int(clamping: $0) })
  }

  /// Checks that what a dataset says to hold lies in this file: a tiny file can declare a huge array of a fill value.
  private mutating func checkStorage(
    _ dataset: Identifier, _ datasetPath: String, shape: Shape, elementByteCount: Int
  ) throws(StoreError) {
    let (byteCount, overflows) = shape.count.multipliedReportingOverflow(by: elementByteCount)
    let stored = Int(clamping: H5Dget_storage_size(dataset.id))
    total += overflows ? 0 : byteCount
    guard !overflows, byteCount <= stored, stored <= fileSize, total <= fileSize else {
      throw bad(
        datasetPath,
        "says to hold \(shape) of \(elementByteCount) bytes each, but \(stored) bytes are stored "
          + "for it in a file of \(fileSize)")
    }
  }

  private func checkStorageLayout(
    _ dataset: Identifier, _ datasetPath: String, elementByteCount: Int
  ) throws(StoreError) {
    let creation = try identifier(H5Dget_create_plist(dataset.id), H5Pclose, datasetPath)
    guard H5Pget_external_count(creation.id) == 0 else {
      throw bad(datasetPath, "its data lie in another file, which is not read")
    }
    switch H5Pget_layout(creation.id) {
    case H5D_COMPACT, H5D_CONTIGUOUS: break
    case H5D_CHUNKED:
      var chunk = [hsize_t](repeating: 0, count: Dataset.mostDimensions)
      let rank = H5Pget_chunk(creation.id, Int32(chunk.count), &chunk)
      guard (1...Int32(Dataset.mostDimensions)).contains(rank) else { throw failed(datasetPath) }
      var byteCount = elementByteCount
      for extent in chunk.prefix(Int(rank)) {
        let (product, overflows) = byteCount.multipliedReportingOverflow(by: Int(clamping: extent))
        guard !overflows, product <= fileSize else {
          throw bad(datasetPath, "its chunks are larger than the file of \(fileSize) bytes")
        }
        byteCount = product
      }
    default:
      throw bad(datasetPath, "a virtual dataset, whose data lie in other files")
    }
    let filterCount = H5Pget_nfilters(creation.id)
    guard filterCount >= 0 else { throw failed(datasetPath) }
    for index in 0..<filterCount {
      var (flags, valueCount, configuration): (UInt32, Int, UInt32) = (0, 0, 0)
      let filter = H5Pget_filter2(
        creation.id, UInt32(index), &flags, &valueCount, nil, 0, nil, &configuration)
      guard filter == H5Z_FILTER_FLETCHER32 || filter == H5Z_FILTER_SHUFFLE else {
        throw bad(
          datasetPath, "stored with the filter \(filter); wanted none, or Fletcher-32 or shuffle")
      }
    }
  }

  // MARK: - Types

  private enum Element {
    case float32, float64, uint8, integer
    case string(StringForm)
  }

  /// How strings lie in the file: of variable length where `byteCount` is nil.
  private struct StringForm {
    let byteCount: Int?
    let padding: H5T_str_t
    let characters: H5T_cset_t
  }

  private func element(_ type: Identifier, _ what: String) throws(StoreError) -> Element {
    let size = H5Tget_size(type.id)
    let kind = H5Tget_class(type.id)
    switch kind {
    case H5T_FLOAT where size == 4: return .float32
    case H5T_FLOAT where size == 8: return .float64
    case H5T_INTEGER where size == 1 && H5Tget_sign(type.id) == H5T_SGN_NONE: return .uint8
    case H5T_INTEGER where size < 8 || size == 8 && H5Tget_sign(type.id) == H5T_SGN_2:
      return .integer
    case H5T_STRING:
      let isVariable = H5Tis_variable_str(type.id)
      guard isVariable >= 0 else { throw failed(what) }
      return .string(
        StringForm(
          byteCount: isVariable > 0 ? nil : size, padding: H5Tget_strpad(type.id),
          characters: H5Tget_cset(type.id)))
    default:
      let names = [
        H5T_INTEGER: "integer", H5T_FLOAT: "float", H5T_TIME: "time", H5T_BITFIELD: "bit field",
        H5T_OPAQUE: "opaque", H5T_COMPOUND: "compound", H5T_REFERENCE: "reference",
        H5T_ENUM: "enumeration", H5T_VLEN: "variable-length", H5T_ARRAY: "array",
      ].map { ($0.key.rawValue, $0.value) }
      let name = names.first { $0.0 == kind.rawValue }?.1 ?? "unknown"
      throw bad(
        what,
        "found a value of type \(name) of \(size) bytes, wanted float32, an integer or a string")
    }
  }

  /// Reads strings of either form.
  private func strings(
    count: Int, _ form: StringForm, _ space: Identifier, _ what: String,
    _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
  ) throws(StoreError) -> [String] {
    // The same type as in the file but in memory, so that nothing is converted.
    let type = try identifier(H5Tcopy(hdf5_c_string()), H5Tclose, what)
    try check(H5Tset_size(type.id, form.byteCount ?? hdf5_variable_length()), what)
    try check(H5Tset_strpad(type.id, form.padding), what)
    try check(H5Tset_cset(type.id, form.characters), what)

    var result: [String] = []
    if let byteCount = form.byteCount {
      var bytes = [UInt8](repeating: 0, count: count * byteCount)
      try check(read(type.id, &bytes), what)
      for index in 0..<count {
        var text = bytes[(index * byteCount)..<((index + 1) * byteCount)].prefix { $0 != 0 }
        if form.padding == H5T_STR_SPACEPAD {
          while text.last == UInt8(ascii: " ") { text.removeLast() }
        }
        result.append(try utf8(text, what))
      }
    } else {
      var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
      try check(read(type.id, &pointers), what)
      defer {
        if count > 0 { H5Dvlen_reclaim(type.id, space.id, hdf5_defaults(), &pointers) }
      }
      for pointer in pointers {
        let length = pointer.map { strlen($0) } ?? 0
        let text = UnsafeRawBufferPointer(start: pointer, count: length)
        result.append(try utf8(text, what))
      }
    }
    return result
  }

  private func utf8(_ bytes: some Sequence<UInt8>, _ what: String) throws(StoreError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw bad(what, "a string that isn't UTF-8")
    }
    return text
  }

  // MARK: - Errors

  private func identifier(
    _ id: hid_t, _ closer: @escaping @convention(c) (hid_t) -> herr_t, _ what: String
  ) throws(StoreError) -> Identifier {
    guard let identifier = Identifier(id, closer), source.failure == nil else {
      throw failed(what)
    }
    return identifier
  }

  private func check(_ status: herr_t, _ what: String) throws(StoreError) {
    guard status >= 0, source.failure == nil else { throw failed(what) }
  }

  private func failed(_ what: String) -> StoreError {
    let message = HDF5.lastMessage()
    return source.failure
      ?? bad(what, "can't be read\(message.isEmpty ? "" : " (HDF5: \(message))")")
  }

  private func bad(_ what: String, _ found: String) -> StoreError {
    StoreError(.badData, "\(path): \(what.isEmpty ? "/" : what): \(found)")
  }
}
