// How much noise a timestep stands for, which timesteps a sampler visits, and which a training step draws.

import Foundation
import Tensors

/// Why a schedule can't be made or sampled from, in one line.
public struct ScheduleError: Error, Equatable, CustomStringConvertible, LocalizedError {
  public let description: String
  public var errorDescription: String? { description }
}

/// The variance-preserving noise schedule of a diffusion model: at timestep t a sample is
/// `sqrt(alpha[t]) * clean + sqrt(1 - alpha[t]) * noise`, with `alpha` the cumulative product of `1 - beta`
/// (Ho et al., "Denoising Diffusion Probabilistic Models", 2020, equation 4).
///
/// Numbers and timesteps are those of `DDIMScheduler` of diffusers.
public struct NoiseSchedule: Sendable {
  public enum BetaSchedule: Sendable, Hashable {
    case linear
    /// Linear in the square root of beta: Stable Diffusion's.
    case scaledLinear
    /// Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, equation 17, with betas of at most
    /// 0.999.
    case squaredCosine
  }

  /// Which timesteps a sampler of fewer steps visits (Lin et al., "Common Diffusion Noise Schedules and Sample Steps are
  /// Flawed", 2023, table 2).
  public enum Spacing: Sendable, Hashable {
    /// Multiples of an integer stride, plus an offset.
    case leading
    /// Counted down from the last timestep.
    case trailing
    /// Spread evenly from the first timestep to the last.
    case linspace
  }

  public struct Parameters: Sendable, Hashable {
    /// How many timesteps the model was trained on.
    public var trainingSteps = 1000
    public var betaSchedule = BetaSchedule.scaledLinear
    public var betaStart = 0.00085
    public var betaEnd = 0.012
    /// Shifts the schedule so that the last timestep is pure noise (Lin et al., algorithm 1).
    public var rescalesToZeroTerminalSNR = false
    public var prediction = Prediction.epsilon
    public var spacing = Spacing.leading
    /// Added to every timestep of the leading spacing.
    public var stepsOffset = 1
    /// Whether the last step of a sampler goes to a sample free of noise, instead of the noise of timestep 0.
    public var setsAlphaToOne = false
    /// Clean samples that a sampler predicts are clipped to plus and minus this; nil for no clipping.
    public var clipRange: Float?

    /// The parameters of Stable Diffusion 1.x.
    public init() {}
  }

  public let parameters: Parameters
  /// The share of the clean sample's variance at each timestep, falling.
  public let alphas: [Float]
  /// The share that the last step of a sampler arrives at, and that an inversion starts from.
  public let finalAlpha: Float

  /// - Precondition: at least one training step; betas above 0 and below 1.
  public init(_ parameters: Parameters) {
    precondition(parameters.trainingSteps > 0, "no training steps")
    self.parameters = parameters
    var betas = Self.betas(parameters)
    if parameters.rescalesToZeroTerminalSNR { betas = Self.rescaled(betas) }
    alphas = Self.cumulativeAlphas(betas)
    finalAlpha = parameters.setsAlphaToOne ? 1 : alphas[0]
  }

  /// Betas in float32, rounded where PyTorch rounds, so that the products agree with it.
  private static func betas(_ parameters: Parameters) -> [Float] {
    let count = parameters.trainingSteps
    switch parameters.betaSchedule {
    case .linear:
      return linspace(Float(parameters.betaStart), Float(parameters.betaEnd), count)
    case .scaledLinear:
      return linspace(
        Float(parameters.betaStart.squareRoot()), Float(parameters.betaEnd.squareRoot()), count
      ).map { $0 * $0 }
    case .squaredCosine:
      func level(_ index: Int) -> Double {
        let angle = (Double(index) / Double(count) + 0.008) / 1.008 * .pi / 2
        return cos(angle) * cos(angle)
      }
      return (0..<count).map { Float(min(1 - level($0 + 1) / level($0), 0.999)) }
    }
  }

  /// `count` numbers spread evenly from `start` to `end`, counted from the nearer end.
  private static func linspace(_ start: Float, _ end: Float, _ count: Int) -> [Float] {
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { index in
      index < count / 2
        ? start + step * Float(index) : end - step * Float(count - 1 - index)
    }
  }

  private static func cumulativeAlphas(_ betas: [Float]) -> [Float] {
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
  }

  /// Shifts and scales the square roots of the cumulative alphas so that the last is 0 and the first stays.
  private static func rescaled(_ betas: [Float]) -> [Float] {
    let roots = cumulativeAlphas(betas).map { $0.squareRoot() }
    let (first, last) = (roots[0], roots[roots.count - 1])
    let levels = roots.map { root in
      let shifted = (root - last) * (first / (first - last))
      return shifted * shifted
    }
    return levels.indices.map { $0 == 0 ? 1 - levels[0] : 1 - levels[$0] / levels[$0 - 1] }
  }

