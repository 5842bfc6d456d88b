// The content of a stored file as values: attributes and named arrays. Not how it is written or read.

import Tensors

/// A named value of a file or a group.
public enum AttributeValue: Sendable, Equatable {
  case string(String)
  case integer(Int64)
  case float(Double)

  /// What kind of value it is, for messages.
  var kind: String {
    switch self {
    case .string: "a string"
    case .integer: "an integer"
    case .float: "a float"
    }
  }
}

extension AttributeValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .float(value) }
}

/// An array in a file. `shape` is that of the file's dataset; a scalar has the shape `[]`.
public enum Dataset: Sendable {
  /// float32.
  case floats(Tensor)
  /// float32 of a shape, made when they are written, so that no two such need memory at once. Never read from a file.
  case deferredFloats(shape: Shape, make: @Sendable () -> Tensor)
  /// uint8, as many as the shape has elements.
  case bytes([UInt8], shape: Shape)
  /// int64, as many as the shape has elements.
  case integers([Int64], shape: Shape)
  /// UTF-8 text, as many as the shape has elements.
  case strings([String], shape: Shape)

  /// What files hold has no more dimensions: weights in strips are of memory alone.
  static let mostDimensions = 4

  public var shape: Shape {
    switch self {
    case .floats(let tensor): tensor.shape
    case .deferredFloats(let shape, _): shape
    case .bytes(_, let shape), .integers(_, let shape), .strings(_, let shape): shape
    }
  }

  /// How many elements there are, which is to be the shape's count.
  var count: Int {
    switch self {
    case .floats(let tensor): tensor.count
    case .deferredFloats(let shape, _): shape.count
    case .bytes(let values, _): values.count
    case .integers(let values, _): values.count
    case .strings(let values, _): values.count
    }
  }

  /// The type of an element, for messages.
  var elementName: String {
    switch self {
    case .floats, .deferredFloats: "float32"
    case .bytes: "uint8"
    case .integers: "int64"
    case .strings: "string"
    }
  }
}

/// What is in a file: attributes of its root and of its groups, and datasets by their paths, such as `/history/loss`.
public struct StoreFile: Sendable {
  /// The attributes of the root.
  public var attributes: [String: AttributeValue]
  /// The attributes of groups by the groups' paths.
  public var groupAttributes: [String: [String: AttributeValue]]
  /// The arrays by their paths, which begin with a slash.
  public var datasets: [String: Dataset]
  /// The file that this was read from, for messages.
  public var source: String
  /// The SHA-256 of the file that this was read from; nil where it was not read from one.
  public internal(set) var digest: String?

  public init(
    attributes: [String: AttributeValue] = [:],
    groupAttributes: [String: [String: AttributeValue]] = [:],
    datasets: [String: Dataset] = [:]
  ) {
    self.attributes = attributes
    self.groupAttributes = groupAttributes
    self.datasets = datasets
    self.source = "a new file"
  }
}

// MARK: - Strict getters

extension StoreFile {
  /// The float32 dataset at `path`.
  /// - Parameter shape: the wanted extents, where nil stands for any; all shapes are right where it is left out.
  /// - Throws: `badData` where it is missing, or has another type or shape.
  public func tensor(_ path: String, shape: [Int?]? = nil) throws(StoreError) -> Tensor {
    guard case .floats(let tensor) = try dataset(path, wanted: "float32", shape: shape) else {
      throw mismatch(path, wanted: "float32", shape: shape)
    }
    return tensor
  }

  /// The uint8 dataset at `path`.
  /// - Throws: `badData` where it is missing, or has another type or shape.
  public func bytes(_ path: String, shape: [Int?]? = nil) throws(StoreError)
    -> (values: [UInt8], shape: Shape)
  {
    guard case .bytes(let values, let found) = try dataset(path, wanted: "uint8", shape: shape)
    else { throw mismatch(path, wanted: "uint8", shape: shape) }
    return (values, found)
  }

