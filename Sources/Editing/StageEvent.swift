// What a stage tells while it works. How it is shown is not the stage's business.

import Foundation

/// What works in steps: the three stages, and the parts of the training of a base; the stages by the names of their
/// programs.
public enum Stage: String, Codable, CaseIterable, Sendable {
  case embedOptimize = "embed-optimize"
  case modelFinetune = "model-finetune"
  case interpolateGenerate = "interpolate-generate"
  case autoencoderTraining = "autoencoder"
  case latents
  case denoiserTraining = "denoiser"
}

/// How far a stage is.
public struct StageProgress: Equatable, Sendable {
  public var stage: Stage
  /// Steps done, those of earlier runs included.
  public var step: Int
  public var steps: Int
  /// The step's loss; nil where there is none.
  public var loss: Double?
  /// What is being worked on, for stages whose steps are not alike.
  public var subject: String?
  /// How many samples a step takes, where their rate is worth telling.
  public var samplesPerStep: Int?

  public init(
    stage: Stage, step: Int, steps: Int, loss: Double? = nil, subject: String? = nil,
    samplesPerStep: Int? = nil
  ) {
    self.stage = stage
    self.step = step
    self.steps = steps
    self.loss = loss
    self.subject = subject
    self.samplesPerStep = samplesPerStep
  }
}

/// The end of a stage.
public struct StageResult: Equatable, Sendable {
  public var stage: Stage
  /// The files that the stage stands for, whether written now or found complete.
  public var files: [String]
  public var step: Int
  public var steps: Int
  /// Time taken now, in seconds.
  public var seconds: Double
  /// The process's largest resident memory, in bytes.
  public var peakMemory: Int
  /// The alpha to look at first; nil for the other stages, and where there is none.
  public var suggestedAlpha: Double?

  public init(
    stage: Stage, files: [String], step: Int, steps: Int, seconds: Double, peakMemory: Int,
    suggestedAlpha: Double? = nil
  ) {
    self.stage = stage
    self.files = files
    self.step = step
    self.steps = steps
    self.seconds = seconds
    self.peakMemory = peakMemory
    self.suggestedAlpha = suggestedAlpha
  }
}

/// What a stage would do.
public struct StagePlan: Equatable, Sendable {
  public var stage: Stage
  /// Steps done already.
  public var step: Int
  public var steps: Int
  /// The time that the steps left take, in seconds, by a measurement.
  public var seconds: Double
  /// The memory that they take, in bytes.
  public var memory: Int

  public init(stage: Stage, step: Int, steps: Int, seconds: Double, memory: Int) {
    self.stage = stage
    self.step = step
    self.steps = steps
    self.seconds = seconds
    self.memory = memory
  }
}

/// Something that a stage tells.
public enum StageEvent: Equatable, Sendable {
  /// For a person to know.
  case note(String)
  /// For a person to heed.
  case warning(String)
  case progress(StageProgress)
  /// A checkpoint was saved.
  case saved(file: String, step: Int)
  /// A picture or another result was written.
  case wrote(file: String)
  /// What a dry run found out.
  case plan(StagePlan)
  case finished(StageResult)
}
