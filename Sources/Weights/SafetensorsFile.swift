// Reading of one safetensors file: eight bytes that say how long the header is, the header in JSON, then the data.
// https://github.com/huggingface/safetensors describes the format.

import Foundation
import Tensors

/// A safetensors file, mapped into memory and checked whole when it is opened; only the tensors that are asked for are
/// read from the disk.
public struct SafetensorsFile: Sendable {
  /// How the elements of a tensor are stored.
  public enum ElementType: String, Sendable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case boolean = "BOOL"

    var size: Int {
      switch self {
      case .float64, .int64, .uint64: 8
      case .float32, .int32, .uint32: 4
      case .float16, .bfloat16, .int16, .uint16: 2
      case .int8, .uint8, .boolean: 1
      }
    }
  }

  /// What the header says of a tensor.
  public struct Entry: Sendable, Equatable {
    public let type: ElementType
    /// Outermost extent first, any number of them.
    public let extents: [Int]
    /// Where the data lies in the file.
    let bytes: Range<Int>
  }

  public let path: String
  public let entries: [String: Entry]
  /// The texts under `__metadata__`.
  public let metadata: [String: String]
  private let mapping: Mapping

  static let headerLimit = 100_000_000

  /// Opens the file and checks the header.
  ///
  /// The header is at most 100,000,000 bytes long, no name stands twice, sizes follow from shapes, and the data of the
  /// tensors lie one after the other from the header to the end of the file.
  /// - Throws: `LoadingError`.
  public init(_ url: URL) throws {
    path = url.path
    mapping = try Mapping(path: path)
    (entries, metadata) = try Self.header(of: mapping.bytes, file: path)
  }

  /// A tensor by its name, as float32: the narrower types are widened, float64 is rounded.
  /// - Throws: `LoadingError` where there is none, it has another shape, or it holds no floating-point numbers.
  public func tensor(named name: String, shape: Shape) throws -> Tensor {
    guard let entry = entries[name] else {
      throw LoadingError(file: path, "no tensor \(quoted(name)), wanted one of shape \(shape)")
    }
    guard entry.extents == shape.array else {
      throw LoadingError(
        file: path, "\(quoted(name)) has shape \(entry.extents), wanted \(shape)")
    }
    return try tensor(entry, name: name, shape: shape)
  }

  /// The data of an entry in a shape of as many elements.
  func tensor(_ entry: Entry, name: String, shape: Shape) throws -> Tensor {
    let source = UnsafeRawBufferPointer(rebasing: mapping.bytes[entry.bytes])
    // The tensor has its own copy, and a whole model's file beside it would double the memory.
    defer { mapping.release(entry.bytes) }
    switch entry.type {
    case .float32: return Self.copy(source, shape)
    case .float16: return Self.widen(source, shape, vector: widenFloat16, scalar: widenFloat16)
    case .bfloat16: return Self.widen(source, shape, vector: widenBFloat16, scalar: widenBFloat16)
    case .float64:
      let result = Tensor(uninitialized: shape)
      for index in 0..<shape.count {
        result.pointer[index] = Float(
          source.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
      }
      return result
    default:
      throw LoadingError(
        file: path,
        "\(quoted(name)) holds \(entry.type.rawValue), wanted F32, F16, BF16 or F64")
    }
  }

  private static func copy(_ source: UnsafeRawBufferPointer, _ shape: Shape) -> Tensor {
    let result = Tensor(uninitialized: shape)
    UnsafeMutableRawBufferPointer(start: result.pointer, count: 4 * shape.count)
      .copyMemory(from: source)
    return result
  }

  /// Sixteen elements of two bytes at a time, then the rest one by one.
  @inline(__always)
  private static func widen(
    _ source: UnsafeRawBufferPointer, _ shape: Shape,
    vector: (SIMD16<UInt16>) -> SIMD16<Float>, scalar: (UInt16) -> Float
  ) -> Tensor {
    let result = Tensor(uninitialized: shape)
    let vectors = shape.count / 16
    let target = UnsafeMutableRawPointer(result.pointer)
    for index in 0..<vectors {
      let words = source.loadUnaligned(fromByteOffset: 32 * index, as: SIMD16<UInt16>.self)
      target.storeBytes(of: vector(words), toByteOffset: 64 * index, as: SIMD16<Float>.self)
    }
    for index in (16 * vectors)..<shape.count {
      let word = source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
      result.pointer[index] = scalar(word)
    }
    return result
  }
}

private func widenFloat16(_ words: SIMD16<UInt16>) -> SIMD16<Float> {
  SIMD16<Float>(unsafeBitCast(words, to: SIMD16<Float16>.self))
}

private func widenFloat16(_ word: UInt16) -> Float { Float(Float16(bitPattern: word)) }

/// A bfloat16 is the upper half of a float32.
private func widenBFloat16(_ words: SIMD16<UInt16>) -> SIMD16<Float> {
  unsafeBitCast(SIMD16<UInt32>(truncatingIfNeeded: words) &<< 16, to: SIMD16<Float>.self)
}

