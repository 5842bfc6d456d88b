// The flags that the programs share.

import ArgumentParser
import Editing
import Foundation
import Images

/// Where a run's request, files and base are.
public struct RunOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The edit request, a YAML file.", valueName: "file"))
  public var request: String?

  @Option(
    help: ArgumentHelp(
      "The run's folder; checkpoints/NAME for the request NAME.yaml where not given.",
      valueName: "folder"))
  public var run: String?

  @Option(
    help: ArgumentHelp(
      "The base: a folder of Stable Diffusion 1.x or 2.x as diffusers lays it out; the embedded one where not given.",
      valueName: "folder"))
  public var base: String?

  public init() {}

  public mutating func validate() throws {
    try check(request, .path, "--request")
    try check(run, .path, "--run")
    try check(base, .path, "--base")
  }
}

/// The photograph and the sentence, where no request names them.
public struct EditOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The photograph: PNG, JPEG or WebP.", valueName: "file"))
  public var image: String?

  @Option(help: ArgumentHelp("The sentence that the edit makes true.", valueName: "text"))
  public var prompt: String?

  @Option(help: "How the photograph is brought to the model's proportions: crop, pad or stretch.")
  public var fit: Fit?

  @Option(
    help: ArgumentHelp(
      "The pictures' size, 512 or 512x384; the size that the base was trained at where not given."),
    transform: { try PictureSize(flag: $0) })
  public var size: PictureSize?

  public init() {}

  public mutating func validate() throws {
    try check(image, .path, "--image")
    try check(prompt, .prompt, "--prompt")
  }

  public var overrides: EditRequest {
    var overrides = EditRequest()
    overrides.image = image.map(Shell.absolute)
    overrides.prompt = prompt
    overrides.fit = fit
    overrides.size = size
    return overrides
  }
}

/// How a stage runs and talks.
public struct StageOptions: ParsableArguments {
  @Option(
    name: .customLong("checkpoint-every"),
    help: ArgumentHelp(
      "How often what was reached is saved; every minute where not given, or less often where a save takes long.",
      valueName: "seconds"))
  public var checkpointEvery: Double?

  @Flag(help: "Say what would run, how long and how much memory it takes; run nothing.")
  public var dryRun = false

  @Flag(help: "Begin anew; the old file is kept as NAME.h5.previous.")
  public var restart = false

  @Option(help: ArgumentHelp("How many threads compute; all processors where not given."))
  public var threads: Int?

  @Flag(help: "One JSON object a line on standard output.")
  public var json = false

  @Flag(help: "Only warnings and errors on standard error.")
  public var quiet = false

  @Flag(help: .hidden)
  public var printSettings = false

  public init() {}

  public mutating func validate() throws {
    try check(checkpointEvery, .seconds, "--checkpoint-every")
    try check(threads, .threads, "--threads")
  }
}

/// The flags of both training stages.
public struct TrainingOptions: ParsableArguments {
  @Option(help: "How many steps to train in all.")
  public var steps: Int?

  @Option(
    name: .customLong("learning-rate"), help: ArgumentHelp("Adam's step size.", valueName: "rate"))
  public var learningRate: Double?

  @Option(help: "How many timesteps a step takes.")
  public var batch: Int?

  @Option(
    name: .customLong("until-loss"),
    help: ArgumentHelp(
      "Train no further once the mean of the last 50 losses is at most this; 0 for never.",
      valueName: "loss"))
  public var untilLoss: Double?

  @Option(help: "The seed of the timesteps and the noise.")
  public var seed: UInt64?

  public init() {}

  public mutating func validate() throws {
    try check(steps, .steps, "--steps")
    try check(learningRate, .learningRate, "--learning-rate")
    try check(batch, .batch, "--batch")
    try check(untilLoss, .untilLoss, "--until-loss")
    try check(seed, .seed, "--seed")
  }

  public var overrides: EditRequest.Training {
    EditRequest.Training(
      steps: steps, learningRate: learningRate, batch: batch, untilLoss: untilLoss)
  }
}

