// Lists of numbers as flags have them: "0,0.5,1", or a range "0:1:0.1" that includes both its ends.

import Foundation

/// Reads and writes lists of numbers.
public enum NumberList {
  /// The numbers of `text`, nil where it is no list within `limit`.
  ///
  /// The members of a range are rounded to nine decimals, so that 0:1:0.1 holds 0.3 and not 0.30000000000000004.
  public static func numbers(_ text: String, within limit: Limit<[Double]>) -> [Double]? {
    guard let values = text.contains(":") ? range(text) : list(text, Double.init),
      limit.contains(values)
    else { return nil }
    return values
  }

  /// The seeds of `text`, nil where it is no list of 1 to 1000 different whole numbers.
  public static func seeds(_ text: String) -> [UInt64]? {
    guard let values = list(text, { UInt64($0) }), Limit<[UInt64]>.seeds.contains(values) else {
      return nil
    }
    return values
  }

  private static func list<Value>(_ text: String, _ convert: (String) -> Value?) -> [Value]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let values = parts.compactMap { convert($0.trimmingCharacters(in: .whitespaces)) }
    return values.count == parts.count ? values : nil
  }

  private static func range(_ text: String) -> [Double]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).compactMap {
      Double($0.trimmingCharacters(in: .whitespaces))
    }
    guard parts.count == 3, parts.allSatisfy(\.isFinite), parts[2] != 0 else { return nil }
    let last = ((parts[1] - parts[0]) / parts[2] + 1e-6).rounded(.down)
    guard last >= 0, last < 1000 else { return nil }
    return (0...Int(last)).map { ((parts[0] + Double($0) * parts[2]) * 1e9).rounded() / 1e9 }
  }

  /// A number as file names and labels have it: two decimals, more only where it has more.
  public static func label(_ number: Double) -> String {
    let short = String(format: "%.2f", number == 0 ? 0 : number)
    return Double(short) == number ? short : "\(number)"
  }
}
