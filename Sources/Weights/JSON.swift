// A strict JSON reader that keeps what Foundation's drops: the order of keys, repeated keys (an error here), and whether
// a number is an integer.

import Foundation

/// A JSON value.
public enum JSON: Equatable, Sendable {
  case null
  case boolean(Bool)
  /// A number without fraction or exponent that fits 64 bits.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  /// A key of an object and its value.
  public struct Member: Equatable, Sendable {
    public let key: String
    public let value: JSON

    public init(key: String, value: JSON) {
      self.key = key
      self.value = value
    }
  }

  /// Reads a whole document.
  ///
  /// As RFC 8259 has it, with one addition: `Infinity`, `-Infinity` and `NaN`, which Python writes into the
  /// configurations of some schedulers.
  /// - Parameters:
  ///   - bytes: UTF-8 text.
  ///   - file: the name that errors give.
  /// - Throws: `LoadingError` for anything else, for a repeated key, and for more than a million
  ///   values or values nested more than 64 deep.
  public init(parsing bytes: [UInt8], file: String) throws {
    self = try bytes.withUnsafeBufferPointer { try JSON(parsing: $0, file: file) }
  }

  init(parsing bytes: UnsafeBufferPointer<UInt8>, file: String) throws {
    var parser = Parser(bytes: bytes, file: file)
    self = try parser.document()
  }

  /// Reads a whole file.
  /// - Parameter limit: the largest size in bytes that is read.
  /// - Throws: `LoadingError`.
  public init(contentsOf url: URL, limit: Int = 16 << 20) throws {
    self = try JSON(parsing: readFile(url, limit: limit), file: url.path)
  }

  /// The value of a key of an object; nil for other values.
  public subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }
}

extension JSON: ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByStringLiteral
{
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  public init(stringLiteral value: String) { self = .string(value) }
}

extension JSON: CustomStringConvertible {
  /// The value as JSON on one line, cut after 100 characters: for messages.
  public var description: String {
    var text = ""
    write(into: &text)
    return text.count > 100 ? text.prefix(99) + "…" : text
  }

