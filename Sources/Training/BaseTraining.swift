// The training of a base from captioned pictures, from nothing to a folder that diffusers opens: autoencoder, latents,
// then text encoder and denoiser. Each part goes on from what it saved.

import Checkpoints
import Diffusion
import Editing
import Foundation
import Images
import Layers
import Models
import Tensors
import Weights

/// One run of a base's training.
public struct BaseTraining {
  public var recipe = Recipe()
  /// Folders of captioned pictures.
  public var data: [String] = []
  /// Folders of pictures for the autoencoder alone, whose captions don't count.
  public var pictures: [String] = []
  /// Folders of pictures that are only measured on.
  public var heldOut: [String] = []
  /// The run's folder; the base comes to be in `base` there.
  public var folder: String
  /// A base whose weights, and whose tokenizer, the training begins with.
  public var origin: String?
  /// A base whose autoencoder is taken over as it is, instead of training one.
  public var autoencoder: String?
  public var seed: UInt64 = 0
  public var checkpointInterval: Double?
  public var isDry = false
  public var restarts = false
  public var command = ""
  public var report: (StageEvent) -> Void = { _ in }
  public var shouldStop: () -> Bool = { StopSignal.number != nil }

  public init(folder: String) { self.folder = folder }

  private var base: String { "\(folder)/base" }

  /// Trains until the base is complete.
  /// - Throws: `EditingError`, `StoreError` or `LoadingError`; what was reached is saved then, and the same command goes
  ///   on from it.
  public func run() throws {
    if isDry { return try plan() }
    try RunFolder(path: folder).create()
    let lock = try RunLock(folder: folder)
    defer { lock.release() }
    let began = Resources.seconds
    let lists = try Lists(self)
    // Before anything of the run is touched: another training's base would get these captions' tokenizer.
    _ = try reached(lists)
    if restarts { try beginAnew() }
    let captioned = lists.captioned
    let training = try cache(captioned, "pictures", grid: weighsThings ? side : 0)
    let held = try heldOut.enumerated().map { index, path in
      try cache([CaptionedPictures(folder: path)], "held-out-\(index)")
    }
    let form = try tokenizerAndForm(training.index.captions)
    try form.write(to: base)
    try writeCaptions()

    var told = recipe
    // One that is taken over was not trained by the recipe's steps here.
    if self.autoencoder != nil { told.autoencoder.training.steps = 0 }
    var card = BaseCard(recipe: told, pictures: training.count)
    let autoencoder = try trainAutoencoder(training, lists, held, &card)
    let tokenizer = try CLIPTokenizer(
      folder: URL(fileURLWithPath: "\(base)/tokenizer", isDirectory: true))
    let steps = try trainDenoiser(
      training, held, autoencoder, tokenizer, origin: lists.origin + autoencoder.digest, &card)
    try AtomicFile.write(Array(card.text.utf8), to: "\(base)/README.md")
    for problem in training.index.skipped { report(.warning(problem)) }
    if !training.index.skipped.isEmpty {
      report(
        .warning(
          "\(training.index.skipped.count) of "
            + "\(training.count + training.index.skipped.count) pictures were skipped"))
    }
    report(
      .finished(
        StageResult(
          stage: .denoiserTraining, files: [base], step: steps, steps: steps,
          seconds: Resources.seconds - began, peakMemory: Resources.peakMemory)))
  }

