import Foundation
import TestSupport
import Testing

@testable import Editing

@Suite struct EditSettingsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func request() -> EditRequest {
    var request = EditRequest()
    request.image = "/a.png"
    request.prompt = "a sentence"
    request.base = folder.path
    return request
  }

  @Test func strongerLayersWin() throws {
    _ = try folder.write(
      #"{"embedding": {"steps": 150, "learning-rate": 0.01, "batch": 4}}"#, to: "imagic.json")
    var request = request()
    request.embedding.learningRate = 0.02
    request.embedding.steps = 200
    var flags = EditRequest()
    flags.embedding.steps = 300
    let settings = try EditSettings(request: request, flags: flags)
    #expect(settings.embedding == TrainingSettings(steps: 300, learningRate: 0.02, batch: 4))
    // What no layer has is as published for Stable Diffusion.
    #expect(settings.finetune == TrainingSettings(steps: 1500, learningRate: 5e-7, batch: 1))
    #expect(settings.generate.guidanceScale == 3 && settings.generate.steps == 50)
    #expect(settings.generate.guidanceCourse == .constant)
    #expect(settings.generate.start == .noise && settings.seed == 0 && settings.fit == .crop)
  }

  @Test(arguments: [(0.0, 1.0), (0.5, 2.5), (1, 4), (1.2, 4), (-0.5, 1)])
  func guidanceRisesFromNoneToAll(alpha: Double, scale: Double) throws {
    var request = request()
    request.generate.guidanceScale = 4
    let constant = try EditSettings(request: request, flags: EditRequest()).generate
    #expect(constant.guidanceScale(at: alpha) == 4)
    request.generate.guidanceCourse = .rising
    let rising = try EditSettings(request: request, flags: EditRequest()).generate
    #expect(rising.guidanceScale(at: alpha) == scale)
  }

  @Test func aRankOfAWeakLayerCountsOnceLoRAIsAskedFor() throws {
    var request = request()
    request.lowRank.rank = 4
    var flags = EditRequest()
    #expect(try EditSettings(request: request, flags: flags).finetune.lora == nil)
    flags.lowRank.tune = .lora
    let settings = try EditSettings(request: request, flags: flags)
    #expect(settings.finetune.lora == LoRASettings(rank: 4, convolutions: false))
    #expect(settings.embedding.lora == nil)
    // Saved settings go on, and a flag can take LoRA back.
    flags.lowRank = .init(convolutions: true)
    let saved = try EditSettings(saved: settings, request: EditRequest(), flags: flags)
    #expect(saved.finetune.lora == LoRASettings(rank: 4, convolutions: true))
    flags.lowRank = .init(tune: .all)
    let all = try EditSettings(saved: settings, request: EditRequest(), flags: flags)
    #expect(all.finetune.lora == nil)
    flags.lowRank.rank = 4
    let error = try #require(throws: EditingError.self) {
      try EditSettings(saved: settings, request: EditRequest(), flags: flags)
    }
    #expect(error.status == .usage && error.description.contains("wanted --tune lora"))
  }

  @Test func whatBelongsToAMaskCountsOnceThereIsOne() throws {
    var request = request()
    request.masking = .init(feather: 3, threshold: 0.3)
    var flags = EditRequest()
    #expect(try EditSettings(request: request, flags: flags).generate.mask == nil)
    flags.masking.mask = "auto"
    let settings = try EditSettings(request: request, flags: flags)
    var expected = MaskSettings(source: .automatic)
    expected.feather = 3
    expected.threshold = 0.3
    #expect(settings.generate.mask == expected)
    let text = try SettingsJSON.encode(settings)
    #expect(try SettingsJSON.decode(EditSettings.self, from: text, source: "a") == settings)
    // Saved settings go on, another mask keeps their feather, and a flag can take the mask back.
    flags.masking = .init(mask: "/m.png", fullSize: true)
    let other = try EditSettings(saved: settings, request: EditRequest(), flags: flags)
    #expect(other.generate.mask?.source == .file(path: "/m.png"))
    #expect(other.generate.mask?.feather == 3 && other.generate.mask?.fullSize == true)
    flags.masking = .init(mask: "none")
    #expect(
      try EditSettings(saved: settings, request: EditRequest(), flags: flags).generate.mask == nil)
  }

  @Test(arguments: [
    (EditRequest.Masking(feather: 1), "--feather and --full-size: found no --mask"),
    (EditRequest.Masking(fullSize: true), "--feather and --full-size: found no --mask"),
    (EditRequest.Masking(threshold: 0.5), "--mask-threshold and --mask-grow: found no --mask"),
    (EditRequest.Masking(mask: "/m.png", grow: 1), "--mask-grow: found another --mask"),
  ]) func flagsOfAMaskWantOne(flags: EditRequest.Masking, says: String) throws {
    var asked = EditRequest()
    asked.masking = flags
    let error = try #require(throws: EditingError.self) {
      try EditSettings(request: request(), flags: asked)
    }
    #expect(error.status == .usage && error.description.contains(says), "\(error)")
  }

  @Test(arguments: [
    (nil, 64, 64, 1), (nil, 512, 768, 8), (nil, 4000, 3000, 47), (nil, 20, 20, 0), (5, 64, 64, 5),
  ])
  func theFeatherIsASixtyFourthWhereNotGiven(feather: Int?, width: Int, height: Int, pixels: Int) {
    var mask = MaskSettings(source: .automatic)
    mask.feather = feather
    #expect(mask.feather(width: width, height: height) == pixels)
  }

  @Test func savedSettingsStandInForARequest() throws {
    var saved = try EditSettings(request: request(), flags: EditRequest())
    saved.finetune.steps = 7
    _ = try folder.write(#"{"finetune": {"steps": 150}}"#, to: "imagic.json")
    var flags = EditRequest()
    flags.generate.alphas = [0.5]
    let settings = try EditSettings(saved: saved, request: EditRequest(), flags: flags)
    saved.generate.alphas = [0.5]
    #expect(settings == saved)
  }

  @Test func whatIsMissingIsNamed() throws {
    var request = request()
    request.prompt = nil
    var error = try #require(throws: EditingError.self) {
      try EditSettings(request: request, flags: EditRequest())
    }
    #expect(error.status == .usage && error.description.hasPrefix("no sentence"))
    request.image = nil
    error = try #require(throws: EditingError.self) {
      try EditSettings(request: request, flags: EditRequest())
    }
    #expect(error.status == .usage && error.description.hasPrefix("no photograph"))
  }

  @Test func whatIsGivenAwayHasFileNamesOnly() {
    let settings = EditSettings(
      published: "/home/a/photos/b.png", prompt: "a sentence", base: "/home/a/base")
    #expect(settings.shareable.image == "b.png" && settings.shareable.base == "base")
  }

  @Test func jsonHasSortedKeysAndComesBack() throws {
    var settings = try EditSettings(request: request(), flags: EditRequest())
    settings.size = PictureSize(width: 96, height: 64)
    settings.seed = UInt64(Int64.max)
    settings.embedding.learningRate = 0.1 + 0.2
    let text = try SettingsJSON.encode(settings)
    #expect(text.hasPrefix(#"{"base":"#) && text.contains(#""learning-rate":0.30000000000000004"#))
    #expect(text.contains(#""size":[96,64]"#))
    #expect(try SettingsJSON.decode(EditSettings.self, from: text, source: "a") == settings)
  }

  /// Files that were saved before there was a choice are read.
  @Test func settingsWithoutAMethodAndASamplerAreThoseOfImagicAndDDIM() throws {
    let settings = try EditSettings(request: request(), flags: EditRequest())
    var older = try SettingsJSON.encode(settings)
    for newer in [
      #""sampler":"ddim","#, #""method":"imagic","#, #""guidance-scales":[0,1,2,3,5,7.5],"#,
      #","strengths":[0.3,0.4,0.5,0.6,0.7,0.8,0.9]"#,
    ] {
      #expect(older.contains(newer))
      older = older.replacingOccurrences(of: newer, with: "")
    }
    #expect(try SettingsJSON.decode(EditSettings.self, from: older, source: "a") == settings)
  }

  @Test(arguments: [
    ("{", "a.h5: found settings that are not valid JSON"),
    ("{}", "a.h5: found settings without the key image"),
    (#"{"image": 3}"#, "a.h5: found settings that lack String at image"),
  ])
  func brokenJSONIsNamed(text: String, message: String) throws {
    let error = try #require(throws: EditingError.self) {
      try SettingsJSON.decode(EditSettings.self, from: text, source: "a.h5")
    }
    #expect(error == EditingError(.badData, message))
  }
}
