// Shows what a stage tells: results on standard output, everything else on standard error.

import Editing
import Foundation

/// Where a program's output goes and how it looks.
public final class Console {
  /// How a program was asked to talk.
  struct Style {
    /// One JSON object a line on standard output.
    var json = false
    /// Only warnings and errors on standard error.
    var quiet = false
    /// Standard error is a terminal of this many columns; nil where it is a file or a pipe.
    var terminalWidth: Int?
    var colour = false
  }

  /// How often a line of progress is written where there is no terminal, in seconds.
  private static let linePeriod = 10.0
  /// How often the bar of a terminal is drawn, in seconds.
  private static let barPeriod = 0.1

  private let program: String
  private let style: Style
  private let output: (String) -> Void
  private let errors: (String) -> Void
  private let clock: () -> Double

  private var meter = ProgressMeter()
  private var lastShown: Double?
  private var barIsShown = false

  /// - Parameters:
  ///   - output: writes text to standard output.
  ///   - errors: writes text to standard error.
  ///   - clock: seconds that only go forward.
  init(
    program: String, style: Style, output: @escaping (String) -> Void,
    errors: @escaping (String) -> Void, clock: @escaping () -> Double
  ) {
    self.program = program
    self.style = style
    self.output = output
    self.errors = errors
    self.clock = clock
  }

  /// A console on the process's own standard output and standard error.
  public convenience init(program: String, json: Bool = false, quiet: Bool = false) {
    var style = Style(json: json, quiet: quiet)
    if isatty(STDERR_FILENO) == 1 {
      var size = winsize()
      let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
      style.terminalWidth = known ? Int(size.ws_col) : 80
      let environment = ProcessInfo.processInfo.environment
      style.colour = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }
    self.init(
      program: program, style: style,
      output: { Self.write($0, to: STDOUT_FILENO) },
      errors: { Self.write($0, to: STDERR_FILENO) },
      clock: { Resources.seconds })
  }

  /// Writes all of a text, or as much as is taken: output that no one reads any more stops no run.
  private static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { return }
      bytes = bytes.dropFirst(written)
    }
  }

  /// Shows something that a stage tells.
  public func show(_ event: StageEvent) {
    switch event {
    case .note(let text):
      note(text)
    case .warning(let text):
      complain("warning: \(text)")
    case .progress(let progress):
      show(progress)
    case .saved(let file, let step):
      emit(["event": "saved", "file": file, "step": step])
    case .wrote(let file):
      emit(["event": "wrote", "file": file])
    case .plan(let plan):
      clearBar()
      emit([
        "event": "plan", "stage": plan.stage.rawValue, "step": plan.step, "steps": plan.steps,
        "seconds": plan.seconds, "memory": plan.memory,
      ])
      if !style.json { output(Self.describe(plan) + "\n") }
    case .finished(let result):
      clearBar()
      var object: [String: Any] = [
        "event": "result", "stage": result.stage.rawValue, "files": result.files,
        "step": result.step, "steps": result.steps, "seconds": result.seconds,
        "peak_memory": result.peakMemory,
      ]
      object["suggested_alpha"] = result.suggestedAlpha
      emit(object)
      if !style.json { result.files.forEach { output($0 + "\n") } }
    }
  }

  /// A line for a person, on standard error.
  public func note(_ text: String) {
    guard !style.quiet else { return }
    clearBar()
    errors(text + "\n")
  }

  /// Text that is the result itself, on standard output.
  public func result(_ text: String) { output(text + "\n") }

  /// Files that were written, and the text that they come to.
  public func result(files: [String], text: String) {
    emit(["event": "result", "files": files])
    if !style.json { output(text + files.map { "\n\($0)" }.joined() + "\n") }
  }

  /// Says in one line why the program ends.
  public func fail(_ message: String, status: ExitStatus) {
    emit([
      "event": status == .stopped ? "stopped" : "error", "message": message,
      "exit_code": Int(status.rawValue),
    ])
    complain(message)
  }

  private func complain(_ message: String) {
    clearBar()
    // One line, whatever a library's message holds.
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    errors("\(program): \(line)\n")
  }

  private func show(_ progress: StageProgress) {
    let now = clock()
    meter.note(step: progress.step, at: now)
    if style.json { emit(object(progress)) }
    guard !style.quiet else { return }
    let period = style.terminalWidth == nil ? Self.linePeriod : Self.barPeriod
    let isLast = progress.step >= progress.steps
    if let lastShown, now - lastShown < period, !isLast { return }
    lastShown = now
    guard let width = style.terminalWidth else {
      errors("\(progress.stage.rawValue): \(meter.line(progress))\n")
      return
    }
    let line = meter.line(progress)
    let room = min(30, width - line.count - 2)
    var shown = String(line.prefix(max(0, width - 1)))
    if room >= 5 {
      let bar = ProgressMeter.bar(progress, width: room)
      shown = (style.colour ? "\u{1B}[36m\(bar)\u{1B}[0m" : bar) + " " + shown
    }
    errors("\r\u{1B}[K" + shown)
    barIsShown = true
    if isLast { errors("\n"); barIsShown = false }
  }

  private func object(_ progress: StageProgress) -> [String: Any] {
    var object: [String: Any] = [
      "event": "step", "stage": progress.stage.rawValue, "step": progress.step,
      "steps": progress.steps,
    ]
    object["loss"] = progress.loss
    object["subject"] = progress.subject
    object["steps_per_second"] = meter.rate
    if let samples = progress.samplesPerStep {
      object["samples_per_second"] = meter.rate.map { $0 * Double(samples) }
    }
    object["seconds_left"] = meter.secondsLeft(of: progress.steps)
    return object
  }

  /// One JSON object on a line of standard output, where it was asked for.
  private func emit(_ object: [String: Any]) {
    guard style.json else { return }
    let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
    if let data = try? JSONSerialization.data(withJSONObject: object, options: options) {
      output(String(decoding: data, as: UTF8.self) + "\n")
    }
  }

  private static func describe(_ plan: StagePlan) -> String {
    let time = ProgressMeter.describe(seconds: plan.seconds)
    let memory = String(format: "%.1f GB", Double(plan.memory) / 1e9)
    return "\(plan.stage.rawValue): would do steps \(plan.step + 1) to \(plan.steps), "
      + "in about \(time) and \(memory)"
  }

  private func clearBar() {
    guard barIsShown else { return }
    errors("\r\u{1B}[K")
    barIsShown = false
  }
}