  /// The timesteps that a sampler of `steps` steps visits, from the noisiest to the cleanest.
  /// - Throws: `ScheduleError` where the schedule has no room for so many, or for none.
  public func timesteps(_ steps: Int) throws -> [Int] {
    let total = parameters.trainingSteps
    guard steps >= 1, steps <= total else {
      throw ScheduleError(description: "\(steps) sampling steps, wanted 1 to \(total)")
    }
    let timesteps: [Int]
    switch parameters.spacing {
    case .leading:
      let stride = total / steps
      timesteps = (0..<steps).reversed().map { $0 * stride + parameters.stepsOffset }
    case .trailing:
      let stride = Double(total) / Double(steps)
      // Rounding can make room for a step more or less than `steps`; NumPy's `arange` has the same.
      let count = Int((Double(total) / stride).rounded(.up))
      let difference = (Double(total) - stride) - Double(total)
      timesteps = (0..<count).map { index in
        Int((Double(total) + Double(index) * difference).rounded(.toNearestOrEven)) - 1
      }
    case .linspace:
      let stride = steps > 1 ? Double(total - 1) / Double(steps - 1) : 0
      timesteps = (0..<steps).reversed().map { index in
        index > 0 && index == steps - 1
          ? total - 1 : Int((Double(index) * stride).rounded(.toNearestOrEven))
      }
    }
    guard timesteps.allSatisfy({ (0..<total).contains($0) }) else {
      throw ScheduleError(
        description:
          "\(steps) sampling steps with an offset of \(parameters.stepsOffset) reach timestep"
          + " \(timesteps[0]), wanted at most \(total - 1): take fewer steps")
    }
    return timesteps
  }

  /// The share at the timestep a sampler's stride before `timestep`; before the first, `finalAlpha`.
  func alpha(before timestep: Int, steps: Int) -> Float {
    let previous = timestep - parameters.trainingSteps / steps
    return previous >= 0 ? alphas[previous] : finalAlpha
  }

  /// A clean sample with noise added, each element of the batch at its own timestep.
  /// - Parameters:
  ///   - clean: `[batch, ...]`
  ///   - noise: the same shape.
  ///   - timesteps: one for each element of the batch.
  /// - Precondition: shapes fit, and the timesteps are of the schedule.
  public func noisy(_ clean: Tensor, noise: Tensor, timesteps: [Int]) -> Tensor {
    combined(clean, noise, timesteps) { ($0.squareRoot(), (1 - $0).squareRoot()) }
  }

  /// What the model should answer for `noisy(clean, noise:timesteps:)`, by the kind of its prediction.
  /// - Precondition: shapes fit, and the timesteps are of the schedule.
  public func target(clean: Tensor, noise: Tensor, timesteps: [Int]) -> Tensor {
    switch parameters.prediction {
    case .epsilon: noise
    case .sample: clean
    case .velocity:
      combined(clean, noise, timesteps) { (-(1 - $0).squareRoot(), $0.squareRoot()) }
    }
  }

  /// `a * x + b * y`, with the factors of each element of the batch from its timestep's alpha.
  private func combined(
    _ x: Tensor, _ y: Tensor, _ timesteps: [Int], factors: (Float) -> (Float, Float)
  ) -> Tensor {
    precondition(x.shape == y.shape, "shapes \(x.shape) and \(y.shape)")
    precondition(x.shape.rank > 0 && x.shape[0] == timesteps.count, "one timestep an element")
    let result = Tensor(uninitialized: x.shape)
    let stride = timesteps.isEmpty ? 0 : x.count / timesteps.count
    for (element, timestep) in timesteps.enumerated() {
      let (a, b) = factors(alphas[timestep])
      for index in (element * stride)..<((element + 1) * stride) {
        result.pointer[index] = a * x.pointer[index] + b * y.pointer[index]
      }
    }
    return result
  }

  /// The timesteps of a training step, stratified over the batch: the schedule is cut into `batch` equal parts, and
  /// element i draws evenly from part i, `floor((i + u) / batch * trainingSteps)`.
  ///
  /// Over many steps every timestep is as likely as any other; within a step they are spread, which makes the loss less
  /// noisy. A batch of one draws evenly from all.
  /// - Parameters:
  ///   - seed: the seed of the run.
  ///   - step: which training step it is.
  public func trainingTimesteps(batch: Int, seed: UInt64, step: Int) -> [Int] {
    let total = parameters.trainingSteps
    return Philox(seed: seed, stream: .timesteps, step: step).uniform(count: batch)
      .enumerated().map { index, draw in
        let position = (Double(index) + Double(draw)) / Double(batch)
        return min(Int(position * Double(total)), total - 1)
      }
  }
}