  /// The int64 dataset at `path`.
  /// - Throws: `badData` where it is missing, or has another type or shape.
  public func integers(_ path: String, shape: [Int?]? = nil) throws(StoreError)
    -> (values: [Int64], shape: Shape)
  {
    guard case .integers(let values, let found) = try dataset(path, wanted: "int64", shape: shape)
    else { throw mismatch(path, wanted: "int64", shape: shape) }
    return (values, found)
  }

  /// The dataset of strings at `path`.
  /// - Throws: `badData` where it is missing, or has another type or shape.
  public func strings(_ path: String, shape: [Int?]? = nil) throws(StoreError)
    -> (values: [String], shape: Shape)
  {
    guard case .strings(let values, let found) = try dataset(path, wanted: "string", shape: shape)
    else { throw mismatch(path, wanted: "string", shape: shape) }
    return (values, found)
  }

  /// The string attribute `name` of the root, or of `group`.
  /// - Throws: `badData` where it is missing or no string.
  public func string(_ name: String, of group: String = "/") throws(StoreError) -> String {
    let value = try attribute(name, of: group, wanted: "a string")
    guard case .string(let string) = value else {
      throw mismatch(name, of: group, found: value, wanted: "a string")
    }
    return string
  }

  /// The integer attribute `name` of the root, or of `group`.
  /// - Throws: `badData` where it is missing or no integer.
  public func integer(_ name: String, of group: String = "/") throws(StoreError) -> Int {
    let value = try attribute(name, of: group, wanted: "an integer")
    guard case .integer(let integer) = value else {
      throw mismatch(name, of: group, found: value, wanted: "an integer")
    }
    return Int(integer)
  }

  /// The number `name` of the root, or of `group`: a float, or an integer that is taken as one.
  /// - Throws: `badData` where it is missing or no number.
  public func float(_ name: String, of group: String = "/") throws(StoreError) -> Double {
    let value = try attribute(name, of: group, wanted: "a number")
    switch value {
    case .float(let float): return float
    case .integer(let integer): return Double(integer)
    case .string: throw mismatch(name, of: group, found: value, wanted: "a number")
    }
  }

  /// The paths of the datasets under a group, sorted, each relative to the group.
  public func names(under group: String) -> [String] {
    let prefix = group == "/" ? "/" : group + "/"
    return datasets.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
      .sorted()
  }

  private func dataset(_ path: String, wanted: String, shape: [Int?]?) throws(StoreError) -> Dataset
  {
    guard let dataset = datasets[path] else {
      throw StoreError(
        .badData, "\(source): \(path): missing, wanted \(wanted)\(Self.describe(shape))")
    }
    if let shape {
      let found = dataset.shape.array
      let fits =
        found.count == shape.count && zip(found, shape).allSatisfy { $1 == nil || $0 == $1 }
      guard fits else { throw mismatch(path, wanted: wanted, shape: shape) }
    }
    return dataset
  }

  private func mismatch(_ path: String, wanted: String, shape: [Int?]?) -> StoreError {
    let found = datasets[path].map { "\($0.elementName) \($0.shape)" } ?? "nothing"
    return StoreError(
      .badData, "\(source): \(path): found \(found), wanted \(wanted)\(Self.describe(shape))")
  }

  private func attribute(_ name: String, of group: String, wanted: String) throws(StoreError)
    -> AttributeValue
  {
    let values = group == "/" ? attributes : groupAttributes[group] ?? [:]
    guard let value = values[name] else {
      throw StoreError(
        .badData, "\(source): attribute \(name) of \(group): missing, wanted \(wanted)")
    }
    return value
  }

  private func mismatch(
    _ name: String, of group: String, found: AttributeValue, wanted: String
  ) -> StoreError {
    StoreError(
      .badData, "\(source): attribute \(name) of \(group): found \(found.kind), wanted \(wanted)")
  }

  private static func describe(_ shape: [Int?]?) -> String {
    shape.map { " [" + $0.map { $0.map(String.init) ?? "any" }.joined(separator: ", ") + "]" } ?? ""
  }
}
