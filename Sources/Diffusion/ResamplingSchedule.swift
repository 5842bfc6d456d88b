// In which order a sampler visits its noise levels: straight down, or back up again and again, as RePaint does
// (Lugmayr et al., "RePaint: Inpainting using Denoising Diffusion Probabilistic Models", CVPR 2022).

/// The levels that a sampler visits, one after the other, as times: the noisiest level of a sampler of n steps is n - 1,
/// its cleanest 0, and -1 is the sample itself.
///
/// A step down asks the model. A step up adds the noise that lies between the two levels, so that the next steps down
/// bring what is new into harmony with what is known.
public struct ResamplingSchedule: Equatable, Sendable {
  /// How many levels the sampler has.
  public let steps: Int
  /// From `steps - 1` to -1, each one away from the one before.
  public let times: [Int]

  /// Straight down.
  public init(steps: Int) {
    self.steps = steps
    times = (-1..<steps).reversed()
  }

  /// RePaint's order: on the first arrival at every `jump`-th time that has room above it, `jump` steps up and down again,
  /// `resample` - 1 times. 250 steps with jumps of 10, resampled 10 times, are 4571 times with 2410 calls of the model.
  /// - Parameters:
  ///   - steps: the sampler's levels.
  ///   - jump: how many steps up at once; the paper's j.
  ///   - resample: how often each stretch is sampled, 1 for a straight walk; the paper's r.
  /// - Throws: `ScheduleError` where a jump has no room.
  public init(steps: Int, jump: Int, resample: Int) throws {
    guard steps >= 1, jump >= 1, resample >= 1 else {
      throw ScheduleError(
        description: "\(steps) steps with jumps of \(jump), resampled \(resample) times, "
          + "wanted at least 1 of each")
    }
    guard resample == 1 || jump < steps else {
      throw ScheduleError(
        description: "resampling jumps of \(jump) in \(steps) sampling steps, wanted at most "
          + "\(steps - 1)")
    }
    var jumpsLeft = [Int](repeating: 0, count: steps)
    for time in stride(from: 0, to: steps - jump, by: jump) { jumpsLeft[time] = resample - 1 }
    var times = [steps - 1]
    while let time = times.last, time >= 0 {
      if jumpsLeft[time] > 0 {
        jumpsLeft[time] -= 1
        times += time + 1...time + jump
      } else {
        times.append(time - 1)
      }
    }
    try self.init(steps: steps, times: times)
  }

  /// An order of one's own.
  /// - Throws: `ScheduleError` where it does not lead from `steps - 1` to -1 in steps of one within those bounds.
  public init(steps: Int, times: [Int]) throws {
    func refuse(_ problem: String) -> ScheduleError {
      ScheduleError(description: "times of \(steps) sampling steps: \(problem)")
    }
    guard steps >= 1, times.first == steps - 1 else {
      throw refuse(
        "found \(times.first.map(String.init) ?? "none") first, wanted \(steps - 1)")
    }
    for (index, (time, next)) in zip(times, times.dropFirst()).enumerated() {
      guard abs(next - time) == 1 else {
        throw refuse("found \(next) after \(time) at \(index + 1), wanted steps of one")
      }
      guard next < steps, time >= 0 else {
        throw refuse(
          "found \(next) after \(time) at \(index + 1), wanted \(steps - 1) to 0, and -1 at the end"
        )
      }
    }
    guard times.last == -1 else { throw refuse("found \(times[times.count - 1]) last, wanted -1") }
    self.steps = steps
    self.times = times
  }

  /// How often the model is asked: once for each step down.
  public var calls: Int { zip(times, times.dropFirst()).count { $1 < $0 } }
}
