// The first stage, `embed-optimize`: from a photograph and a sentence to embedding.h5.

import Checkpoints
import Foundation
import Images
import Models
import Tensors

/// Optimises the sentence's embedding until the frozen denoiser denoises the photograph.
public enum EmbeddingStage {
  private static let stage = Stage.embedOptimize

  /// Runs the stage, from what is saved or anew, to its end.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to
  ///   stop, after it has saved.
  public static func run(_ run: StageRun) throws {
    try run.alone { try Work(run).perform() }
  }

  /// The settings that the stage works by and the state of the files that it reads, as a text that changes exactly when
  /// the stage has to run again.
  public static func printedSettings(_ run: StageRun) throws -> String {
    struct Printed: Encodable {
      let settings: EditSettings
      let files: [String: String]
    }
    var settings = try run.settings(saved: nil)
    let neutral = EditSettings(
      published: settings.image, prompt: settings.prompt, base: settings.base)
    (settings.finetune, settings.generate) = (neutral.finetune, neutral.generate)
    let files = FileStates.of([settings.image] + FileStates.files(inBase: settings.base))
    return try SettingsJSON.encode(Printed(settings: settings, files: files), pretty: true)
  }

  /// One run, once its inputs are read.
  private struct Work {
    let run: StageRun
    let path: String
    /// What to go on from.
    let saved: EmbeddingCheckpoint?
    let base: Base
    var settings: EditSettings
    let imageDigest: String
    let baseDigest: String
    /// The fitted photograph.
    let picture: Picture

    init(_ run: StageRun) throws {
      self.run = run
      path = run.folder.embedding
      let exists = FileManager.default.fileExists(atPath: path)
      let found = try exists ? Self.read(path, isOptional: run.restarts) : nil
      settings = try run.settings(saved: found?.header.settings)
      base = try Base(path: settings.base)
      let size = settings.size ?? base.defaultSize
      settings.size = size
      try base.check(size)
      baseDigest = try base.digest()
      saved = run.restarts ? nil : found
      // What goes on keeps its picture; what begins anew may be asked for in another form.
      if let found, run.askedImage == nil,
        !run.restarts
          || size == PictureSize(of: found.picture) && settings.fit == found.header.settings.fit
      {
        (imageDigest, picture) = (found.header.imageDigest, found.picture)
      } else {
        (picture, imageDigest) = try Picture.fitted(
          contentsOf: settings.image, to: size, by: settings.fit)
      }
      if let saved {
        try StageIdentity.check(
          saved: Self.identity(saved.header), asked: Self.identity(header(step: 0)), file: path)
      }
    }

    /// A damaged file is an error, unless it is to be put aside.
    private static func read(_ path: String, isOptional: Bool) throws -> EmbeddingCheckpoint? {
      do {
        return try EmbeddingCheckpoint(contentsOf: path)
      } catch  where isOptional {
        return nil
      } catch {
        throw EditingError(ExitStatus(of: error), "\(error); --restart begins anew")
      }
    }

    private static func identity(_ header: CheckpointHeader) -> StageIdentity {
      StageIdentity(
        entries: StageIdentity.common(header) + [
          ("seed", "\(header.settings.seed)"),
          ("learning rate", "\(header.settings.embedding.learningRate)"),
          ("batch", "\(header.settings.embedding.batch)"),
          (
            "frozen precision",
            (header.settings.embedding.frozenPrecision ?? .float32).rawValue
          ),
          ("source", header.settings.embedding.source ?? TrainingSettings.noSource),
        ])
    }

    private func header(step: Int) -> CheckpointHeader {
      let steps = settings.embedding.steps
      return CheckpointHeader(
        settings: settings, baseDigest: baseDigest, imageDigest: imageDigest, step: step,
        steps: steps, isComplete: step == steps)
    }

    private var training: TrainingStage {
      TrainingStage(
        run: run, stage: stage, path: path, base: base.path, header: header(step:),
        savedLosses: saved?.losses ?? [])
    }

