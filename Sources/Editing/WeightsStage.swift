// The second stage, `model-finetune`: from embedding.h5 to weights.h5, and to a diffusers folder where one is wanted.

import Checkpoints
import Foundation
import Layers
import Models
import Tensors

/// Fine-tunes the denoiser until, given the optimised embedding, it reproduces the photograph.
public enum WeightsStage {
  private static let stage = Stage.modelFinetune

  /// Runs the stage, from what is saved or anew, to its end.
  /// - Parameters:
  ///   - export: where to write the base with the tuned denoiser as a diffusers folder; nil for nowhere.
  ///   - exportLoRA: where to write what LoRA has learned as a safetensors file of peft's names; nil for nowhere.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to
  ///   stop, after it has saved.
  public static func run(_ run: StageRun, export: String? = nil, exportLoRA: String? = nil) throws {
    let (export, exportLoRA) = (export.map(Export.place), exportLoRA.map(Export.place))
    if !run.isDry { for place in [export, exportLoRA] { try place.map(Export.checkPlace) } }
    try run.alone(needsFolder: true) {
      var work = try Work(run, export: export, exportLoRA: exportLoRA)
      try work.perform()
    }
  }

  /// The settings that the stage works by, as a text that changes exactly when it has to run again for them.
  public static func printedSettings(_ run: StageRun) throws -> String {
    struct Printed: Encodable {
      let seed: UInt64
      let finetune: TrainingSettings
    }
    let settings = try run.settings(saved: nil)
    return try SettingsJSON.encode(
      Printed(seed: settings.seed, finetune: settings.finetune), pretty: true)
  }

  /// One run, once its inputs are read.
  private struct Work {
    let run: StageRun
    let export: String?
    let exportLoRA: String?
    let path: String
    let embedding: EmbeddingCheckpoint
    /// What to go on from.
    var saved: WeightsCheckpoint?
    let base: Base
    let settings: EditSettings
    let baseDigest: String

    init(_ run: StageRun, export: String?, exportLoRA: String?) throws {
      self.run = run
      self.export = export
      self.exportLoRA = exportLoRA
      path = run.folder.weights
      embedding = try run.completeEmbedding()
      let exists = FileManager.default.fileExists(atPath: path)
      saved = try exists && !run.restarts ? Self.read(path) : nil
      // What is put aside may be damaged, and says then nothing.
      let before = exists && run.restarts ? try? WeightsCheckpoint(headOf: path) : saved
      settings = try run.laterSettings(embedding, saved: before)
      base = try Base(path: settings.base)
      baseDigest = try base.digest()
      guard exportLoRA == nil || settings.finetune.lora != nil else {
        throw EditingError(
          .usage, "--export-lora: found all weights tuned, wanted --tune lora with it")
      }
      if let saved {
        try StageIdentity.check(
          saved: Self.identity(saved.header, saved.embeddingDigest),
          asked: Self.identity(header(step: 0), embedding.digest), file: path)
      }
      try run.checkBasis(embedding, settings: settings, baseDigest: baseDigest)
    }

    private static func read(_ path: String) throws -> WeightsCheckpoint {
      do {
        return try WeightsCheckpoint(contentsOf: path, withOptimizer: true)
      } catch {
        throw EditingError(ExitStatus(of: error), "\(error); --restart begins anew")
      }
    }

    private static func identity(_ header: CheckpointHeader, _ embeddingDigest: String)
      -> StageIdentity
    {
      StageIdentity(
        entries: StageIdentity.common(header) + [
          ("embedding", "SHA-256 \(embeddingDigest.prefix(12))"),
          ("seed", "\(header.settings.seed)"),
          ("learning rate", "\(header.settings.finetune.learningRate)"),
          ("batch", "\(header.settings.finetune.batch)"),
          ("tune", header.settings.finetune.lora?.description ?? "all"),
        ])
    }

    private func header(step: Int) -> CheckpointHeader {
      let steps = settings.finetune.steps
      return CheckpointHeader(
        settings: settings, baseDigest: baseDigest, imageDigest: embedding.header.imageDigest,
        step: step, steps: steps, isComplete: step == steps)
    }

    private var training: TrainingStage {
      TrainingStage(
        run: run, stage: stage, path: path, base: base.path, header: header(step:),
        savedLosses: saved?.losses ?? [])
    }

