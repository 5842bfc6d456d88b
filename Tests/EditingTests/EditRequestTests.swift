import Foundation
import Images
import TestSupport
import Testing

@testable import Editing

@Suite struct EditRequestTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func everyKeyIsRead() throws {
    let path = try folder.write(
      """
      image: photos/horse.png          # relative to this file
      prompt: a photo of a horse on a beach
      mask: masks/horse.png
      base: ../checkpoints/base
      seed: 3
      fit: pad
      size: [96, 64]
      embedding: { steps: 500, learning-rate: 0.001, until-loss: 0.05, frozen-precision: float16,
                   source: a photo of a horse }
      finetune:  { steps: 1000, learning-rate: 2e-6, batch: 4, tune: lora, rank: 16, lora-convolutions: true }
      generate:  { method: sdedit, alphas: [0, 0.5, 1.0], strengths: [0.5], guidance-scales: [0, 2], source: a photo of a horse, seeds: [0, 2], sampler: dpm-solver++, steps: 50, guidance-scale: 3, guidance-course: rising, start: inversion, details: photograph, resample: 3, resample-jump: 5, feather: 0, full-size: true, mask-threshold: 0.4, mask-grow: 2, suggest: false }
      """, to: "horse.yaml")
    var expected = EditRequest()
    expected.image = "\(folder.path)/photos/horse.png"
    expected.prompt = "a photo of a horse on a beach"
    expected.base =
      URL(fileURLWithPath: folder.path).deletingLastPathComponent().path
      + "/checkpoints/base"
    expected.seed = 3
    expected.fit = .pad
    expected.size = PictureSize(width: 96, height: 64)
    expected.embedding = .init(
      steps: 500, learningRate: 0.001, untilLoss: 0.05, frozenPrecision: .float16,
      source: "a photo of a horse")
    expected.finetune = .init(steps: 1000, learningRate: 2e-6, batch: 4)
    expected.lowRank = .init(tune: .lora, rank: 16, convolutions: true)
    expected.generate = .init(
      method: .sdedit, alphas: [0, 0.5, 1], strengths: [0.5], guidanceScales: [0, 2],
      source: "a photo of a horse", seeds: [0, 2], sampler: .dpmSolver, steps: 50, guidanceScale: 3,
      guidanceCourse: .rising, start: .inversion, details: .photograph,
      resample: 3, resampleJump: 5, suggests: false)
    expected.masking = .init(
      mask: "\(folder.path)/masks/horse.png", feather: 0, fullSize: true, threshold: 0.4, grow: 2)
    #expect(try EditRequest(requestAt: path) == expected)
  }

  /// By itself or in `generate`, and two words that are no paths.
  @Test(
    arguments: [
      ("mask: auto", "auto"), ("mask: none", "none"), ("generate: {mask: auto}", "auto"),
      ("mask: ./auto", nil), ("generate: {mask: m.png}", nil),
    ] as [(String, String?)]) func aMaskIsAFileOrAWord(text: String, mask: String?) throws
  {
    let path = try folder.write(text, to: "a.yaml")
    let name = text.contains("auto") ? "auto" : "m.png"
    #expect(try EditRequest(requestAt: path).masking.mask == mask ?? "\(folder.path)/\(name)")
  }

  @Test func aByteOrderMarkIsNoHarm() throws {
    let path = try folder.write("\u{feff}image: a.png\nprompt: a cow\n", to: "mark.yaml")
    #expect(try EditRequest(requestAt: path).prompt == "a cow")
  }

  @Test func aNumberIsASquare() throws {
    let path = try folder.write("size: 64", to: "a.yaml")
    #expect(try EditRequest(requestAt: path).size == PictureSize(width: 64, height: 64))
  }

  @Test func defaultsOfABaseAreJSON() throws {
    _ = try folder.write(
      #"{ "embedding": { "steps": 150, "batch": 4 }, "generate": { "start": "inversion" } }"#,
      to: "imagic.json")
    var expected = EditRequest()
    expected.embedding = .init(steps: 150, batch: 4)
    expected.generate = .init(start: .inversion)
    #expect(try EditRequest(defaultsOfBase: folder.path) == expected)
    #expect(try EditRequest(defaultsOfBase: folder.path + "/none") == EditRequest())
  }

  @Test(arguments: ["\"method\": \"sdedit\"", "\"source\": \"a photo of a cow\""])
  func whatIsOfAnEditIsNoDefaultOfABase(key: String) throws {
    _ = try folder.write("{ \"generate\": { \(key) } }", to: "imagic.json")
    let error = try #require(throws: EditingError.self) {
      try EditRequest(defaultsOfBase: folder.path)
    }
    #expect(error.status == .badData && error.description.contains("unknown key"))
  }

  /// A line of a request, and what the error says after the file's name.
  static let mistakes: [(text: String, message: String)] = [
    ("sed: 1", ":1: found the unknown key sed, wanted one of image, prompt, mask, base"),
    ("embedding: {step: 1}", ":1: found the unknown key step in embedding, wanted one of steps"),
    ("[1, 2]: 3", ":1: found the unknown key [1, 2], wanted one of"),
    ("embedding: 3", ":1: embedding: found 3, wanted keys and values (steps, "),
    ("embedding:", ":1: embedding: found nothing, wanted keys"),
    ("- image", ":1: found [image], wanted keys and values (image, prompt"),
    ("prompt: ''", ":1: prompt: found an empty text, wanted a sentence"),
    ("prompt: '  '", ":1: prompt: found \"  \", wanted a sentence"),
    ("prompt: 12", ":1: prompt: found 12, wanted a sentence"),
    ("prompt: [a]", ":1: prompt: found [a], wanted a sentence"),
    ("prompt: \"a\\nb\"", ":1: prompt: found \"a\\nb\", wanted a sentence"),
    ("prompt: \"a\\0b\"", ":1: prompt: found \"a\\0b\", wanted a sentence"),
    ("image: \"\"", ":1: image: found an empty text, wanted a path"),
    ("seed: -1", ":1: seed: found -1, wanted a whole number from 0 to 9223372036854775807"),
    ("seed: 9223372036854775808", ":1: seed: found 9223372036854775808, wanted"),
    ("seed: 1.5", ":1: seed: found 1.5, wanted a whole number"),
    ("fit: squash", ":1: fit: found squash, wanted one of crop, pad, stretch"),
    ("size: 0", ":1: size: found 0, wanted a whole number from 8 to 8192, or [width"),
    ("size: [64]", ":1: size: found [64], wanted"),
    ("size: [64, 64, 3]", ":1: size: found [64, 64, 3], wanted"),
    ("size: 99999999999999999999", ":1: size: found 99999999999999999999, wanted"),
    ("\nembedding:\n  steps: 0", ":3: embedding.steps: found 0, wanted a whole number from 1 to"),
    ("embedding: {steps: -5}", ":1: embedding.steps: found -5, wanted"),
    ("embedding: {steps: 1.0}", ":1: embedding.steps: found 1.0, wanted a whole number"),
    ("embedding: {steps: \"10\"}", ":1: embedding.steps: found \"10\", wanted a whole number"),
    ("embedding: {steps: many}", ":1: embedding.steps: found many, wanted"),
    ("embedding: {learning-rate: 0}", ":1: embedding.learning-rate: found 0, wanted a number"),
    ("embedding: {learning-rate: .nan}", ":1: embedding.learning-rate: found .nan, wanted"),
    ("embedding: {learning-rate: inf}", ":1: embedding.learning-rate: found inf, wanted"),
    ("embedding: {learning-rate: 1e999}", ":1: embedding.learning-rate: found 1e999, wanted"),
    (
      "embedding: {frozen-precision: half}",
      ":1: embedding.frozen-precision: found half, wanted one of float32, float16"
    ),
    (
      "finetune: {frozen-precision: float16}",
      ":1: found the unknown key frozen-precision in finetune"
    ),
    ("finetune: {until-loss: -1}", ":1: finetune.until-loss: found -1, wanted a number from 0 to"),
    ("finetune: {tune: some}", ":1: finetune.tune: found some, wanted one of all, lora"),
    ("finetune: {rank: 0}", ":1: finetune.rank: found 0, wanted a whole number from 1 to 1024"),
    ("finetune: {lora-convolutions: 1}", ":1: finetune.lora-convolutions: found 1, wanted true or"),
    ("embedding: {tune: lora}", ":1: found the unknown key tune in embedding, wanted one of steps"),
    ("finetune: {batch: 0}", ":1: finetune.batch: found 0, wanted a whole number from 1 to 1024"),
    ("generate: {alphas: []}", ":1: generate.alphas: found an empty list, wanted 1 to 1000"),
    ("generate: {alphas: [0, x]}", ":1: generate.alphas: found [0, x], wanted 1 to 1000"),
    ("generate: {alphas: [0, [1]]}", ":1: generate.alphas: found [0, …], wanted 1 to 1000"),
    ("generate: {alphas: [1, 1.0]}", ":1: generate.alphas: found [1, 1.0], wanted 1 to 1000"),
    ("generate: {alphas: [.inf]}", ":1: generate.alphas: found [.inf], wanted 1 to 1000"),
    ("generate: {seeds: []}", ":1: generate.seeds: found an empty list, wanted 1 to 1000"),
    ("generate: {seeds: [-1]}", ":1: generate.seeds: found [-1], wanted"),
    ("generate: {steps: 0}", ":1: generate.steps: found 0, wanted a whole number from 1 to 1000"),
    ("generate: {guidance-scale: -1}", ":1: generate.guidance-scale: found -1, wanted a number"),
    ("generate: {start: middle}", ":1: generate.start: found middle, wanted one of noise, inv"),
    ("generate: {strengths: [1.5]}", ":1: generate.strengths: found [1.5], wanted 1 to 1000 diff"),
    ("generate: {method: magic}", ":1: generate.method: found magic, wanted one of imagic, sde"),
    ("generate: {guidance-scales: [-1]}", ":1: generate.guidance-scales: found [-1], wanted 1 to"),
    (
      "generate: {sampler: euler}",
      ":1: generate.sampler: found euler, wanted one of ddim, ddpm, dpm-s"
    ),
    ("mask: a.png\ngenerate: {mask: b.png}", ": found mask both by itself and in generate"),
    ("generate: {resample: 0}", ":1: generate.resample: found 0, wanted a whole number from 1"),
    ("generate: {resample-jump: 0}", ":1: generate.resample-jump: found 0, wanted a whole number"),
    ("generate: {feather: -1}", ":1: generate.feather: found -1, wanted a whole number from 0 to"),
    ("generate: {full-size: 2}", ":1: generate.full-size: found 2, wanted true or false"),
    (
      "generate: {mask-threshold: 0}", ":1: generate.mask-threshold: found 0, wanted a number above"
    ),
    ("generate: {mask-grow: x}", ":1: generate.mask-grow: found x, wanted a whole number from 0"),
    ("seed: 1\nseed: 2", ": found seed more than once, wanted each key once"),
    ("prompt: [", ":2: not valid YAML: "),
    ("prompt: *nobody", ":1: not valid YAML: "),
    ("prompt: \"\u{1}\"", ": not valid YAML: "),
    ("", ": found an empty file, wanted settings"),
    ("# nothing but a comment", ": found an empty file, wanted settings"),
  ]

  @Test(arguments: mistakes)
  func mistakesAreNamed(text: String, message: String) throws {
    let path = try folder.write(text, to: "request.yaml")
    let error = try #require(throws: EditingError.self) { try EditRequest(requestAt: path) }
    #expect(error.status == .badData)
    #expect(error.description.hasPrefix(path + message), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test func endlessNestingIsRefused() throws {
    let path = try folder.write(String(repeating: "[", count: 100_000), to: "request.yaml")
    let error = try #require(throws: EditingError.self) { try EditRequest(requestAt: path) }
    #expect(error.description.hasPrefix("\(path):1: not valid YAML: Maximum nesting"))
  }

  @Test func filesThatCannotBeReadAreNamed() throws {
    let missing = try #require(throws: EditingError.self) {
      try EditRequest(requestAt: "\(folder.path)/none.yaml")
    }
    #expect(missing.status == .noInput)
    #expect(missing.description == "\(folder.path)/none.yaml: there is no such file")
    let aFolder = try #require(throws: EditingError.self) {
      try EditRequest(requestAt: folder.path)
    }
    #expect(aFolder.status == .noInput)
    #expect(aFolder.description.contains("found a folder, wanted a file"))
  }

  @Test func filesThatAreNoTextAreRefused() throws {
    let path = "\(folder.path)/a.yaml"
    try Data([0xFF, 0xFE, 0x00, 0xC3]).write(to: URL(fileURLWithPath: path))
    var error = try #require(throws: EditingError.self) { try EditRequest(requestAt: path) }
    #expect(error.description.contains("found bytes that are not UTF-8"))
    try Data(count: SettingsFile.maximumSize + 1).write(to: URL(fileURLWithPath: path))
    error = try #require(throws: EditingError.self) { try EditRequest(requestAt: path) }
    #expect(error.description.contains("found more than 1048576 bytes"))
  }

  /// Bytes of a request changed at random are read or refused; nothing else may happen.
  @Test func damagedRequestsNeverTrap() throws {
    let text = """
      image: &a photos/horse.png
      prompt: "a photo \\u00e9"
      seed: 3
      size: [96, 64]
      embedding: { steps: 500, learning-rate: 0.001 }
      generate:  { alphas: [0, 0.5, *a], guidance-scale: 3, start: !!str inversion }
      """
    var generator = SplitMix(state: 1)
    var refused = 0
    for _ in 0..<500 {
      var bytes = Array(text.utf8)
      for _ in 0...Int.random(in: 0..<4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default:
          bytes.insert("[]{}:,&*!|>-\n\"' %@`\t".utf8.randomElement(using: &generator)!, at: index)
        }
      }
      let path = "\(folder.path)/damaged.yaml"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do { _ = try EditRequest(requestAt: path) } catch is EditingError { refused += 1 }
    }
    #expect(refused > 100)
  }
}

/// A small generator, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
