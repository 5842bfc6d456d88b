// What both training stages do with their checkpoint: go on from it, replace it, enter it in the manifest, and say how
// they ended.

import Checkpoints

/// A training stage and its checkpoint.
struct TrainingStage {
  let run: StageRun
  let stage: Stage
  /// The checkpoint.
  let path: String
  /// The base's folder.
  let base: String
  /// What the checkpoint says after a number of steps.
  let header: (_ step: Int) -> CheckpointHeader
  /// The losses of the steps that are saved; empty for a run from the beginning.
  let savedLosses: [Float]

  /// Ends a run that has nothing to train: its checkpoint has all the steps, or more than are wanted now, or has reached
  /// the loss that is wanted now.
  /// - Parameters:
  ///   - saved: what the checkpoint says.
  ///   - digest: the SHA-256 of its file, where it is known.
  ///   - asked: what is wanted.
  ///   - more: what else the run leaves.
  ///   - save: saves the checkpoint with another header.
  func finish(
    _ saved: CheckpointHeader, digest: String?, asked: TrainingSettings, more: [String],
    save: (CheckpointHeader) throws -> String
  ) throws {
    if !saved.isComplete && !run.isDry {
      // It was begun with more steps in mind.
      var header = header(saved.step)
      header.complete()
      enter(header, digest: try save(header), seconds: 0)
    } else if !run.isDry {
      // A run that was killed between its last save and the entry has not been entered, or not so.
      let digest = try digest ?? SHA256Text.digest(ofFile: path)
      let entry = Manifest.read(run.folder.manifest).manifest.entry(of: stage, saved.settings)
      if entry?.complete != true || entry?.checkpoints.first?.sha256 != digest {
        enter(saved, digest: digest, seconds: 0)
      }
    }
    run.report(
      .note(
        asked.steps < saved.step
          ? "\(path) is complete: it has \(saved.step) steps, and \(asked.steps) were asked for"
          : "\(path) is complete" + (whyEarly(savedLosses, asked).map { ": \($0)" } ?? "")))
    tellResult(files: [path] + more, steps: saved.step, seconds: 0)
  }

  /// Why the training ended before its last step; nil where it did not.
  private func whyEarly(_ losses: [Float], _ asked: TrainingSettings) -> String? {
    guard losses.count < asked.steps, let goal = asked.lossGoal,
      let mean = LossGoal.mean(losses)
    else { return nil }
    return "after \(losses.count) of \(asked.steps) steps, the mean of the last "
      + "\(LossGoal.window) losses is \(mean.formatted(.number.precision(.significantDigits(4)))), "
      + "and until \(goal.loss) was asked for"
  }

  /// Trains to the last step, or to the loss that is wanted, and saves.
  /// - Parameters:
  ///   - asked: how many steps there are to be in all, and what ends them before.
  ///   - step: trains one step, whose number counts from 0, and gives its loss.
  ///   - save: saves what was reached and gives the file's digest.
  ///   - more: what is left to do then, and the files that it leaves.
  /// - Throws: `EditingError`, `stopped`, where the run was told to stop, after it has saved.
  func train(
    _ asked: TrainingSettings, step: (Int) throws -> Float,
    save: (CheckpointHeader, [Float]) throws -> String, more: () throws -> [String] = { [] }
  ) throws {
    let began = Resources.seconds
    var losses = savedLosses
    if !losses.isEmpty { run.report(.note("\(path): going on from step \(losses.count)")) }
    var written: (header: CheckpointHeader, digest: String)?
    let loop = TrainingLoop(
      stage: stage, steps: asked.steps, goal: asked.lossGoal, saveInterval: run.checkpointInterval,
      report: run.report,
      shouldStop: run.shouldStop)
    let outcome = try loop.run(losses: &losses, step: step) { losses, complete in
      // Told to stop before a step of its own, a run has nothing newer than the file.
      guard losses.count > savedLosses.count else { return }
      var header = header(losses.count)
      if complete { header.complete() }
      // Not before there is something to take its place: until then the old file is what a run can go by.
      if run.restarts, written == nil { try AtomicFile.linkPrevious(path) }
      written = (header, try save(header, losses))
      run.report(.saved(file: path, step: losses.count))
    }
    let seconds = Resources.seconds - began
    if let written { enter(written.header, digest: written.digest, seconds: seconds) }
    guard outcome == .complete else {
      throw losses.isEmpty
        ? run.stoppedBeforeTheFirstStep
        : run.stopped("after step \(losses.count), saved in \(path)")
    }
    if let why = whyEarly(losses, asked) { run.report(.note("complete: \(why)")) }
    tellResult(files: [path] + (try more()), steps: losses.count, seconds: seconds)
  }

  /// Says how long the steps that are left take, by a measurement.
  /// - Parameter before: how long what comes before them takes, in seconds.
  func plan(steps: Int, step: (Int) throws -> Float, before: Double = 0) rethrows {
    // The first step is slower: it takes its memory from the system.
    _ = try step(0)
    let began = Resources.seconds
    _ = try step(1)
    _ = try step(2)
    let each = (Resources.seconds - began) / 2
    run.report(
      .plan(
        StagePlan(
          stage: stage, step: savedLosses.count, steps: steps,
          seconds: before + each * Double(steps - savedLosses.count), memory: Resources.peakMemory))
    )
  }

  private func tellResult(files: [String], steps: Int, seconds: Double) {
    run.report(
      .finished(
        StageResult(
          stage: stage, files: files, step: steps, steps: steps, seconds: seconds,
          peakMemory: Resources.peakMemory)))
  }

  private func enter(_ header: CheckpointHeader, digest: String, seconds: Double) {
    run.enter(
      stage,
      Manifest.Entry(
        settings: header.settings,
        image: Manifest.File(path: header.settings.image, sha256: header.imageDigest),
        base: Manifest.File(path: base, sha256: header.baseDigest),
        checkpoints: [Manifest.File(path: path, sha256: digest)],
        step: header.step, steps: header.steps, complete: header.isComplete,
        version: programVersion, threads: run.threads, seconds: seconds,
        peakMemory: Resources.peakMemory),
      begunAnew: savedLosses.isEmpty)
  }
}