  /// Says how long what is left of the parts would take, by a few steps of each on grey pictures, and writes nothing.
  private func plan() throws {
    let lists = try Lists(self)
    let reached = try reached(lists)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "base-train-\(getpid())"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let form = try tokenizerAndForm(lists.captioned.flatMap { $0.entries.map(\.caption) })
    try form.write(to: folder)
    let base = try BaseFolder(URL(fileURLWithPath: folder))
    let grey = PictureCache(grey: 64, size: recipe.size)
    func plan(
      _ stage: Stage, _ schedule: Recipe.Schedule, _ reached: TrainingState.Reached?,
      step: (Int) -> Float
    ) {
      if let reached, reached.steps >= schedule.steps {
        return report(.note("\(reached.path) is complete"))
      }
      let done = reached?.steps ?? 0
      // The first step takes its memory from the system.
      _ = step(0)
      let began = Resources.seconds
      _ = step(1)
      _ = step(2)
      report(
        .plan(
          StagePlan(
            stage: stage, step: done, steps: schedule.steps,
            seconds: (Resources.seconds - began) / 2 * Double(schedule.steps - done),
            memory: Resources.peakMemory)))
    }
    if let source = takenOver {
      try checkForm(ofAutoencoder: source, base.autoencoderConfiguration())
    } else {
      let autoencoder = AutoencoderTraining(
        try AutoencoderKL(base.autoencoderConfiguration(), Initialization(seed: 0, first: 0).store),
        recipe.autoencoder, pictures: grey, seed: seed)
      plan(
        .autoencoderTraining, recipe.autoencoder.training, reached.autoencoder,
        step: autoencoder.step)
    }
    let empty = Array(repeating: form.tokenizer.endID, count: recipe.text.tokens)
    let denoiser = DenoiserTraining(
      text: try CLIPTextModel(
        base.textConfiguration(), Initialization(seed: 0, first: 1 << 16).store),
      unet: try UNet2DConditionModel(
        base.unetConfiguration(), Initialization(seed: 0, first: 1 << 17).store),
      recipe.denoiser, schedule: try base.schedule(),
      latents: Tensor(zeros: [64, side, side, recipe.autoencoder.latentChannels]),
      captions: Array(repeating: empty, count: 64), empty: empty, seed: seed)
    plan(.denoiserTraining, recipe.denoiser.training, reached.denoiser, step: denoiser.step)
  }

  private func beginAnew() throws {
    for name in ["autoencoder.h5", "denoiser.h5"] {
      try AtomicFile.keepPrevious("\(folder)/\(name)")
    }
    // What was made of the pictures knows them by their lists: a picture that was mended since would still be left out.
    let files = FileManager.default
    for name in try files.contentsOfDirectory(atPath: folder)
    where name == "latents" || name.hasSuffix(".pixels") {
      try files.removeItem(atPath: "\(folder)/\(name)")
    }
  }

  // MARK: - What is saved

  /// What the training is of.
  private struct Lists {
    let captioned: [CaptionedPictures]
    /// Pictures for the autoencoder alone.
    let extra: [CaptionedPictures]
    /// SHA-256 of the base that the training begins with; empty where there is none.
    let origin: String

    init(_ training: BaseTraining) throws {
      captioned = try training.data.map { try CaptionedPictures(folder: $0) }
      extra = try training.pictures.map { try CaptionedPictures(folder: $0) }
      origin = try training.origin.map { try SHA256Text.digest(ofFolder: $0) } ?? ""
    }
  }

  /// The base whose autoencoder is taken over; nil where one is trained.
  private var takenOver: String? {
    autoencoder ?? (recipe.autoencoder.training.steps > 0 ? nil : origin)
  }

  private static let autoencoderWeights = "vae/diffusion_pytorch_model.safetensors"

  /// How far the parts are that the run's folder has.
  /// - Throws: `EditingError`, `badData`, where one is of another training; `usage` where the autoencoder would not be the
  ///   one whose latents the denoiser was trained on, or there is none to train or take over.
  private func reached(_ lists: Lists) throws -> (
    autoencoder: TrainingState.Reached?, denoiser: TrainingState.Reached?
  ) {
    let source = takenOver
    guard source != nil || recipe.autoencoder.training.steps > 0 else {
      throw EditingError(
        .usage, "autoencoder: found 0 steps and no base to begin with, wanted one or the other")
    }
    guard !restarts else { return (nil, nil) }
    let hasDenoiser = FileManager.default.fileExists(atPath: "\(folder)/denoiser.h5")
    var autoencoder: TrainingState.Reached?
    if source == nil {
      let data = PictureCache.digest(lists.captioned + lists.extra, size: recipe.size)
      autoencoder = try autoencoderState(data: data, origin: lists.origin).reached()
      if hasDenoiser { try checkThatTheDenoiserStays(autoencoder) }
    }
    guard hasDenoiser else { return (autoencoder, nil) }
    let weights = "\(source ?? base)/\(Self.autoencoderWeights)"
    // Where the weights are yet to be written, the training compares them then.
    let digest =
      FileManager.default.fileExists(atPath: weights)
      ? try SHA256Text.digest(ofFile: weights) : nil
    let data = PictureCache.digest(
      lists.captioned, size: recipe.size, grid: weighsThings ? side : 0)
    return (
      autoencoder,
      try denoiserState(data: data, origin: digest.map { lists.origin + $0 }).reached()
    )
  }