/// Throws what ArgumentParser turns into a usage error where a flag's value is out of its limit.
public func check<Value>(_ value: Value?, _ limit: Limit<Value>, _ flag: String) throws {
  guard let value, !limit.contains(value) else { return }
  throw ValidationError("\(flag): found \(value), wanted \(limit.wanted)")
}

extension EditMethod: ExpressibleByArgument {}
extension Fit: ExpressibleByArgument {}
extension Tuning: ExpressibleByArgument {}
extension FrozenPrecision: ExpressibleByArgument {}
extension SamplingStart: ExpressibleByArgument {}
extension SamplingMethod: ExpressibleByArgument {}
extension GuidanceCourse: ExpressibleByArgument {}
extension Details: ExpressibleByArgument {}

extension PictureSize {
  /// "512" for a square, or "512x384".
  /// - Throws: as ``numbers(_:within:)``.
  public init(flag text: String) throws {
    guard let size = PictureSize(argument: text) else {
      throw ValidationError("wanted 512 or 512x384, each side \(Limit<Int>.pictureSide.wanted)")
    }
    self = size
  }

  private init?(argument: String) {
    let sides = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard let width = sides[0], let height = sides.count > 1 ? sides[1] : width, sides.count <= 2,
      Limit<Int>.pictureSide.contains(width), Limit<Int>.pictureSide.contains(height)
    else { return nil }
    self.init(width: width, height: height)
  }
}

/// A list of numbers, "0,0.5,1" or "0:1:0.1", within a limit.
/// - Throws: what ArgumentParser adds to its own words of a value that is none.
public func numbers(_ text: String, within limit: Limit<[Double]>) throws -> NumberValues<Double> {
  guard let values = NumberList.numbers(text, within: limit) else {
    throw ValidationError("wanted \(limit.wanted), such as 0,0.5,1 or first:last:step")
  }
  return NumberValues(values: values)
}

/// A list of seeds, "0,1,2".
/// - Throws: as ``numbers(_:within:)``.
public func seeds(_ text: String) throws -> NumberValues<UInt64> {
  guard let values = NumberList.seeds(text) else {
    throw ValidationError("wanted \(Limit<[UInt64]>.seeds.wanted), such as 0,1,2")
  }
  return NumberValues(values: values)
}

/// The values of one flag. Not an array, which ArgumentParser takes for a flag that is given several times.
public struct NumberValues<Value: Sendable>: Sendable {
  public let values: [Value]
}

/// Where edits may change the photograph.
public struct MaskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Change the photograph only where this picture is white; auto finds the place, none takes the request's back.",
      valueName: "file|auto|none"))
  public var mask: String?

  @Option(
    help: ArgumentHelp(
      "Pixels around the mask in which the edit fades into the photograph; a 64th of the shorter side where not given.",
      valueName: "pixels"))
  public var feather: Int?

  @Flag(
    name: .customLong("full-size"), inversion: .prefixedNo,
    help: "Write the masked edits at the photograph's own size too.")
  public var fullSize: Bool?

  @Option(
    name: .customLong("mask-threshold"),
    help: ArgumentHelp(
      "Of --mask auto: which share of three times the mean difference counts as one; where the differences part best where not given.",
      valueName: "share"))
  public var maskThreshold: Double?

  @Option(
    name: .customLong("mask-grow"),
    help: ArgumentHelp("Of --mask auto: by how much the mask is grown.", valueName: "pixels"))
  public var maskGrow: Int?

  public init() {}

  public mutating func validate() throws {
    try check(mask, .path, "--mask")
    try check(feather, .feather, "--feather")
    try check(maskThreshold, .maskThreshold, "--mask-threshold")
    try check(maskGrow, .feather, "--mask-grow")
  }

  public var overrides: EditRequest.Masking {
    EditRequest.Masking(
      mask: mask.map { mask in
        EditRequest.maskPath(mask) { URL(fileURLWithPath: $0).standardizedFileURL.path }
      }, feather: feather, fullSize: fullSize, threshold: maskThreshold, grow: maskGrow)
  }
}