    mutating func perform() throws {
      if let saved, settings.finetune.isDone(saved.losses) {
        try training.finish(
          saved.header, digest: saved.digest, asked: settings.finetune,
          more: run.isDry ? [] : write(saved.weights)
        ) { header in
          var complete = saved
          complete.header = header
          complete.header.settings.finetune.steps = max(settings.finetune.steps, header.step)
          return try complete.save(to: path)
        }
        return
      }
      try run.tell(settings)
      // The photograph's latent first: the autoencoder's memory is given back before the denoiser takes its own.
      let batches = TrainingBatches(
        of: try base.latent(of: embedding.picture), schedule: base.schedule,
        size: settings.finetune.batch, seed: settings.seed, stage: stage)
      let unet = try base.folder.unet()
      let tuned = unet.tunedParameters(settings)
      if let saved { try tuned.load(saved.weights, from: path) }
      saved?.weights = [:]
      let moments = try takeMoments(of: tuned)
      StoragePool.shared.trim()
      try StageRun.checkMemory(toTrain: tuned, hasMoments: saved != nil)
      if settings.finetune.lora != nil, settings.finetune.learningRate < 1e-5 {
        run.report(
          .warning(
            "a learning rate of \(settings.finetune.learningRate) hardly moves LoRA, 1e-4 to 1e-3 "
              + "is usual: give one with --learning-rate"))
      }
      let trainer = WeightsTrainer(
        unet: unet, parameters: tuned, batches: batches,
        learningRate: settings.finetune.learningRate, embedding: embedding.optimized,
        step: saved?.header.step ?? 0, moments: moments)
      if run.isDry {
        training.plan(steps: settings.finetune.steps, step: trainer.step)
        return
      }
      try training.train(settings.finetune, step: trainer.step) { header, losses in
        try WeightsCheckpoint(
          header: header, embeddingDigest: embedding.digest, weights: [:],
          moments: trainer.moments, losses: losses
        ).save(to: path, weightsOf: tuned)
      } more: {
        try write(tuned.storedValues)
      }
    }

    /// Takes the saved state of Adam, which has to fit what is tuned, out of what is saved: no two copies of it are held.
    private mutating func takeMoments(of tuned: [Parameter]) throws -> [String: Adam.Moments] {
      guard saved != nil else { return [:] }
      var moments: [String: Adam.Moments] = [:]
      for parameter in tuned {
        let shape = parameter.value.shape
        guard let found = saved?.moments.removeValue(forKey: parameter.name),
          [found.mean.shape, found.variance.shape] == [shape.unstripped, shape.unstripped]
        else {
          throw EditingError(
            .badData,
            "\(path): found no state of the optimiser for \(parameter.name) of the shape "
              + "\(shape.unstripped); --restart begins anew")
        }
        moments[parameter.name] = Adam.Moments(
          mean: found.mean.ordered(as: shape), variance: found.variance.ordered(as: shape))
      }
      saved?.moments = [:]
      return moments
    }

    /// Writes the folder and the file that were asked for, if any were, and gives their paths.
    /// - Parameter weights: of what is tuned; made where something is to be written.
    private func write(_ weights: @autoclosure () -> [String: Tensor]) throws -> [String] {
      if let exportLoRA { try Export.write(lora: weights(), to: exportLoRA) }
      if let export { try Export.write(whole(weights()), of: base.path, to: export) }
      return [export, exportLoRA].compactMap { $0 }
    }

    /// All weights of the denoiser.
    private func whole(_ weights: [String: Tensor]) throws -> [String: Tensor] {
      guard settings.finetune.lora != nil else { return weights }
      let unet = try base.folder.unet()
      try unet.tunedParameters(settings).load(weights, from: path)
      unet.mergeLoRA()
      return unet.parameters.storedValues
    }
  }
}

extension LoRASettings: CustomStringConvertible {
  public var description: String {
    "lora of rank \(rank)" + (convolutions ? " with convolutions" : "")
  }
}

extension UNet2DConditionModel {
  /// The parameters that the fine-tuning changes: its own, or those of LoRA, which is laid over it here.
  func tunedParameters(_ settings: EditSettings) -> [Parameter] {
    guard let lora = settings.finetune.lora else { return parameters }
    return addLoRA(rank: lora.rank, convolutions: lora.convolutions, seed: settings.seed)
      .flatMap(\.parameters)
  }

  /// Takes what a fine-tuning has reached.
  /// - Throws: `EditingError`, `badData`.
  func load(_ checkpoint: WeightsCheckpoint, from path: String) throws {
    try tunedParameters(checkpoint.header.settings).load(checkpoint.weights, from: path)
    mergeLoRA()
  }
}

extension [Parameter] {
  /// All of them in the layout of disk.
  var storedValues: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: map { ($0.name, $0.storedValue) })
  }

  /// Takes values in the layout of disk, all of them and no others.
  /// - Throws: `EditingError`, `badData`.
  func load(_ weights: [String: Tensor], from path: String) throws {
    for parameter in self {
      guard let tensor = weights[parameter.name], tensor.shape == parameter.storedShape else {
        let found = weights[parameter.name].map { "the shape \($0.shape)" } ?? "none"
        throw EditingError(
          .badData,
          "\(path): the weights \(parameter.name): found \(found), wanted the shape "
            + "\(parameter.storedShape)")
      }
      parameter.load(tensor)
    }
    guard weights.count == count else {
      let known = Set(map(\.name))
      let left = weights.keys.filter { !known.contains($0) }.sorted()
      throw EditingError(
        .badData, "\(path): found \(left[0]), which the base's denoiser does not have")
    }
  }
}