  private func autoencoderState(data: String, origin: String, names: [String] = []) throws
    -> TrainingState
  {
    TrainingState(
      path: "\(folder)/autoencoder.h5",
      identity: .init(
        part: "autoencoder", recipe: try SettingsJSON.encode(recipe.autoencoder.withoutSteps),
        data: data, seed: seed, origin: origin),
      names: names)
  }

  private func denoiserState(data: String, origin: String?, names: [String] = []) throws
    -> TrainingState
  {
    TrainingState(
      path: "\(folder)/denoiser.h5",
      identity: .init(
        part: "denoiser",
        recipe: try SettingsJSON.encode(recipe.denoiser.withoutSteps)
          + SettingsJSON.encode(recipe.text),
        data: data, seed: seed, origin: origin),
      names: names)
  }

  /// An autoencoder of more steps, or a new one, would change the latents that the denoiser was trained on.
  /// - Throws: `EditingError`, `usage`, where that would be.
  private func checkThatTheDenoiserStays(_ autoencoder: TrainingState.Reached?) throws {
    let steps = recipe.autoencoder.training.steps
    guard let autoencoder else {
      throw EditingError(
        .usage,
        "\(folder)/denoiser.h5: found no autoencoder.h5 beside it, and a new autoencoder would be another "
          + "than it was trained on, wanted --autoencoder; --restart begins both anew")
    }
    guard autoencoder.steps >= steps else {
      throw EditingError(
        .usage,
        "\(autoencoder.path): found \(autoencoder.steps) steps, wanted \(steps), with which "
          + "denoiser.h5, trained on its latents, would be lost; --restart begins both anew")
    }
  }

  /// Whether masks count, and the side of the latents, which they are brought to.
  private var weighsThings: Bool { recipe.denoiser.thingWeight != 1 }
  private var side: Int { recipe.size / recipe.factor }

  private func cache(_ folders: [CaptionedPictures], _ name: String, grid: Int = 0) throws
    -> PictureCache
  {
    try PictureCache(
      folders, size: recipe.size, grid: grid, path: "\(folder)/\(name)", report: report)
  }

  /// Gives the base what says how its captions are made up, where that stands beside the pictures or in the base which the
  /// training begins with.
  /// - Throws: `EditingError`, `badData`, where it is no such file.
  private func writeCaptions() throws {
    let name = BaseCaptions.file
    guard
      let folder = (data + [origin].compactMap { $0 }).first(where: {
        FileManager.default.fileExists(atPath: "\($0)/\(name)")
      }), try BaseCaptions(base: folder) != nil
    else { return }
    let bytes = FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
    try AtomicFile.write(Array(bytes), to: "\(base)/\(name)")
  }

  /// A tokenizer learnt from the captions; that of the base which the training begins with, where there is one.
  private func tokenizerAndForm(_ captions: [String]) throws -> BaseForm {
    guard let origin else {
      return BaseForm(
        recipe: recipe, tokenizer: BytePairTraining(texts: captions, size: recipe.text.vocabulary))
    }
    return BaseForm(
      recipe: recipe,
      tokenizer: try BytePairTraining(
        folder: URL(fileURLWithPath: "\(origin)/tokenizer", isDirectory: true), texts: captions))
  }

  // MARK: - Autoencoder

