// The programs as a person or a script meets them: their exit codes, what they say, and what is left when they are
// stopped, killed, or out of room.

import Foundation
import TestSupport
import Testing

/// Serialised: each program keeps all processors busy as it is.
@Suite(.serialized) struct StageCommandTests {
  private static let embedOptimize = BuiltProgram("embed-optimize")
  private static let modelFinetune = BuiltProgram("model-finetune")
  private static let interpolateGenerate = BuiltProgram("interpolate-generate")
  private static let stages = [embedOptimize, modelFinetune, interpolateGenerate]

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

  /// Writes a request for a small edit and gives its path.
  private func request(steps: Int = 6) throws -> String {
    try folder.write(
      """
      image: \(Repository.photograph)
      prompt: a photo of a cow on grass at sunset
      base: \(Repository.base)
      size: [48, 32]
      embedding: { steps: \(steps), learning-rate: 0.01, batch: 2 }
      finetune: { steps: \(steps), learning-rate: 0.0001, batch: 2 }
      generate: { alphas: [0, 1], steps: 6 }
      """, to: "request.yaml")
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path(name)))
  }

  private static let results = ["embedding.h5", "weights.h5", "contact-sheet.png"]

  @Test func killedAtAnyMomentAndRunAgainEndsWithTheSameBytes() throws {
    let request = try request(steps: 12)
    for (index, program) in Self.stages.enumerated() {
      let start = Date()
      #expect(try program.run(["--request", request, "--run", path("whole")]).status == 0)
      let arguments = ["--request", request, "--run", path("killed"), "--checkpoint-every", "0"]
      #expect(
        try program.killedUntilComplete(arguments, whole: -start.timeIntervalSinceNow) > 0)
      #expect(try bytes("whole/\(Self.results[index])") == bytes("killed/\(Self.results[index])"))
    }
    let left = try FileManager.default.subpathsOfDirectory(atPath: path("killed")).sorted()
    #expect(left == (try FileManager.default.subpathsOfDirectory(atPath: path("whole")).sorted()))
  }

  @Test(arguments: ["sdedit", "ddim-inversion", "sample"])
  func anotherMethodIsKilledAndRunAgainToTheSameBytes(method: String) throws {
    func arguments(_ run: String) -> [String] {
      [
        "--method", method, "--image", Repository.photograph, "--prompt", "a photo of a red cow",
        "--base", Repository.base, "--size", "48x32", "--steps", "12", "--strengths", "0.5,1",
        "--guidance-scales", "0,2", "--seeds", method == "sample" ? "0,1,2" : "0", "--run",
        path(run),
      ]
    }
    let start = Date()
    #expect(try Self.interpolateGenerate.run(arguments("whole")).status == 0)
    let kills = try Self.interpolateGenerate.killedUntilComplete(
      arguments("killed"), whole: -start.timeIntervalSinceNow)
    #expect(kills > 0)
    let made = try FileManager.default.subpathsOfDirectory(atPath: path("whole")).sorted()
    #expect(made == (try FileManager.default.subpathsOfDirectory(atPath: path("killed")).sorted()))
    let pictures = made.filter { $0.hasSuffix(".png") }
    #expect(pictures.contains("contact-sheet-\(method).png") && pictures.count >= 3)
    for picture in pictures {
      #expect(try bytes("whole/\(picture)") == bytes("killed/\(picture)"), "\(picture)")
    }
  }

  @Test func theResultDoesNotDependOnTheNumberOfThreads() throws {
    let request = try request(steps: 3)
    for threads in ["1", "2", "3", "8"] {
      for program in Self.stages {
        let arguments = ["--request", request, "--run", path(threads), "--threads", threads]
        #expect(try program.run(arguments).status == 0)
      }
      for file in Self.results {
        #expect(try bytes("\(threads)/\(file)") == bytes("1/\(file)"), "\(threads): \(file)")
      }
    }
  }

  @Test(arguments: [SIGINT, SIGTERM]) func toldToStopItSavesAndSaysHowToGoOn(_ signal: Int32) throws
  {
    let arguments = ["--request", try request(steps: 100_000), "--run", path("run")]
    let errors = try folder.write("", to: "errors")
    let process = try Self.embedOptimize.start(
      arguments, errors: FileHandle(forWritingAtPath: errors))
    let deadline = Date(timeIntervalSinceNow: 60)
    while try !String(contentsOfFile: errors, encoding: .utf8).contains("step ") {
      try #require(process.isRunning && Date() < deadline)
      usleep(2000)
    }
    let told = Date()
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(-told.timeIntervalSinceNow < 5)
    #expect(process.terminationReason == .exit && process.terminationStatus == 75)
    let last = try #require(
      String(contentsOfFile: errors, encoding: .utf8).split(separator: "\n").last)
    #expect(last.hasPrefix("embed-optimize: stopped after step "))
    #expect(
      last.hasSuffix(
        "embedding.h5; go on with: \(Self.embedOptimize.path) "
          + arguments.joined(separator: " ")))
    // A stopped stage is no ground for the next one.
    let next = try Self.modelFinetune.run(["--run", path("run")])
    #expect(next.status == 65 && next.errors.contains("wanted it complete"))
  }

  @Test func aSecondProcessIsToldThatOneIsAtWork() throws {
    let arguments = ["--request", try request(steps: 100_000), "--run", path("run")]
    let first = try Self.embedOptimize.start(arguments)
    defer {
      kill(first.processIdentifier, SIGKILL)
      first.waitUntilExit()
    }
    let lock = path("run/.lock")
    let deadline = Date(timeIntervalSinceNow: 60)
    while (try? String(contentsOfFile: lock, encoding: .utf8))?.isEmpty ?? true {
      try #require(first.isRunning && Date() < deadline)
      usleep(2000)
    }
    let second = try Self.embedOptimize.run(arguments)
    #expect(second.status == 73)
    #expect(
      second.errors
        == "embed-optimize: \(path("run")): another process (\(first.processIdentifier)) "
        + "works in this run folder; wait for its end\n")
  }

  @Test func runAgainACompleteStageSaysSoAtOnce() throws {
    let arguments = ["--request", try request(steps: 2), "--run", path("run")]
    for program in Self.stages { #expect(try program.run(arguments).status == 0) }
    let files = try Self.results.map { try bytes("run/\($0)") }
    for program in Self.stages {
      let again = try program.run(arguments)
      #expect(again.status == 0)
      #expect(again.errors.contains(" is complete\n"))
    }
    #expect(try Self.results.map { try bytes("run/\($0)") } == files)
  }

  @Test func jsonIsOneObjectALine() throws {
    let result = try Self.embedOptimize.run(
      ["--request", try request(steps: 3), "--run", path("run"), "--json", "--quiet"])
    #expect(result.errors.isEmpty)
    let lines = try result.output.split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    let steps = lines.filter { $0["event"] as? String == "step" }.compactMap { $0["step"] as? Int }
    #expect(steps == [1, 2, 3])
    #expect(lines.last?["event"] as? String == "result")
    #expect(lines.last?["files"] as? [String] == [path("run/embedding.h5")])
  }

  @Test func withoutRoomNothingThatWasSavedIsLost() throws {
    let request = try request(steps: 2)
    let arguments = ["--request", request, "--run", path("run")]
    #expect(try Self.embedOptimize.run(arguments).status == 0)
    let embedding = try bytes("run/embedding.h5")
    for fileSize in stride(from: 1, to: embedding.count, by: embedding.count / 10) {
      let more = try Self.embedOptimize.run(arguments + ["--steps", "3"], fileSize: fileSize)
      #expect(more.status == 74, "\(fileSize)")
      #expect(more.errors.contains("embedding.h5: "), "\(more.errors)")
      #expect(try bytes("run/embedding.h5") == embedding)
    }
    let finetune = try Self.modelFinetune.run(arguments, fileSize: 1 << 20)
    #expect(finetune.status == 74 && finetune.errors.contains("weights.h5: "))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path("run")).sorted()
        == [".lock", "embedding.h5", "manifest.json"])
  }

  /// A wrong call: its arguments, the exit code, and a part of the one line that it says.
  struct Wrong: CustomTestStringConvertible {
    let arguments: [String]
    let status: Int32
    let says: String
    var testDescription: String { arguments.joined(separator: " ") }
  }

  @Test(arguments: [
    Wrong(arguments: [], status: 64, says: "found neither --request nor --run"),
    Wrong(arguments: ["--run"], status: 64, says: "--run"),
    Wrong(arguments: ["--nonsense"], status: 64, says: "--nonsense"),
    Wrong(arguments: ["--run", "R", "--steps", "0"], status: 64, says: "--steps: found 0"),
    Wrong(arguments: ["--run", "R", "--steps", "x"], status: 64, says: "'x'"),
    Wrong(
      arguments: ["--run", "R", "--steps", "99999999999999999999"], status: 64, says: "--steps"),
    Wrong(arguments: ["--run", "R", "--learning-rate", "-1"], status: 64, says: "--learning-rate"),
    Wrong(
      arguments: ["--run", "R", "--learning-rate", "nan"], status: 64, says: "--learning-rate"),
    Wrong(arguments: ["--run", "R", "--threads", "0"], status: 64, says: "--threads: found 0"),
    Wrong(arguments: ["--run", "R", "--image", "I"], status: 64, says: "no sentence"),
    Wrong(
      arguments: ["--run", "R", "--image", "missing.png", "--prompt", "p"], status: 66,
      says: "missing.png"),
    Wrong(
      arguments: ["--run", "R", "--image", "text.png", "--prompt", "p"], status: 65,
      says: "text.png"),
    Wrong(
      arguments: ["--run", "R", "--image", "empty.png", "--prompt", "p"], status: 65,
      says: "empty.png"),
    Wrong(
      arguments: ["--run", "R", "--image", "cut.jpg", "--prompt", "p"], status: 65,
      says: "cut.jpg"),
    Wrong(
      arguments: ["--run", "R", "--image", "folder", "--prompt", "p"], status: 66,
      says: "folder"),
    Wrong(
      arguments: ["--run", "R", "--image", "good.jpg", "--prompt", " "], status: 64,
      says: "--prompt"),
    Wrong(
      arguments: ["--run", "R", "--image", "good.jpg", "--prompt", "p", "--base", "none"],
      status: 66, says: "none"),
    Wrong(
      arguments: ["--run", "R", "--image", "good.jpg", "--prompt", "p", "--base", "folder"],
      status: 66, says: "model_index.json"),
    Wrong(
      arguments: ["--run", "text.png/R", "--image", "good.jpg", "--prompt", "p"], status: 73,
      says: "text.png/R"),
    Wrong(arguments: ["--request", "missing.yaml"], status: 66, says: "missing.yaml"),
    Wrong(arguments: ["--request", "bad.yaml", "--run", "R"], status: 65, says: "bad.yaml:2"),
    Wrong(arguments: ["--request", "key.yaml", "--run", "R"], status: 65, says: "promt"),
  ]) func aWrongCallGetsOneLineAndItsExitCode(_ wrong: Wrong) throws {
    let photograph = try Data(contentsOf: URL(fileURLWithPath: Repository.photograph))
    try photograph.write(to: URL(fileURLWithPath: path("good.jpg")))
    try photograph.prefix(900).write(to: URL(fileURLWithPath: path("cut.jpg")))
    try FileManager.default.createDirectory(
      atPath: path("folder"), withIntermediateDirectories: false)
    for (name, text) in [
      "text.png": "no picture", "empty.png": "", "bad.yaml": "image: a\n: [",
      "key.yaml": "image: good.jpg\npromt: a photo of a cow\n",
    ] { _ = try folder.write(text, to: name) }
    let result = try Self.embedOptimize.run(wrong.arguments, in: folder.path)
    #expect(result.status == wrong.status, "\(result.errors)")
    #expect(result.output.isEmpty)
    #expect(result.errors.hasPrefix("embed-optimize: ") && result.errors.contains(wrong.says))
    #expect(result.errors.filter { $0 == "\n" }.count == 1, "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: path("R/embedding.h5")))
  }

  @Test(arguments: [
    Wrong(arguments: ["--method", "magic"], status: 64, says: "--method"),
    Wrong(arguments: ["--strengths", "0,1.5"], status: 64, says: "--strengths"),
    Wrong(arguments: ["--guidance-scales", "-1"], status: 64, says: "--guidance-scales"),
    Wrong(arguments: ["--method", "sdedit"], status: 64, says: "no photograph: give one with"),
    Wrong(
      arguments: ["--method", "sdedit", "--image", "none.png", "--prompt", "p"], status: 66,
      says: "none.png"),
    Wrong(
      arguments: ["--image", Repository.photograph, "--prompt", "p"], status: 66,
      says: "run embed-optimize first"),
  ]) func aWrongCallOfAMethodGetsOneLine(_ wrong: Wrong) throws {
    let result = try Self.interpolateGenerate.run(["--run", path("run")] + wrong.arguments)
    #expect(result.status == wrong.status, "\(result.errors)")
    #expect(result.errors.contains(wrong.says), "\(result.errors)")
    #expect(result.errors.filter { $0 == "\n" }.count == 1)
  }

  @Test(arguments: ["a,b", "", "0:1", "0:1:0", "1:0:0.1", "nan", "0,0", "inf"])
  func alphasThatAreNoneAreAWrongCall(_ alphas: String) throws {
    let result = try Self.interpolateGenerate.run(["--run", path("run"), "--alphas", alphas])
    #expect(result.status == 64 && result.errors.contains("--alphas"), "\(result.errors)")
  }

  @Test func helpAndVersionAreResults() throws {
    for program in Self.stages + [BuiltProgram("model-probe")] {
      let help = try program.run(["--help"])
      #expect(help.status == 0 && help.errors.isEmpty && help.output.contains("--threads"))
      let version = try program.run(["--version"])
      #expect(version.status == 0 && version.output.contains("."))
    }
  }

  @Test func aProbeDoesNotWriteOverItsQuestions() throws {
    let folder = try TemporaryFolder()
    let questions = try folder.write("questions", to: "questions.h5")
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/answers.h5", withDestinationPath: questions)
    for answers in [questions, "\(folder.path)/answers.h5"] {
      let result = try BuiltProgram("model-probe").run([
        "--inputs", questions, "--outputs", answers,
      ])
      #expect(result.status == 64)
      #expect(
        result.errors
          == "model-probe: \(answers): found the file of the inputs, wanted another\n")
    }
    #expect(try String(contentsOfFile: questions, encoding: .utf8) == "questions")
  }

  /// A list may begin with a negative number, and one that is none is told what is wanted.
  @Test func listsOfNumbers() throws {
    let program = BuiltProgram("interpolate-generate")
    let run = ["--run", "/nowhere/at/all"]
    #expect(try program.run(run + ["--alphas", "-1:1:0.5"]).status == 66)
    let result = try program.run(run + ["--alphas", "0,20"])
    #expect(result.status == 64)
    #expect(
      result.errors.contains(
        "'0,20' is invalid for '--alphas <numbers>': wanted 1 to 1000 different"))
  }

  /// A dry run has nothing to save, and a step of it may be long.
  @Test func aDryRunEndsAtOnceWhenToldTo() throws {
    let folder = try TemporaryFolder()
    let process = try BuiltProgram("embed-optimize").start([
      "--image", Repository.photograph, "--prompt", "a cow", "--source", "none", "--size", "1536",
      "--run", "\(folder.path)/run", "--dry-run",
    ])
    Thread.sleep(forTimeInterval: 2)
    let told = Date()
    process.terminate()
    process.waitUntilExit()
    #expect(process.terminationStatus == 75 && process.terminationReason == .exit)
    #expect(-told.timeIntervalSinceNow < 2)
  }
}