private func widenBFloat16(_ word: UInt16) -> Float { Float(bitPattern: UInt32(word) << 16) }

/// A name as messages show it: in quotes, on one line, cut where it is long.
func quoted(_ name: String) -> String { JSON.string(name).description }

extension SafetensorsFile {
  private static func header(
    of bytes: UnsafeRawBufferPointer, file: String
  ) throws -> ([String: Entry], [String: String]) {
    guard bytes.count >= 8 else {
      throw LoadingError(
        file: file, "\(bytes.count) bytes long, wanted a safetensors file of at least 8")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= headerLimit, length <= bytes.count - 8 else {
      throw LoadingError(
        file: file,
        "a header of \(length) bytes, wanted at most \(min(headerLimit, bytes.count - 8))")
    }
    let dataStart = 8 + Int(length)
    let text = UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart])
    let json = try JSON(parsing: text.bindMemory(to: UInt8.self), file: file)
    guard case .object(let members) = json else {
      throw LoadingError(file: file, "the header is \(json), wanted a JSON object")
    }
    var entries: [String: Entry] = [:]
    var metadata: [String: String] = [:]
    for member in members {
      if member.key == "__metadata__" {
        metadata = try texts(of: member.value, file: file)
      } else {
        entries[member.key] = try entry(
          member.value, name: member.key, data: dataStart..<bytes.count, file: file)
      }
    }
    try requireContiguous(entries, data: dataStart..<bytes.count, file: file)
    return (entries, metadata)
  }

  private static func texts(of json: JSON, file: String) throws -> [String: String] {
    guard case .object(let members) = json else {
      throw LoadingError(file: file, "\"__metadata__\" is \(json), wanted an object of texts")
    }
    var texts: [String: String] = [:]
    for member in members {
      guard case .string(let text) = member.value else {
        throw LoadingError(
          file: file, "\(quoted(member.key)) of \"__metadata__\" is \(member.value), wanted a text")
      }
      texts[member.key] = text
    }
    return texts
  }

  private static func entry(
    _ json: JSON, name: String, data: Range<Int>, file: String
  ) throws -> Entry {
    func failure(_ wanted: String) -> LoadingError {
      LoadingError(file: file, "\(quoted(name)) is described by \(json), wanted \(wanted)")
    }
    guard case .object(let members) = json, members.count == 3,
      let typeName = json["dtype"], case .array(let extents)? = json["shape"],
      case .array(let offsets)? = json["data_offsets"]
    else { throw failure("\"dtype\", \"shape\" and \"data_offsets\", and no more") }
    guard case .string(let text) = typeName, let type = ElementType(rawValue: text) else {
      let names = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw failure("a \"dtype\" of \(names)")
    }
    var size = type.size
    var shape: [Int] = []
    for extent in extents {
      guard case .integer(let value) = extent, value >= 0 else {
        throw failure("extents of 0 or more")
      }
      let (product, overflow) = size.multipliedReportingOverflow(by: value)
      guard !overflow else { throw failure("a size below 2^63 bytes") }
      size = product
      shape.append(value)
    }
    guard offsets.count == 2, case .integer(let start) = offsets[0],
      case .integer(let end) = offsets[1], 0 <= start, start <= end, end <= data.count
    else { throw failure("data within the \(data.count) bytes after the header") }
    guard end - start == size else { throw failure("\(size) bytes of data for the shape") }
    return Entry(
      type: type, extents: shape, bytes: (data.lowerBound + start)..<(data.lowerBound + end))
  }

  /// - Throws: where data overlap, or bytes belong to no tensor.
  private static func requireContiguous(
    _ entries: [String: Entry], data: Range<Int>, file: String
  ) throws {
    let ordered = entries.sorted {
      ($0.value.bytes.lowerBound, $0.value.bytes.upperBound)
        < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound)
    }
    var end = data.lowerBound
    for (name, entry) in ordered {
      guard entry.bytes.lowerBound == end else {
        throw LoadingError(
          file: file,
          "the data of \(quoted(name)) start at byte \(entry.bytes.lowerBound), wanted \(end)")
      }
      end = entry.bytes.upperBound
    }
    guard end == data.upperBound else {
      throw LoadingError(
        file: file, "the tensors end at byte \(end), wanted \(data.upperBound), the end of the file"
      )
    }
  }
}

/// A file's bytes, mapped read-only for as long as this lives.
private final class Mapping: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  init(path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw LoadingError.system("open", file: path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw LoadingError.system("read", file: path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw LoadingError(.missing, file: path, "not a regular file")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      throw LoadingError(file: path, "0 bytes long, wanted a safetensors file of at least 8")
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else { throw LoadingError.system("map", file: path) }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  /// Lets go of the memory that a range's whole pages take; they are read again where they are wanted again.
  func release(_ range: Range<Int>) {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let first = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard let base = bytes.baseAddress, first < end else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
