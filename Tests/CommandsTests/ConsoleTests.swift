import Editing
import Foundation
import Testing

@testable import Commands

@Suite struct ConsoleTests {
  /// What a console wrote, and the time that it sees.
  private final class Recorder {
    var output = ""
    var errors = ""
    var time = 0.0

    func console(_ style: Console.Style) -> Console {
      Console(
        program: "program", style: style, output: { self.output += $0 },
        errors: { self.errors += $0 }, clock: { self.time })
    }
  }

  private func step(_ step: Int) -> StageEvent {
    .progress(StageProgress(stage: .embedOptimize, step: step, steps: 100, loss: 0.5))
  }

  private let result = StageEvent.finished(
    StageResult(
      stage: .embedOptimize, files: ["a/embedding.h5"], step: 100, steps: 100, seconds: 2,
      peakMemory: 1000))

  @Test func withoutATerminalThereIsALineNowAndThen() {
    let recorder = Recorder()
    let console = recorder.console(Console.Style())
    for number in 1...100 {
      recorder.time += 1
      console.show(step(number))
    }
    console.show(result)
    let lines = recorder.errors.split(separator: "\n")
    #expect(lines.count == 11)
    #expect(lines[0] == "embed-optimize: step 1/100, loss 0.5000")
    #expect(lines[10] == "embed-optimize: step 100/100, loss 0.5000, 1.0 steps/s")
    #expect(!recorder.errors.contains("\u{1B}"))
    #expect(recorder.output == "a/embedding.h5\n")
  }

  @Test func onATerminalThereIsABarThatNotesInterrupt() {
    let recorder = Recorder()
    let console = recorder.console(Console.Style(terminalWidth: 80, colour: true))
    console.show(step(50))
    #expect(recorder.errors.hasPrefix("\r\u{1B}[K\u{1B}[36m███"))
    recorder.errors = ""
    console.show(.note("saved"))
    #expect(recorder.errors == "\r\u{1B}[Ksaved\n")
    console.show(step(51))
    #expect(recorder.errors == "\r\u{1B}[Ksaved\n", "drawn too often")
  }

  @Test func withoutColourAndOnANarrowTerminalTheLineFits() {
    let recorder = Recorder()
    let console = recorder.console(Console.Style(terminalWidth: 20, colour: false))
    console.show(step(50))
    #expect(recorder.errors == "\r\u{1B}[Kstep 50/100, loss 0")
    #expect(!recorder.errors.contains("\u{1B}[36m"))
  }

  @Test func quietLeavesWarningsAndResults() {
    let recorder = Recorder()
    let console = recorder.console(Console.Style(quiet: true))
    console.show(.note("a note"))
    console.show(step(1))
    console.show(.warning("a warning"))
    console.show(result)
    #expect(recorder.errors == "program: warning: a warning\n")
    #expect(recorder.output == "a/embedding.h5\n")
  }

  @Test func jsonIsOneObjectALine() throws {
    let recorder = Recorder()
    let console = recorder.console(Console.Style(json: true, quiet: true))
    console.show(step(1))
    recorder.time = 0.5
    console.show(step(2))
    console.show(.saved(file: "a/embedding.h5", step: 2))
    console.show(result)
    console.fail("stopped", status: .stopped)
    let objects = try recorder.output.split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(
      objects.map { $0["event"] as? String } == ["step", "step", "saved", "result", "stopped"])
    #expect(objects[1]["step"] as? Int == 2 && objects[1]["loss"] as? Double == 0.5)
    #expect(objects[1]["seconds_left"] as? Double == 49)
    #expect(objects[3]["files"] as? [String] == ["a/embedding.h5"])
    #expect(objects[4]["exit_code"] as? Int == 75)
  }

  @Test func failuresAreOneLine() {
    let recorder = Recorder()
    recorder.console(Console.Style(quiet: true)).fail("first\nsecond", status: .badData)
    #expect(recorder.errors == "program: first second\n")
    #expect(recorder.output.isEmpty)
  }
}