  private func trainAutoencoder(
    _ training: PictureCache, _ lists: Lists, _ held: [PictureCache], _ card: inout BaseCard
  ) throws -> (model: AutoencoderKL, digest: String) {
    let weights = URL(fileURLWithPath: "\(base)/\(Self.autoencoderWeights)")
    let configuration = try BaseFolder(URL(fileURLWithPath: base)).autoencoderConfiguration()
    if let source = takenOver {
      try takeOver(autoencoder: source, configuration, weights: weights.path)
    } else {
      // The pictures of both kinds are mixed by their order.
      let all =
        lists.extra.isEmpty
        ? training : try cache(lists.captioned + lists.extra, "autoencoder-pictures")
      let part = AutoencoderTraining(
        try AutoencoderKL(
          configuration, try store(origin: self.origin, part: "vae", first: 0)),
        recipe.autoencoder, pictures: all, seed: seed)
      let state = try autoencoderState(
        data: all.index.digest, origin: lists.origin, names: part.model.parameters.map(\.name))
      func quality(_ index: Int) -> String {
        "\(String(format: "%.2f", part.quality(of: held[index], count: 96))) dB on \(heldOut[index])"
      }
      let (wasComplete, seconds) = try train(
        .autoencoderTraining, recipe.autoencoder.training, state, part.optimizer, step: part.step,
        look: { step in
          for index in held.indices {
            report(.note("autoencoder, step \(step): \(quality(index))"))
          }
        })
      card.autoencoderSeconds = seconds
      card.figures += held.indices.map { "Autoencoder: \(quality($0))." }
      if !wasComplete || !FileManager.default.fileExists(atPath: weights.path) {
        try part.optimizer.withAverages {
          let spread = Latents.spread(of: training, by: part.model, count: 4096)
          let stored = Dictionary(
            uniqueKeysWithValues: part.model.parameters.map { ($0.name, $0.storedValue) })
          try Self.write(
            Latents.normalize(stored, means: spread.means, deviations: spread.deviations),
            to: weights)
        }
      }
    }
    return (
      try BaseFolder(URL(fileURLWithPath: base)).autoencoder(),
      try SHA256Text.digest(ofFile: weights.path)
    )
  }

  /// Copies the autoencoder of a base, whose form has to be the recipe's: what differs may be the scale of its latents.
  private func takeOver(
    autoencoder source: String, _ form: AutoencoderConfiguration, weights: String
  ) throws {
    try checkForm(ofAutoencoder: source, form)
    for (file, target) in [
      ("vae/config.json", "\(base)/vae/config.json"), (Self.autoencoderWeights, weights),
    ] {
      try Self.copy("\(source)/\(file)", to: target)
    }
  }

  private func checkForm(ofAutoencoder source: String, _ form: AutoencoderConfiguration) throws {
    let file = "vae/config.json"
    var found = try AutoencoderConfiguration(
      contentsOf: URL(fileURLWithPath: "\(source)/\(file)"))
    found.scalingFactor = form.scalingFactor
    guard found == form else {
      throw EditingError(
        .badData,
        "\(source)/\(file): found an autoencoder of another form than the recipe's, wanted the same "
          + "channels, layers, groups and size")
    }
  }

  // MARK: - Denoiser

