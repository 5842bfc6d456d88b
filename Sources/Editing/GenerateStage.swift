// The third stage, `interpolate-generate`: from embedding.h5 and weights.h5 to the edits and their contact sheet.

import Checkpoints
import Foundation
import Images
import Models
import Tensors

/// Samples, for each alpha and seed, from the tuned denoiser with the embedding between the photograph's and the
/// sentence's (Kawar et al. 2023, section 3.2, C).
public enum GenerateStage {
  private static let stage = Stage.interpolateGenerate

  /// Runs the stage. Edits that are there already, made with the same settings from the same checkpoints, are kept.
  /// - Throws: an error whose exit code `ExitStatus(of:)` tells; `EditingError`, `stopped`, where the run was told to
  ///   stop. Edits that are done are kept then.
  public static func run(_ run: StageRun) throws {
    try run.alone {
      var work = try Work(run)
      try work.perform()
    }
  }

  /// The settings that the stage works by, as a text that changes exactly when it has to run again for them.
  public static func printedSettings(_ run: StageRun) throws -> String {
    try SettingsJSON.encode(run.settings(saved: nil).generate, pretty: true)
  }

  /// One edit to make.
  private struct Edit {
    let alpha: Double
    /// Nil where the sampling starts from the photograph.
    let seed: UInt64?
    let path: String
    let notes: EditNotes

    var name: String {
      "alpha \(NumberList.label(alpha))" + (seed.map { " seed \($0)" } ?? "")
    }
  }

  /// One run, once its inputs are read.
  private struct Work {
    let run: StageRun
    let embedding: EmbeddingCheckpoint
    var weights: WeightsCheckpoint
    let base: Base
    let baseDigest: String
    let settings: EditSettings
    let edits: [Edit]

    init(_ run: StageRun) throws {
      self.run = run
      embedding = try run.completeEmbedding()
      weights = try Self.read(run.folder.weights, embedding: embedding)
      let settings = try run.laterSettings(embedding, saved: weights.header.settings)
      self.settings = settings
      base = try Base(path: settings.base)
      let baseDigest = try base.digest()
      self.baseDigest = baseDigest
      try run.checkBasis(embedding, settings: settings, baseDigest: baseDigest)
      switch settings.generate.sampler {
      case .ddim: _ = try base.schedule.timesteps(settings.generate.steps)
      case .dpmSolver: _ = try base.schedule.solverTimesteps(settings.generate.steps)
      }
      let weightsDigest = weights.digest ?? ""
      // Started from the photograph, all seeds would give the same picture.
      let seeds: [UInt64?] =
        settings.generate.start == .inversion ? [nil] : settings.generate.seeds
      edits = seeds.flatMap { seed in
        settings.generate.alphas.map { alpha in
          Edit(
            alpha: alpha, seed: seed, path: run.folder.edit(alpha: alpha, seed: seed),
            notes: EditNotes(
              alpha: alpha, seed: seed, prompt: settings.prompt,
              sampler: settings.generate.sampler == .ddim ? nil : settings.generate.sampler,
              steps: settings.generate.steps,
              guidanceScale: settings.generate.guidanceScale(at: alpha),
              start: settings.generate.start,
              weights: weightsDigest, base: baseDigest))
        }
      }
    }

    private static func read(_ path: String, embedding: EmbeddingCheckpoint) throws
      -> WeightsCheckpoint
    {
      guard FileManager.default.fileExists(atPath: path) else {
        throw EditingError(.noInput, "\(path): there is no such file, run model-finetune first")
      }
      let weights = try WeightsCheckpoint(contentsOf: path, withOptimizer: false)
      guard weights.header.isComplete else {
        throw EditingError(
          .badData,
          "\(path): found step \(weights.header.step) of \(weights.header.steps), wanted it "
            + "complete: run model-finetune again")
      }
      guard weights.embeddingDigest == embedding.digest else {
        throw EditingError(
          .badData,
          "\(path): found weights that were tuned to another embedding than that of "
            + "embedding.h5: run model-finetune --restart")
      }
      return weights
    }

    mutating func perform() throws {
      let missing = edits.filter { run.restarts || EditNotes.picture(at: $0.path, $0.notes) == nil }
      if run.isDry {
        try plan(missing)
        return
      }
      let began = Resources.seconds
      if missing.isEmpty {
        run.report(.note("\(run.folder.edits) is complete"))
      } else {
        try run.tell(settings)
        try run.folder.createEdits()
        try make(missing)
      }
      try writeContactSheet()
      let seconds = Resources.seconds - began
      let files = [run.folder.contactSheet] + edits.map(\.path)
      if !missing.isEmpty { try enter(seconds: seconds) }
      run.report(
        .finished(
          StageResult(
            stage: stage, files: files, step: edits.count, steps: edits.count, seconds: seconds,
            peakMemory: Resources.peakMemory)))
    }

