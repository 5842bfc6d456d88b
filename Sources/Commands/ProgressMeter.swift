// How fast a stage goes and how long it will still take, and the words for both.

import Editing
import Foundation

/// Watches the steps of one run of a stage.
struct ProgressMeter {
  /// How many of the last steps the rate is measured over.
  private static let window = 20

  private var recent: [(step: Int, time: Double)] = []

  /// - Parameter time: now, in seconds of a clock that only goes forward.
  mutating func note(step: Int, at time: Double) {
    if let last = recent.last, step <= last.step { recent = [] }
    recent.append((step, time))
    if recent.count > Self.window { recent.removeFirst() }
  }

  /// Steps per second, nil until there are two steps to compare.
  var rate: Double? {
    guard let first = recent.first, let last = recent.last, last.time > first.time else {
      return nil
    }
    return Double(last.step - first.step) / (last.time - first.time)
  }

  /// Seconds until `steps` are done, nil until there is a rate.
  func secondsLeft(of steps: Int) -> Double? {
    guard let rate, let last = recent.last else { return nil }
    return Double(max(0, steps - last.step)) / rate
  }

  /// What there is to say of a step, in one line without the bar.
  func line(_ progress: StageProgress) -> String {
    var parts = ["step \(progress.step)/\(progress.steps)"]
    if let subject = progress.subject { parts.append(subject) }
    if let loss = progress.loss { parts.append("loss \(String(format: "%.4f", loss))") }
    if let rate {
      parts.append(
        progress.samplesPerStep.map { String(format: "%.0f samples/s", rate * Double($0)) }
          ?? Self.describe(rate: rate))
    }
    if progress.step < progress.steps, let left = secondsLeft(of: progress.steps) {
      parts.append("\(Self.describe(seconds: left)) left")
    }
    return parts.joined(separator: ", ")
  }

  static func describe(rate: Double) -> String {
    rate >= 1 || rate <= 0
      ? String(format: "%.1f steps/s", rate) : String(format: "%.1f s/step", 1 / rate)
  }

  /// "45 s", "3 min 20 s", "2 h 05 min".
  static func describe(seconds: Double) -> String {
    let whole = Int(min(max(seconds, 0), 1e9).rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(String(format: "%02d", whole / 60 % 60)) min"
  }

  /// A bar of `width` characters.
  static func bar(_ progress: StageProgress, width: Int) -> String {
    let share = Double(progress.step) / Double(max(1, progress.steps))
    let filled = Int((min(max(share, 0), 1) * Double(width)).rounded(.down))
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }
}
