// How the calls of the model are spent: on more steps, or on going through fewer of them again.

import Diffusion
import Editing

/// One way to repaint a region.
struct SeamPlan: Codable, Equatable {
  var sampler: SamplingMethod
  var steps: Int
  /// How many steps a stretch has that is gone through again; 1 where none is.
  var jump: Int
  /// How often a stretch is gone through.
  var resample: Int

  /// Straight walks and RePaint's of as many calls of the model each, with both samplers that know no history. The numbers
  /// of calls leave the straight walks' first timestep near the noisiest of a thousand.
  static let all: [SeamPlan] = [(20, 5, 3), (50, 5, 3), (50, 10, 6)].flatMap {
    steps, jump, resample in
    [SamplingMethod.ddpm, .ddim].flatMap { sampler in
      let again = SeamPlan(sampler: sampler, steps: steps, jump: jump, resample: resample)
      return [SeamPlan(sampler: sampler, steps: again.calls, jump: 1, resample: 1), again]
    }
  }

  var isStraight: Bool { resample == 1 }

  /// How often the model is asked.
  var calls: Int {
    guard let order = try? ResamplingSchedule(steps: steps, jump: jump, resample: resample) else {
      preconditionFailure("\(steps) steps with jumps of \(jump)")
    }
    return order.calls
  }

  /// As folders have it: "ddpm-20-5-3".
  var name: String { "\(sampler.rawValue)-\(steps)\(isStraight ? "" : "-\(jump)-\(resample)")" }

  /// The same plan's straight walk of as many calls.
  func isRival(of other: SeamPlan) -> Bool {
    isStraight && !other.isStraight && sampler == other.sampler && calls == other.calls
  }
}