  private func write(into text: inout String) {
    // A value may be large, and only its beginning is shown.
    guard text.utf8.count < 1000 else { return }
    switch self {
    case .null: text += "null"
    case .boolean(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .number(let value): text += "\(value)"
    case .string(let value): text += String(value.prefix(200)).debugDescription
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() where text.utf8.count < 1000 {
        if index > 0 { text += ", " }
        value.write(into: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.enumerated() where text.utf8.count < 1000 {
        if index > 0 { text += ", " }
        text += "\(String(member.key.prefix(200)).debugDescription): "
        member.value.write(into: &text)
      }
      text += "}"
    }
  }
}

/// The bytes of a regular file.
/// - Throws: `LoadingError` where it can't be read, or is larger than `limit`.
public func readFile(_ url: URL, limit: Int) throws -> [UInt8] {
  let path = url.path
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { throw LoadingError.system("open", file: path) }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { throw LoadingError.system("read", file: path) }
  guard status.st_mode & S_IFMT == S_IFREG else {
    throw LoadingError(.missing, file: path, "not a regular file")
  }
  guard status.st_size <= limit else {
    throw LoadingError(file: path, "\(status.st_size) bytes long, wanted at most \(limit)")
  }
  let size = Int(status.st_size)
  var failure: Int32 = 0
  let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
    while count < size {
      let got = read(descriptor, buffer.baseAddress! + count, size - count)
      if got < 0 && errno == EINTR { continue }
      if got < 0 { failure = errno }
      if got <= 0 { break }
      count += got
    }
  }
  guard failure == 0 else { throw LoadingError.system("read", file: path, code: failure) }
  return bytes
}

private struct Parser {
  static let maximumDepth = 64
  /// Bounds the memory that a small text of many short values could take; a vocabulary has some 50,000.
  static let maximumCount = 1_000_000

  let bytes: UnsafeBufferPointer<UInt8>
  let file: String
  var position = 0
  var count = 0

  init(bytes: UnsafeBufferPointer<UInt8>, file: String) {
    self.bytes = bytes
    self.file = file
  }

  mutating func document() throws -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw unexpected("the end of the JSON text") }
    return value
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private func unexpected(_ wanted: String) -> LoadingError {
    guard let byte = next else {
      return LoadingError(file: file, "ends at byte \(position), wanted \(wanted)")
    }
    let found =
      (0x20..<0x7F).contains(byte) ? "\"\(Character(UnicodeScalar(byte)))\"" : "byte \(byte)"
    return LoadingError(file: file, "\(found) at byte \(position), wanted \(wanted)")
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  private mutating func take(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard bytes.count - position >= count,
      memcmp(bytes.baseAddress! + position, word.utf8Start, count) == 0
    else { return false }
    position += count
    return true
  }

  private mutating func value(depth: Int) throws -> JSON {
    guard depth <= Self.maximumDepth else {
      throw LoadingError(file: file, "JSON nested more than \(Self.maximumDepth) deep")
    }
    count += 1
    guard count <= Self.maximumCount else {
      throw LoadingError(file: file, "JSON of more than \(Self.maximumCount) values")
    }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t") where take("true"): return .boolean(true)
    case UInt8(ascii: "f") where take("false"): return .boolean(false)
    case UInt8(ascii: "n") where take("null"): return .null
    case UInt8(ascii: "I") where take("Infinity"): return .number(.infinity)
    case UInt8(ascii: "N") where take("NaN"): return .number(.nan)
    case UInt8(ascii: "-") where take("-Infinity"): return .number(-.infinity)
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")), UInt8(ascii: "-"): return try number()
    default: throw unexpected("a JSON value")
    }
  }

  private mutating func object(depth: Int) throws -> JSON {
    position += 1
    var members: [JSON.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object([]) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw unexpected("a key") }
      let key = try string()
      guard keys.insert(key).inserted else {
        throw LoadingError(file: file, "the key \(JSON.string(key)) stands twice in one object")
      }
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw unexpected("\":\"") }
      members.append(JSON.Member(key: key, value: try value(depth: depth + 1)))
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw unexpected("\",\" or \"}\"") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws -> JSON {
    position += 1
    var values: [JSON] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array([]) }
    repeat {
      values.append(try value(depth: depth + 1))
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw unexpected("\",\" or \"]\"") }
    return .array(values)
  }

  private mutating func digits() throws {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw unexpected("a digit") }
  }

  private mutating func number() throws -> JSON {
    let start = position
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw LoadingError(file: file, "the number at byte \(start) is too large")
    }
    return .number(value)
  }

  private mutating func string() throws -> String {
    position += 1
    var text: [UInt8] = []
    var runStart = position
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        text += bytes[runStart..<position]
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw LoadingError(file: file, "the text that ends at byte \(position) is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"):
        text += bytes[runStart..<position]
        position += 1
        try escape(into: &text)
        runStart = position
      case 0..<0x20:
        throw unexpected("no control character in a text")
      default:
        position += 1
      }
    }
    throw unexpected("the end of a text")
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard let byte = next else { throw unexpected("an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = UInt32(try hexadecimal())
      if (0xD800..<0xDC00).contains(code), take("\\u") {
        let low = UInt32(try hexadecimal())
        guard (0xDC00..<0xE000).contains(low) else {
          throw unexpected("the second of a surrogate pair")
        }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = UnicodeScalar(code) else { throw unexpected("a pair of surrogates") }
      text += UTF8.encode(scalar).map { Array($0) } ?? []
    default:
      position -= 1
      throw unexpected("an escape")
    }
  }

  private mutating func hexadecimal() throws -> UInt16 {
    guard bytes.count - position >= 4 else {
      position = bytes.count
      throw unexpected("four hexadecimal digits")
    }
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = Character(UnicodeScalar(bytes[position])).hexDigitValue else {
        throw unexpected("a hexadecimal digit")
      }
      value = value << 4 | UInt16(digit)
      position += 1
    }
    return value
  }
}