  private func trainDenoiser(
    _ training: PictureCache, _ held: [PictureCache],
    _ autoencoder: (model: AutoencoderKL, digest: String), _ tokenizer: CLIPTokenizer,
    origin: String, _ card: inout BaseCard
  ) throws -> Int {
    let folder = try BaseFolder(URL(fileURLWithPath: base))
    let digest = autoencoder.digest + training.index.digest
    let latents = try Latents.all(
      of: training, by: autoencoder.model, digest: digest, folder: "\(self.folder)/latents",
      report: report)
    let heldLatents = held.first.map { held in
      (0..<min(512, held.count)).map { autoencoder.model.latent(of: held.pictures([$0])) }
    }
    func tokens(_ captions: [String]) -> [[Int]] { captions.map { tokenizer.encode($0).ids } }
    let heldCaptions = held.first.map { tokens(Array($0.index.captions.prefix(512))) } ?? []
    let part = DenoiserTraining(
      text: try CLIPTextModel(
        try folder.textConfiguration(),
        try store(origin: self.origin, part: "text_encoder", first: 1 << 16)),
      unet: try UNet2DConditionModel(
        try folder.unetConfiguration(), try store(origin: self.origin, part: "unet", first: 1 << 17)
      ),
      recipe.denoiser, schedule: try folder.schedule(), latents: latents,
      masks: weighsThings ? training.masks(Array(0..<training.count)) : nil,
      captions: tokens(training.index.captions), empty: tokenizer.encode("").ids, seed: seed)
    let state = try denoiserState(
      data: training.index.digest, origin: origin, names: part.names)
    func export() throws {
      try part.optimizer.withAverages {
        for (name, parameters) in [
          ("unet/diffusion_pytorch_model", part.unet.parameters),
          ("text_encoder/model", part.text.parameters),
        ] {
          try Self.write(
            Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.storedValue) }),
            to: URL(fileURLWithPath: "\(base)/\(name).safetensors"))
        }
      }
    }
    let samples =
      recipe.samples.isEmpty
      ? Array(training.index.captions.prefix(8)) : recipe.samples
    func heldOutLoss() -> String? {
      guard let heldLatents, !heldLatents.isEmpty else { return nil }
      let loss = part.heldOutLoss(Tensor(concatenating: heldLatents), captions: heldCaptions)
      return "loss \(String(format: "%.4f", loss)) on \(heldOut[0])"
    }
    let (wasComplete, seconds) = try train(
      .denoiserTraining, recipe.denoiser.training, state, part.optimizer, step: part.step,
      look: { step in
        if let loss = heldOutLoss() { report(.note("denoiser, step \(step): \(loss)")) }
        let latent = try part.samples(tokens(samples), guidanceScale: 2)
        let decoded = try Picture.pictures(autoencoder.model.image(of: latent))
        let grid = PictureGrid(pictures: decoded, captions: samples)
        try AtomicFile.write(grid.render().png(), to: "\(self.folder)/samples.png")
        report(.wrote(file: "\(self.folder)/samples.png"))
        try export()
      })
    if !wasComplete { try export() }
    card.denoiserSeconds = seconds
    card.figures += heldOutLoss().map { ["Denoiser: \($0)."] } ?? []
    return recipe.denoiser.training.steps
  }

  // MARK: - What both have in common

  /// Trains a part to its last step.
  /// - Parameters:
  ///   - look: measures and shows what was reached, now and then and at the end, by the number of steps alone.
  /// - Returns: whether the part was complete already, and how many seconds it took in all.
  private func train(
    _ stage: Stage, _ schedule: Recipe.Schedule, _ state: TrainingState, _ optimizer: Optimizer,
    step: (Int) -> Float, look: (Int) throws -> Void
  ) throws -> (wasComplete: Bool, seconds: Double) {
    let saved = try state.resume(optimizer)
    if let saved, saved.isComplete, saved.losses.count >= schedule.steps {
      report(.note("\(state.path) is complete"))
      return (true, saved.seconds)
    }
    let began = Resources.seconds - (saved?.seconds ?? 0)
    var losses = saved?.losses ?? []
    if !losses.isEmpty { report(.note("\(state.path): going on from step \(losses.count)")) }
    let period = max(1, schedule.steps / 12)
    let loop = TrainingLoop(
      stage: stage, steps: schedule.steps, saveInterval: checkpointInterval ?? 300,
      samplesPerStep: schedule.batch, report: report, shouldStop: shouldStop)
    let outcome = try loop.run(losses: &losses) { number in
      if number > 0, number % period == 0 { try look(number) }
      return step(number)
    } save: { losses, complete in
      if complete { try look(losses.count) }
      try state.save(
        optimizer, losses: losses, seconds: Resources.seconds - began, complete: complete)
      report(.saved(file: state.path, step: losses.count))
      try drawLosses(losses, stage)
    }
    guard outcome == .complete else {
      throw EditingError(
        .stopped,
        "stopped after step \(losses.count) of the \(stage.rawValue), saved in \(state.path); go on "
          + "with: \(command)")
    }
    return (false, Resources.seconds - began)
  }

  private func drawLosses(_ losses: [Float], _ stage: Stage) throws {
    let chart = LossChart(losses: losses, title: "\(stage.rawValue): loss by step")
    try AtomicFile.write(chart.render().png(), to: "\(folder)/\(stage.rawValue)-loss.png")
  }

  /// Where a network's parameters come from: the base that the training begins with, or random numbers.
  private func store(origin: String?, part: String, first: Int) throws -> ParameterStore {
    guard let origin else { return Initialization(seed: seed, first: first).store }
    let source = try WeightSource(
      folder: URL(fileURLWithPath: "\(origin)/\(part)", isDirectory: true),
      fileName: part == "text_encoder" ? .transformers : .diffusers, renames: [])
    return ParameterStore { try source.tensor($0, $1) }
  }

  private static func write(_ weights: [String: Tensor], to url: URL) throws {
    try SafetensorsWriter.write(weights.mapValues(\.shape), to: url, precision: .float16) {
      weights[$0]!
    }
  }

  private static func copy(_ source: String, to target: String) throws {
    guard let bytes = FileManager.default.contents(atPath: source) else {
      throw EditingError(.noInput, "\(source): there is no such file, wanted weights")
    }
    try AtomicFile.write(Array(bytes), to: target)
  }
}
