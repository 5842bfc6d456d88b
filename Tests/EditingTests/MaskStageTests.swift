// The third stage with a mask: what stays, what changes, and what is told.

import Checkpoints
import Diffusion
import Foundation
import Images
import TestSupport
import Tensors
import Testing

@testable import Editing

/// Serialised: each test keeps all processors busy as it is.
@Suite(.serialized) struct MaskStageTests {
  private static let size = PictureSize(width: 48, height: 32)

  private let folder: TemporaryFolder
  private let photograph: Picture

  init() throws {
    folder = try TemporaryFolder()
    photograph = try Picture(contentsOf: Repository.photograph)
  }

  private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

  private func write(_ picture: Picture, _ name: String) throws -> String {
    try Data(picture.png()).write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  /// A mask with a white rectangle, given by shares of its sides.
  private func rectangle(
    _ width: Int, _ height: Int, x: ClosedRange<Double> = 0.4...0.7,
    y: ClosedRange<Double> = 0.3...0.6
  ) -> Picture {
    var mask = Picture(width: width, height: height, color: SIMD3(repeating: 0))
    for row in Int(y.lowerBound * Double(height))..<Int(y.upperBound * Double(height)) {
      for column in Int(x.lowerBound * Double(width))..<Int(x.upperBound * Double(width)) {
        mask[column, row] = SIMD3(repeating: 255)
      }
    }
    return mask
  }

  private func run(_ method: EditMethod = .sample, mask: String, in name: String = "run")
    -> StageRun
  {
    var request = EditRequest()
    request.image = Repository.photograph
    request.prompt = "a photo of a cow at sunset"
    request.base = Repository.base
    request.size = Self.size
    request.embedding = .init(steps: 2, learningRate: 0.01, batch: 1, source: "none")
    request.finetune = .init(steps: 2, learningRate: 1e-4, batch: 1)
    request.generate = .init(
      method: method, alphas: [0, 1], strengths: [0.5], guidanceScales: [3], seeds: [0, 7],
      steps: 4, guidanceScale: 2, guidanceCourse: .constant, start: .noise)
    request.masking = .init(mask: mask, feather: 1)
    var run = StageRun(folder: RunFolder(path: path(name)))
    run.request = request
    run.command = "the command"
    run.shouldStop = { false }
    return run
  }

  private final class Events { var all: [StageEvent] = [] }

  @discardableResult private func perform(_ run: StageRun) throws -> (
    written: [String], warnings: [String]
  ) {
    var run = run
    let events = Events()
    run.report = { events.all.append($0) }
    try GenerateStage.run(run)
    return (
      events.all.compactMap {
        guard case .wrote(let file) = $0 else { return nil }
        return String(file.dropFirst(run.folder.path.count + 1))
      }, events.all.compactMap { if case .warning(let text) = $0 { text } else { nil } }
    )
  }

  private func train(_ run: StageRun) throws {
    try EmbeddingStage.run(run)
    try WeightsStage.run(run)
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path(name)))
  }

  private func framed(_ name: String, in framing: Framing) throws -> FramedMask {
    try FramedMask(Picture.decode(Array(bytes(name)), name: name), name: name, in: framing)
  }

  /// Which pixels of two pictures differ.
  private func changed(_ picture: Picture, from other: Picture) -> [Bool] {
    (0..<picture.width * picture.height).map { index in
      picture[index % picture.width, index / picture.width]
        != other[index % picture.width, index / picture.width]
    }
  }

  /// Expects that a picture is the photograph to the bit where the mask with its rim is 0, and differs within it.
  private func expectKept(
    _ path: String, _ photograph: Picture, outside mask: Mask,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let edit = try Picture(contentsOf: path)
    try #require(
      (edit.width, edit.height) == (photograph.width, photograph.height),
      sourceLocation: sourceLocation)
    let changes = zip(changed(edit, from: photograph), mask.values)
    #expect(!changes.contains { $0 && $1 == 0 }, sourceLocation: sourceLocation)
    #expect(
      changes.count { $0 && $1 == 1 } * 2 > mask.values.count { $0 == 1 },
      sourceLocation: sourceLocation)
  }

  /// With every method, sampler and start, and with resampling.
  @Test(arguments: [
    (EditMethod.sample, SamplingMethod.ddim, SamplingStart.noise, 1), (.sample, .ddpm, .noise, 3),
    (.sample, .dpmSolver, .noise, 2), (.sdedit, .ddim, .noise, 2), (.sdedit, .ddpm, .noise, 1),
    (.ddimInversion, .ddim, .noise, 1), (.ddimInversion, .ddpm, .noise, 2),
    (.ddimInversion, .dpmSolver, .noise, 1), (.imagic, .ddim, .noise, 1),
    (.imagic, .ddpm, .inversion, 2), (.imagic, .dpmSolver, .inversion, 1),
  ])
  func outsideTheMaskPixelsAreThePhotographs(
    method: EditMethod, sampler: SamplingMethod, start: SamplingStart, resample: Int
  ) throws {
    let file = try write(rectangle(photograph.width, photograph.height), "mask.png")
    var run = run(method, mask: file)
    run.flags.generate.sampler = sampler
    run.flags.generate.start = start
    run.flags.generate.resample = resample
    run.flags.generate.resampleJump = 2
    if method == .imagic { try train(run) }
    let written = try perform(run).written
    let fitted = photograph.fitted(width: 48, height: 32)
    let framing = Framing(photograph: (photograph.width, photograph.height), picture: (48, 32))
    let mask = try framed("mask.png", in: framing)
    for name in written where name.hasPrefix("edits/") {
      try expectKept(path("run/\(name)"), fitted, outside: mask.picture.feathered(by: 1))
    }
    // What takes in noise on its way is another edit for each seed, also from the inversion.
    let inverts = method == .ddimInversion || start == .inversion
    let isNoisy = sampler == .ddpm || resample > 1
    #expect(written.contains { $0.hasSuffix("-seed-7.png") } == (!inverts || isNoisy))
    #expect(try perform(run).written.isEmpty)
  }

  /// To the bit, before anything is decoded.
  @Test(arguments: [EditMethod.sample, .ddimInversion, .sdedit], [1, 3])
  func finalLatentsOutsideTheMaskAreThePhotographs(method: EditMethod, resample: Int) throws {
    // As large as whole elements of the latent.
    let file = try write(rectangle(48, 32, y: 0.2...0.8), "mask.png")
    var run = run(method, mask: file)
    run.flags.generate.resample = resample
    run.flags.generate.resampleJump = 1
    var inputs = try EditInputs.read(run)
    let latent = try inputs.base.latent(of: inputs.photograph)
    var maker = try EditMaker(&inputs, in: run.folder) { _ in }
    let mask = try #require(inputs.mask?.framed).picture
    maker.keep(outside: mask)
    try maker.prepare {}
    let edits = inputs.settings.generate.places.map { place in
      let file = Edit.File(path: "", notes: inputs.notes(place, atFullSize: false))
      return Edit(place: place, file: file, fullSize: nil)
    }
    let free = mask.latent(factor: mask.width / latent.shape[2]).array
    let channels = latent.shape[3]
    #expect(free.contains(0) && free.contains(1))
    for edit in edits {
      let found = try maker.latent(of: edit) {}
      for index in 0..<latent.count {
        let isKept = free[index / channels] == 0
        let isSame = found.pointer[index].bitPattern == latent.pointer[index].bitPattern
        #expect(isSame == isKept, "\(edit.place.name) at \(index)")
      }
    }
  }

  /// At the photograph's own size, odd sides included, with every fit, and one that its file says to turn.
  @Test(arguments: [(403, 301, Fit.crop), (301, 403, .pad), (97, 33, .stretch), (37, 21, .crop)])
  func atFullSizeTheRestIsThePhotograph(width: Int, height: Int, fit: Fit) throws {
    let odd = photograph.fitted(width: width, height: height, by: .stretch)
    var run = run(mask: try write(rectangle(width, height), "mask.png"))
    run.flags.image = try write(odd, "odd.png")
    run.flags.fit = fit
    run.flags.masking = .init(feather: 3, fullSize: true)
    run.flags.generate.seeds = [0]
    let written = try perform(run).written
    #expect(
      written == [
        "edits/sample-seed-0.png", "edits/sample-seed-0-full-size.png", "contact-sheet-sample.png",
      ])
    let mask = try Mask(rectangle(width, height), name: "mask").feathered(by: 3)
    try expectKept(path("run/edits/sample-seed-0-full-size.png"), odd, outside: mask)
    // It is made of the edit alone, whatever else is there.
    let whole = try bytes("run/edits/sample-seed-0-full-size.png")
    try FileManager.default.removeItem(atPath: path("run/edits/sample-seed-0-full-size.png"))
    #expect(try perform(run).written == ["edits/sample-seed-0-full-size.png"])
    #expect(try bytes("run/edits/sample-seed-0-full-size.png") == whole)
    #expect(try perform(run).written.isEmpty)
  }

  @Test func aLargePhotographComesBackAsLarge() throws {
    var run = run(mask: try write(rectangle(400, 300), "mask.png"))
    let large = photograph.fitted(width: 4000, height: 3000, by: .stretch)
    run.flags.image = try write(large, "large.png")
    run.flags.masking.fullSize = true
    run.flags.generate.seeds = [0]
    try perform(run)
    let framing = Framing(photograph: (4000, 3000), picture: (48, 32))
    let mask = try framed("mask.png", in: framing)
    try expectKept(
      path("run/edits/sample-seed-0-full-size.png"), large,
      outside: mask.photograph.feathered(by: 1))
  }

  @Test func anAutomaticMaskIsSavedAndUsableAsAFile() throws {
    var run = run(.imagic, mask: "auto")
    run.flags.masking = .init(threshold: 0.3, grow: 1)
    try train(run)
    let written = try perform(run).written
    #expect(written.first == "mask.png" && written.last == "contact-sheet.png")
    let mask = try Mask(Picture(contentsOf: path("run/mask.png")), name: "mask.png")
    #expect((mask.width, mask.height) == (48, 32))
    #expect(mask.values.allSatisfy { $0 == 0 || $0 == 1 } && !mask.isBlack && !mask.isWhite)
    let edit = "run/edits/alpha-1.00-seed-0.png"
    try expectKept(
      path(edit), photograph.fitted(width: 48, height: 32), outside: mask.feathered(by: 1))
    let automatic = try Picture(contentsOf: path(edit))
    let bytes = try self.bytes("run/mask.png")
    #expect(try perform(run).written.isEmpty)

    // The same mask as a file gives the same pictures.
    var again = self.run(.imagic, mask: path("run/mask.png"))
    again.folder = run.folder
    #expect(try perform(again).written.contains("edits/alpha-1.00-seed-0.png"))
    #expect(try Picture(contentsOf: path(edit)) == automatic)
    #expect(try self.bytes("run/mask.png") == bytes)

    // A mask that is gone is found again; another threshold makes another mask, and other edits.
    try FileManager.default.removeItem(atPath: path("run/mask.png"))
    #expect(try perform(run).written.first == "mask.png")
    #expect(try self.bytes("run/mask.png") == bytes)
    run.flags.masking.threshold = 0.15
    #expect(try perform(run).written.count == 6)
    let wider = try Mask(Picture(contentsOf: path("run/mask.png")), name: "mask.png")
    #expect(wider.share > mask.share)
  }

  /// A caption of the photograph takes the place of the optimised embedding.
  @Test func anAutomaticMaskIsOfTheCaptionWhereThereIsOne() throws {
    var run = run(.imagic, mask: "auto")
    run.flags.generate.alphas = [1]
    run.flags.generate.seeds = [0]
    // What two captions differ in is spread too widely here for the default.
    run.flags.masking.threshold = 0.3
    try train(run)
    try perform(run)
    let mask = try Picture(contentsOf: path("run/mask.png"))
    run.flags.generate.source = "a photo of a cow on grass"
    #expect(try perform(run).written.first == "mask.png")
    let captioned = try Picture(contentsOf: path("run/mask.png"))
    #expect(captioned != mask)
    // The sentence itself differs from the photograph nowhere.
    run.flags.generate.source = run.request?.prompt
    let error = try #require(throws: EditingError.self) { try GenerateStage.run(run) }
    #expect(
      error.status == .badData && error.description.contains("wanted a lower --mask-threshold"))
  }

  @Test func stoppedAnywhereAndRunAgainItEndsWithTheSameBytes() throws {
    func run(_ name: String) -> StageRun {
      var run = self.run(mask: "auto", in: name)
      run.flags.generate.sampler = .ddpm
      run.flags.generate.resample = 2
      run.flags.generate.resampleJump = 2
      run.flags.masking.fullSize = true
      return run
    }
    let written = try perform(run("whole")).written
    final class Counter { var value = 0 }
    for steps in [3, 12, 8, 2] {
      var stopping = run("parts")
      let done = Counter()
      stopping.report = { if case .progress = $0 { done.value += 1 } }
      stopping.shouldStop = { done.value >= steps }
      let error = #expect(throws: EditingError.self) { try GenerateStage.run(stopping) }
      #expect(error?.status == .stopped)
    }
    try perform(run("parts"))
    #expect(written.count == 6)
    for file in written { #expect(try bytes("whole/\(file)") == bytes("parts/\(file)"), "\(file)") }
  }

  @Test func anotherMaskOrRimMakesOtherEdits() throws {
    var run = run(mask: try write(rectangle(48, 32), "mask.png"))
    #expect(try perform(run).written.count == 3)
    #expect(try perform(run).written.isEmpty)
    run.flags.masking.feather = 4
    #expect(try perform(run).written.count >= 2)
    _ = try write(rectangle(48, 32, x: 0.1...0.5), "mask.png")
    #expect(try perform(run).written.count == 3)
    // The same mask by another name is the same mask.
    run.flags.masking.mask = try write(rectangle(48, 32, x: 0.1...0.5), "other.png")
    #expect(try perform(run).written == ["contact-sheet-sample.png"])
    run.flags.masking = .init(mask: "none")
    #expect(try perform(run).written.count == 3)
  }

  @Test func picturesAndManifestTellTheMaskAndNoPaths() throws {
    let file = try write(rectangle(48, 32), "mask.png")
    var run = run(mask: file)
    run.flags.generate.resample = 2
    run.flags.generate.resampleJump = 2
    run.flags.masking.fullSize = true
    try perform(run)
    let digest = try SHA256Text.digest(ofFile: file)
    for (name, told) in [
      (
        "edits/sample-seed-0.png",
        [#""mask":{"feather":1,"file":"\#(digest)"}"#, #""resample":2,"resample-jump":2"#]
      ),
      ("edits/sample-seed-0-full-size.png", [#""image":""#]),
      ("contact-sheet-sample.png", [#""mask":"mask.png""#, #""feather":1"#]),
    ] {
      let chunks = try PNGText.read(Array(bytes("run/\(name)")), name: name)
      let settings = try #require(chunks.first { $0.keyword == "Settings" }?.text)
      for part in told { #expect(settings.contains(part), "\(settings)") }
      #expect(!settings.contains(folder.path))
    }
    let entry = try #require(
      Manifest.read(path("run/manifest.json")).manifest.stages["interpolate-generate sample"])
    #expect(entry.settings.generate.mask?.source == .file(path: file))
    #expect(entry.settings.generate.resample == 2)
    #expect(entry.mask == Manifest.File(path: file, sha256: digest))
  }

  @Test func theContactSheetShowsTheMask() throws {
    let masked = run(mask: try write(rectangle(48, 32), "mask.png"))
    try perform(masked)
    let sheet = try Picture(contentsOf: path("run/contact-sheet-sample.png"))
    var plain = masked
    plain.flags.masking = .init(mask: "none")
    try perform(plain)
    let narrow = try Picture(contentsOf: path("run/contact-sheet-sample.png"))
    // Tiles of 48x32 are shown five times as large.
    #expect(sheet.width > narrow.width + 240)
  }

  @Test func masksThatAreNoneGetAClearWord() throws {
    func error(_ mask: String, change: (inout StageRun) -> Void = { _ in }) throws -> any Error {
      var run = run(mask: mask)
      change(&run)
      return try #require(throws: (any Error).self) { try GenerateStage.run(run) }
    }
    for (picture, says) in [
      (rectangle(90, 50), "a mask of 90x50 pixels, wanted the proportions of the photograph"),
      (Picture(width: 48, height: 32, color: SIMD3(0, 0, 0)), "there is nothing to change"),
      (Picture(width: 48, height: 32, color: SIMD3(255, 0, 0)), "a picture in colour"),
    ] {
      let file = try write(picture, "mask.png")
      let error = try error(file)
      #expect(ExitStatus(of: error) == .badData && "\(error)".hasPrefix("\(file): "), "\(error)")
      #expect("\(error)".contains(says), "\(error)")
    }
    #expect(ExitStatus(of: try error(path("none.png"))) == .noInput)
    let text = try folder.write("no picture", to: "text.png")
    #expect(ExitStatus(of: try error(text)) == .badData)
    let jumps = try error("auto") { $0.flags.generate.resample = 2 }
    #expect(ExitStatus(of: jumps) == .usage && "\(jumps)".contains("jumps of 10 in 4 sampling"))
    #expect(!FileManager.default.fileExists(atPath: path("run/edits")))

    let white = run(
      mask: try write(Picture(width: 48, height: 32, color: SIMD3(255, 255, 255)), "mask.png"))
    let warnings = try perform(white).warnings
    #expect(warnings == ["the mask is white all over: nothing of the photograph is kept"])
  }

  /// A mask that goes by the photograph's framing needs the photograph, and the same one.
  @Test func anotherPhotographThanTheEditsIsRefused() throws {
    var run = run(
      .imagic, mask: try write(rectangle(photograph.width, photograph.height), "mask.png"))
    run.flags.image = try write(photograph, "photograph.png")
    try train(run)
    _ = try write(rectangle(photograph.width, photograph.height), "photograph.png")
    run.request = nil
    run.flags = EditRequest()
    run.flags.masking = .init(mask: path("mask.png"))
    let error = try #require(throws: EditingError.self) { try GenerateStage.run(run) }
    #expect(error.status == .badData)
    #expect(error.description.contains("photograph.png: found another photograph than the one"))
    // One of the edits' own size needs none.
    run.flags.masking.mask = try write(rectangle(48, 32), "small.png")
    #expect(try perform(run).written.last == "contact-sheet.png")
  }

  /// A mask that is none of this program's may have been corrected by hand.
  @Test func aMaskThatIsFoundAnewKeepsTheOneThatWasThere() throws {
    let run = run(mask: "auto")
    _ = try perform(run)
    let found = try Data(contentsOf: URL(fileURLWithPath: path("run/mask.png")))
    let mine = Data(try rectangle(48, 32).png())
    try mine.write(to: URL(fileURLWithPath: path("run/mask.png")))
    _ = try perform(run)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path("run/mask.png"))) == found)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path("run/mask.png.previous"))) == mine)
  }

  @Test func whatMakeComparesChangesWithTheMasksFile() throws {
    let run = run(mask: try write(rectangle(48, 32), "mask.png"))
    let before = try GenerateStage.printedSettings(run)
    #expect(try GenerateStage.printedSettings(run) == before)
    _ = try write(rectangle(48, 32, x: 0.1...0.9), "mask.png")
    #expect(try GenerateStage.printedSettings(run) != before)
  }

  @Test func aDryRunCountsDrawsAndResampling() throws {
    var dry = run(mask: "auto")
    dry.flags.generate.resample = 3
    dry.flags.generate.resampleJump = 2
    dry.isDry = true
    let events = Events()
    dry.report = { events.all.append($0) }
    try GenerateStage.run(dry)
    guard case .plan(let plan)? = events.all.last else {
      Issue.record("found \(events.all), wanted a plan")
      return
    }
    // Each word that can stand for one of the sentence's, ten draws, and for two seeds four steps with one jump of two, gone
    // through twice more.
    let words = try #require(try BaseWords(base: Repository.base))
    let replacements = words.replacements(in: try #require(dry.request?.prompt)).joined().count
    #expect(replacements > 0 && plan.steps == replacements + 10 + 2 * (4 + 2 * 2))
    #expect(!FileManager.default.fileExists(atPath: dry.folder.path))
  }
}