    private mutating func make(_ missing: [Edit]) throws {
      let inverts = settings.generate.start == .inversion
      let photograph = try inverts ? base.latent(of: embedding.picture) : nil
      var sampler = try sampler()
      let evaluations = settings.generate.steps
      var done = 0
      let total = (missing.count + (inverts ? 1 : 0)) * evaluations
      func afterStep(of name: String, made: Int) throws {
        done += 1
        run.report(
          .progress(StageProgress(stage: stage, step: done, steps: total, subject: name)))
        if done < total, run.shouldStop() {
          throw run.stopped("with \(made) of \(missing.count) edits made in \(run.folder.edits)")
        }
      }
      let inverted = try photograph.map { latent in
        try sampler.inversion(of: latent, embedding: batch(embedding.optimized)) {
          try afterStep(of: "the photograph's inversion", made: 0)
        }
      }
      let autoencoder = try base.folder.autoencoder()
      for (index, edit) in missing.enumerated() {
        sampler.guidanceScale = edit.notes.guidanceScale
        let latent = try sampler.latent(
          from: inverted ?? noise(edit.seed ?? 0, like: autoencoder),
          embedding: between(edit.alpha)
        ) {
          try afterStep(of: edit.name, made: index)
        }
        guard latent.isFinite else {
          throw EditingError(
            .internalError,
            "\(edit.path): \(edit.name) gave a latent that is not finite; it was not saved")
        }
        let picture = try Picture(autoencoder.image(of: latent))
        try AtomicFile.write(picture.png(text: try edit.notes.chunks), to: edit.path)
        run.report(.wrote(file: edit.path))
      }
    }

    private mutating func sampler() throws -> Sampler {
      let unconditional = try base.embeddings(of: [""]).tensor
      let unet = try base.folder.unet()
      try unet.load(weights, from: run.folder.weights)
      weights.weights = [:]
      StoragePool.shared.trim()
      return Sampler(
        unet: unet, schedule: base.schedule, method: settings.generate.sampler,
        steps: settings.generate.steps, guidanceScale: 1, unconditional: unconditional)
    }

    /// `alpha * target + (1 - alpha) * optimised`, `[1, tokens, width]`.
    private func between(_ alpha: Double) -> Tensor {
      batch(
        Tensor.combination(Float(alpha), embedding.target, Float(1 - alpha), embedding.optimized))
    }

    private func batch(_ embedding: Tensor) -> Tensor {
      embedding.reshaped(Shape([1] + embedding.shape.array))
    }

    /// The noise of a seed in the latent's shape.
    private func noise(_ seed: UInt64, like autoencoder: AutoencoderKL) -> Tensor {
      let form = autoencoder.configuration
      let picture = embedding.picture
      return Philox(seed: seed, stream: .samplingNoise).normal([
        1, picture.height / form.factor, picture.width / form.factor, form.latentChannels,
      ])
    }

    private func writeContactSheet() throws {
      let columns = settings.generate.alphas.count
      let pictures = try edits.map { edit in
        try EditNotes.picture(at: edit.path, edit.notes) ?? Picture(contentsOf: edit.path)
      }
      let rows = stride(from: 0, to: edits.count, by: columns).map { first in
        ContactSheet.Row(
          label: edits.count > columns ? edits[first].seed.map { "seed \($0)" } : nil,
          edits: Array(pictures[first..<first + columns]))
      }
      let scale = settings.generate.guidanceScale.formatted()
      let guidance =
        switch settings.generate.guidanceCourse {
        case .rising where settings.generate.guidanceScale != 1: "guidance rising to \(scale)"
        default: "guidance \(scale)"
        }
      let start =
        settings.generate.start == .inversion ? "from the photograph's inversion" : "from noise"
      let method =
        switch settings.generate.sampler {
        case .ddim: ""
        case .dpmSolver: "of DPM-Solver++ "
        }
      let sheet = ContactSheet(
        prompt: settings.prompt,
        detail: "\(settings.generate.steps) steps \(method)\(start), \(guidance)",
        photograph: embedding.picture, alphas: settings.generate.alphas, rows: rows)
      let bytes = try sheet.render().png(text: [
        PNGText("Software", EditNotes.software), PNGText("Description", settings.prompt),
        PNGText("Settings", try SettingsJSON.encode(settings)),
      ])
      let path = run.folder.contactSheet
      if FileManager.default.contents(atPath: path) != Data(bytes) {
        try AtomicFile.write(bytes, to: path)
        run.report(.wrote(file: path))
      }
    }

    /// Measures a few steps of the sampler.
    private mutating func plan(_ missing: [Edit]) throws {
      let inverts = settings.generate.start == .inversion
      let steps = (missing.count + (inverts && !missing.isEmpty ? 1 : 0)) * settings.generate.steps
      var seconds = 0.0
      if !missing.isEmpty {
        var short = try sampler()
        short.steps = 3
        short.guidanceScale = settings.generate.guidanceScale
        let autoencoder = try base.folder.autoencoder()
        var marks: [Double] = []
        let latent = try short.latent(from: noise(0, like: autoencoder), embedding: between(0)) {
          marks.append(Resources.seconds)
        }
        let each = (marks[2] - marks[0]) / 2
        let began = Resources.seconds
        _ = autoencoder.image(of: latent)
        seconds = each * Double(steps) + (Resources.seconds - began) * Double(missing.count)
      }
      run.report(
        .plan(
          StagePlan(
            stage: stage, step: 0, steps: steps, seconds: seconds,
            memory: Resources.peakMemory)))
    }

    private func enter(seconds: Double) throws {
      run.enter(
        stage,
        Manifest.Entry(
          settings: settings,
          image: Manifest.File(path: settings.image, sha256: embedding.header.imageDigest),
          base: Manifest.File(path: base.path, sha256: baseDigest),
          checkpoints: [
            Manifest.File(
              path: run.folder.embedding,
              sha256: try SHA256Text.digest(ofFile: run.folder.embedding)),
            Manifest.File(path: run.folder.weights, sha256: weights.digest ?? ""),
          ],
          step: edits.count, steps: edits.count, complete: true, version: programVersion,
          threads: run.threads, seconds: seconds, peakMemory: Resources.peakMemory),
        begunAnew: true)
    }
  }
}
