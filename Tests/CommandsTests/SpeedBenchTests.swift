// What the timing program shows of a step: once it is warm, all its memory comes from the pool.

import Foundation
import TestSupport
import Testing

/// One test after another: with the cores taken by others, a thread may want a buffer of its own only after the step
/// that warms up.
@Suite(.serialized) struct SpeedBenchTests {
  private static let program = BuiltProgram("speed-bench")

  @Test(arguments: ["base-forward-4", "base-embedding-4", "base-finetune-4"])
  func aWarmStepAllocatesNoFreshMemory(_ work: String) throws {
    let result = try Self.program.run([work, "--repetitions", "24"])
    #expect(result.status == 0)
    let lines = try result.output.split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(lines.count == 24)
    for line in lines {
      #expect(line["work"] as? String == work)
      #expect(try #require(line["seconds"] as? Double) > 0)
    }
    // The optimiser's moments are made in the first steps, and how many of a kernel's scratch buffers are in use at one
    // moment depends on the threads; but a step that always took fresh memory would never have none.
    let fresh = lines.map { $0["fresh_allocations"] as? Int }
    #expect(fresh.suffix(12).contains(0), "\(fresh)")
  }

  @Test func anUnknownWorkIsNamed() throws {
    let result = try Self.program.run(["base-nothing-4"])
    #expect(result.status == 64 && result.errors.contains("base-nothing-4 is no work"))
  }
}
