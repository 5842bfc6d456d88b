// What the timing program counts, and what it tells of kernels and steps.

import Foundation
import TestSupport
import Testing

extension SpeedBenchTests {
  @Suite struct Measuring {
    private static let program = BuiltProgram("speed-bench")

    private static func records(_ text: String) throws -> [[String: Any]] {
      try text.split(separator: "\n").map {
        try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
    }

    /// From PyTorch, on the meta device, with the models of tools/bench_work.py:
    ///
    ///     with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
    ///         model(...)  # and the backward: to the hidden states, or to the weights
    ///     counter.get_total_flops()
    private static let counted = [
      "sd-forward-256": 180_106_444_800, "sd-forward-512": 803_273_441_280,
      "sd-embedding-256": 360_910_929_920, "sd-embedding-512": 1_669_164_892_160,
      "sd-finetune-256": 537_342_853_120, "sd-finetune-512": 2_406_773_063_680,
      "vae-encode-256": 272_722_165_760, "vae-encode-512": 1_116_658_466_816,
      "vae-decode-256": 622_187_282_432, "vae-decode-512": 2_514_518_933_504,
      "text-77": 13_298_503_680, "base-forward-4": 2_393_260_032,
      "base-embedding-4": 4_599_988_224, "base-finetune-4": 7_113_646_080,
    ]

    @Test func theArithmeticOfStepsIsWhatPyTorchCounts() throws {
      let result = try Self.program.run(["measure", "--list", "--json"])
      #expect(result.status == 0)
      var flops: [String: Int] = [:]
      for record in try Self.records(result.output) where record["kind"] as? String == "step" {
        flops[try #require(record["name"] as? String)] = record["flops"] as? Int
      }
      for (name, count) in Self.counted { #expect(flops[name] == count, "\(name)") }
      // Guidance is a forward of two.
      #expect(flops["sd-guidance-256"] == 2 * Self.counted["sd-forward-256"]!)
      #expect(flops["sd-guidance-512"] == 2 * Self.counted["sd-forward-512"]!)
      // Half precision is widened before the arithmetic.
      #expect(flops["sd-narrow-256"] == Self.counted["sd-embedding-256"])
      #expect(flops["sd-narrow-512"] == Self.counted["sd-embedding-512"])
      #expect(flops.count == Self.counted.count + 4)
    }

    @Test func theNamesOfWhatIsMeasuredDiffer() throws {
      let names = try Self.program.run(["measure", "--list"]).output.split(separator: "\n")
      #expect(Set(names).count == names.count)
      #expect(names.contains("sd-512/conv3x3-1280-1280-8x8/weight-gradient"))
      #expect(names.contains("sd-256/cross-attention-8x40-1024x77/backward"))
    }

    @Test func aKernelAndAStepAreToldWithTheirSpeedAndMemory() throws {
      let folder = try TemporaryFolder()
      let file = "\(folder.path)/measured.jsonl"
      let kernel = "base-4/conv3x3-48-48-16x16/forward"
      let norm = "base-4/layer-norm-4x64x96/backward"
      let result = try Self.program.run([
        "measure", kernel, norm, "base-forward", "--threads", "1", "--repetitions", "2", "--save",
        file,
      ])
      #expect(result.status == 0, "\(result.errors)")
      for name in [kernel, norm, "base-forward-4"] { #expect(result.output.contains(name)) }

      let records = try Self.records(String(contentsOfFile: file, encoding: .utf8))
      try #require(records.count == 4)
      #expect(records[0]["kind"] as? String == "machine" && records[0]["threads"] as? Int == 1)
      #expect(try #require(records[0]["peak_gflops"] as? Double) > 0)
      for (record, name) in zip(records.dropFirst(), [kernel, norm, "base-forward-4"]) {
        #expect(record["name"] as? String == name)
        #expect(try #require(record["repetitions"] as? Int) >= 2)
        #expect(record["fresh_allocations"] as? Int == 0, "\(name)")
        #expect(try #require(record["peak_bytes"] as? Int) > 0)
      }
      for record in [records[1], records[3]] {
        let (seconds, flops) = (record["seconds"] as? Double, record["flops"] as? Int)
        let gflops = try #require(record["gflops"] as? Double)
        #expect(
          abs(gflops * (try #require(seconds)) * 1e9 / Double(try #require(flops)) - 1) < 1e-9)
      }
      // 4 pictures of 16x16 pixels, 3x3 taps, 48 channels to 48; and 4x64x96 floats of two operands and a result.
      #expect(records[1]["flops"] as? Int == 2 * 4 * 16 * 16 * 9 * 48 * 48)
      #expect(records[2]["flops"] == nil && records[2]["bytes"] as? Int == 3 * 4 * 64 * 96 * 4)
    }

    /// A process that is started by a large one doesn't begin with that one's peak.
    @Test func theMemoryOfAStepIsItsOwn() throws {
      let result = try Self.program.run([
        "measure", "sd-512/adam-29491200", "base-forward", "--json", "--repetitions", "1",
      ])
      let step = try #require(try Self.records(result.output).last)
      let alone = try Self.program.run(["base-forward-4", "--repetitions", "1"])
      let line = try #require(try Self.records(alone.output).last)
      let (measured, own) = (step["peak_bytes"] as? Int, line["peak_bytes"] as? Int)
      #expect(Double(try #require(measured)) < 1.3 * Double(try #require(own)))
    }

    @Test func whatIsNotThereIsNamed() throws {
      let result = try Self.program.run(["measure", "nothing-of-the-kind"])
      #expect(
        result.status == 64 && result.errors.contains("nothing begins with nothing-of-the-kind"))
    }

    @Test func worksAreServedByName() throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Self.program.path)
      process.arguments = ["--serve", "--threads", "1"]
      process.currentDirectoryURL = URL(fileURLWithPath: Repository.path)
      let (input, output) = (Pipe(), Pipe())
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      input.fileHandleForWriting.write(Data("base-forward-4\nnothing\n".utf8))
      try input.fileHandleForWriting.close()
      let text = String(
        decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      let records = try Self.records(text)
      try #require(records.count == 2)
      #expect(records[0]["work"] as? String == "base-forward-4")
      #expect(records[1]["error"] as? String == "no such work")
    }
  }
}