    func perform() throws {
      if let saved, settings.embedding.isDone(saved.losses) {
        try training.finish(saved.header, digest: nil, asked: settings.embedding, more: []) {
          header in
          var complete = saved
          complete.header = header
          complete.header.settings.embedding.steps = max(settings.embedding.steps, header.step)
          return try complete.save(to: path)
        }
        return
      }
      try run.tell(settings)
      let target = try saved?.target ?? textEmbedding()
      // The photograph's latent first: the autoencoder's memory is given back before the denoiser takes its own.
      let latent = try base.latent(of: picture)
      let unet = try base.folder.unet(isNarrow: settings.embedding.frozenPrecision == .float16)
      let finder = try finder(unet, latent)
      let start = try saved.map { $0.start } ?? start(finder)
      let batches = TrainingBatches(
        of: latent, schedule: base.schedule,
        size: settings.embedding.batch, seed: settings.seed, stage: stage)
      let trainer = EmbeddingTrainer(
        unet: unet, batches: batches, learningRate: settings.embedding.learningRate,
        embedding: saved?.optimized ?? start?.embedding ?? target,
        step: saved?.header.step ?? 0, moments: saved?.moments)
      if run.isDry {
        training.plan(
          steps: settings.embedding.steps, step: trainer.step,
          before: try finder?.seconds(near: settings.prompt) ?? 0)
        return
      }
      try training.train(settings.embedding, step: trainer.step) { header, losses in
        try EmbeddingCheckpoint(
          header: header, target: target, optimized: trainer.embedding, start: start,
          moments: trainer.moments,
          losses: losses, picture: picture
        ).save(to: path)
      }
    }

    /// The embedding of the sentence, `[tokens, width]`.
    private func textEmbedding() throws -> Tensor {
      let (embeddings, warnings) = try base.embeddings(of: [settings.prompt])
      for warning in warnings { run.report(.warning(warning)) }
      return Self.matrix(embeddings)
    }

    /// A single embedding, `[1, tokens, width]`, as `[tokens, width]`.
    private static func matrix(_ embedding: Tensor) -> Tensor {
      embedding.reshaped([embedding.shape[1], embedding.shape[2]])
    }

    /// The caption of the photograph to start from; nil where it is the sentence.
    private func start(_ finder: CaptionFinder?) throws -> EmbeddingCheckpoint.Start? {
      let isFound = settings.embedding.source == TrainingSettings.automaticSource
      guard let caption = isFound ? try find(finder) : settings.embedding.source else { return nil }
      run.report(.note("the photograph's caption: \(caption)"))
      let (embeddings, warnings) = try base.embeddings(of: [caption])
      for warning in warnings where !isFound { run.report(.warning(warning)) }
      return .init(caption: caption, embedding: Self.matrix(embeddings))
    }

    /// What finds a caption; nil where none is to be found, and for a base that does not say what its captions are.
    private func finder(_ unet: UNet2DConditionModel, _ latent: Tensor) throws -> CaptionFinder? {
      guard saved == nil, settings.embedding.source == TrainingSettings.automaticSource,
        let captions = try base.captions()
      else { return nil }
      return CaptionFinder(
        captions: captions, unet: unet, schedule: base.schedule, latent: latent,
        seed: settings.seed, embeddings: { try base.embeddings(of: $0).tensor })
    }

    /// The caption that the base finds; nil where the sentence is none of its captions. A dry run, which takes as long with
    /// any, looks for none.
    private func find(_ finder: CaptionFinder?) throws -> String? {
      guard !run.isDry else { return nil }
      guard let finder else {
        run.report(
          .note(
            "\(base.path) has no \(BaseCaptions.file) to find a caption by: the embedding starts from "
              + "the sentence"))
        return nil
      }
      run.report(.note("looking for the photograph's caption"))
      let found = try finder.caption(near: settings.prompt) {
        if run.shouldStop() { throw run.stoppedBeforeTheFirstStep }
      }
      if found == nil {
        run.report(
          .note("the sentence is none of the base's captions: the embedding starts from it"))
      }
      return found
    }
  }
}
