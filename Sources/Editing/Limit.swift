// Which values a setting takes. A request's keys, a base's defaults and the flags are held to the same limits.

/// The values that a setting takes, and how they are called.
public struct Limit<Value>: Sendable {
  /// What is wanted, to follow the word "wanted": "a whole number from 1 to 1000000".
  public let wanted: String
  let accepts: @Sendable (Value) -> Bool

  package init(wanted: String, accepts: @escaping @Sendable (Value) -> Bool) {
    self.wanted = wanted
    self.accepts = accepts
  }

  public func contains(_ value: Value) -> Bool { accepts(value) }
}

extension Limit<Int> {
  public static let steps = whole(1...10_000_000)
  public static let batch = whole(1...1024)
  public static let rank = whole(1...1024)
  public static let samplingSteps = whole(1...1000)
  public static let resample = whole(1...1000)
  public static let feather = whole(0...1000)
  public static let pictureSide = whole(8...8192)
  public static let threads = whole(1...1024)

  package static func whole(_ range: ClosedRange<Int>) -> Limit {
    Limit(wanted: "a whole number from \(range.lowerBound) to \(range.upperBound)") {
      range.contains($0)
    }
  }
}

extension Limit<UInt64> {
  /// Seeds are kept as signed 64-bit integers in the files.
  public static let seed = Limit(wanted: "a whole number from 0 to \(Int64.max)") {
    $0 <= UInt64(Int64.max)
  }
}

extension Limit<Double> {
  public static let learningRate = Limit(wanted: "a number above 0 and at most 1") {
    $0 > 0 && $0 <= 1
  }
  /// No loss is below 0, so 0 is for none.
  public static let untilLoss = Limit(wanted: "a number from 0 to 1000") { $0 >= 0 && $0 <= 1000 }
  public static let guidanceScale = Limit(wanted: "a number from 0 to 100") {
    $0 >= 0 && $0 <= 100
  }
  public static let maskThreshold = Limit(wanted: "a number above 0 and at most 1") {
    $0 > 0 && $0 <= 1
  }
  public static let alpha = Limit(wanted: "a number from -10 to 10") { abs($0) <= 10 }
  public static let strength = Limit(wanted: "a number from 0 to 1") { $0 >= 0 && $0 <= 1 }
  public static let seconds = Limit(wanted: "a number of seconds from 0 to 86400") {
    $0 >= 0 && $0 <= 86400
  }
}

extension Limit<String> {
  /// Texts are stored as C strings and shown on one line.
  public static let prompt = Limit(wanted: "a sentence of at most 2000 characters on one line") {
    let printable = $0.unicodeScalars.allSatisfy { !$0.properties.isControl }
    return printable && $0.count <= 2000 && $0.contains { !$0.isWhitespace }
  }
  public static let path = Limit(wanted: "a path") { !$0.isEmpty && !$0.contains("\0") }
}

extension Limit<[Double]> {
  public static let alphas = different("numbers from -10 to 10", .alpha)
  public static let strengths = different("numbers from 0 to 1", .strength)
  public static let guidanceScales = different("numbers from 0 to 100", .guidanceScale)

  private static func different(_ numbers: String, _ limit: Limit<Double>) -> Limit {
    Limit(wanted: "1 to 1000 different \(numbers)") {
      (1...1000).contains($0.count) && Set($0).count == $0.count && $0.allSatisfy(limit.contains)
    }
  }
}

extension Limit<[UInt64]> {
  public static let seeds = Limit(wanted: "1 to 1000 different whole numbers of at least 0") {
    (1...1000).contains($0.count) && Set($0).count == $0.count
      && $0.allSatisfy(Limit<UInt64>.seed.contains)
  }
}

extension Unicode.Scalar.Properties {
  fileprivate var isControl: Bool {
    generalCategory == .control || generalCategory == .lineSeparator
  }
}
