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

  /// Ends a run that has nothing to train: its checkpoint has all the steps, or more than are wanted now.
  /// - Parameters:
  ///   - saved: what the checkpoint says.
  ///   - asked: how many steps are wanted.
  ///   - more: what else the run leaves.
  ///   - save: saves the checkpoint with another header.
  func finish(
    _ saved: CheckpointHeader, asked: Int, more: [String], save: (CheckpointHeader) throws -> String
  ) throws {
    if !saved.isComplete && !run.isDry {
      // It was begun with more steps in mind.
      var header = saved
      header.steps = saved.step
      header.isComplete = true
      enter(header, digest: try save(header), seconds: 0)
    }
    run.report(
      .note(
        asked < saved.step
          ? "\(path) is complete: it has \(saved.step) steps, and \(asked) were asked for"
          : "\(path) is complete"))
    tellResult(files: [path] + more, steps: saved.step, seconds: 0)
  }

  /// Trains to the last step and saves.
  /// - Parameters:
  ///   - steps: how many there are to be in all.
  ///   - step: trains one step, whose number counts from 0, and gives its loss.
  ///   - save: saves what was reached and gives the file's digest.
  ///   - more: what is left to do then, and the files that it leaves.
  /// - Throws: `EditingError`, `stopped`, where the run was told to stop, after it has saved.
  func train(
    steps: Int, step: (Int) throws -> Float,
    save: (CheckpointHeader, [Float]) throws -> String, more: () throws -> [String] = { [] }
  ) throws {
    if run.restarts { try AtomicFile.keepPrevious(path) }
    let began = Resources.seconds
    var losses = savedLosses
    if !losses.isEmpty { run.report(.note("\(path): going on from step \(losses.count)")) }
    var digest: String?
    let loop = TrainingLoop(
      stage: stage, steps: steps, saveInterval: run.checkpointInterval, report: run.report,
      shouldStop: run.shouldStop)
    let outcome = try loop.run(losses: &losses, step: step) { losses, _ in
      // Told to stop before a step of its own, a run has nothing newer than the file.
      guard losses.count > savedLosses.count else { return }
      digest = try save(header(losses.count), losses)
      run.report(.saved(file: path, step: losses.count))
    }
    let seconds = Resources.seconds - began
    if let digest { enter(header(losses.count), digest: digest, seconds: seconds) }
    guard outcome == .complete else {
      throw run.stopped(
        losses.isEmpty ? "before the first step" : "after step \(losses.count), saved in \(path)")
    }
    tellResult(files: [path] + (try more()), steps: losses.count, seconds: seconds)
  }

  /// Says how long the steps that are left take, by a measurement.
  func plan(steps: Int, step: (Int) throws -> Float) rethrows {
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
          seconds: each * Double(steps - savedLosses.count), memory: Resources.peakMemory)))
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
