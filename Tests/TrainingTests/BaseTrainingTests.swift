import Checkpoints
import Editing
import Foundation
import Models
import TestSupport
import Testing

@testable import Training

@Suite(.serialized) struct BaseTrainingTests {
  private let program = BuiltProgram("base-train")

  private func weights(_ run: String) throws -> [String] {
    try [
      "vae/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors",
      "text_encoder/model.safetensors",
    ].map { try SHA256Text.digest(ofFile: "\(run)/base/\($0)") }
  }

  /// What a run has made.
  private func files(_ run: String) throws -> [String] {
    try [SHA256Text.digest(ofFolder: "\(run)/base")]
      + ["pictures.json", "pictures.pixels", "autoencoder.h5", "denoiser.h5"].map {
        try SHA256Text.digest(ofFile: "\(run)/\($0)")
      }
  }

  private func arguments(_ data: SmallData, _ run: String, _ recipe: String) -> [String] {
    [
      "--data", data.folder.path, "--held-out", data.folder.path, "--run", run, "--recipe", recipe,
      "--threads", "2",
    ]
  }

  @Test func trainsABaseThatOpens() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let captions = "a photo of a\nred | green | blue\nbox\n"
    _ = try data.folder.write(captions, to: "captions.txt")
    let run = "\(data.folder.path)/run"
    let result = try program.run(arguments(data, run, recipe))
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == "\(run)/base\n")
    let base = try BaseFolder(URL(fileURLWithPath: "\(run)/base"))
    _ = try base.autoencoder()
    _ = try base.textEncoder()
    _ = try base.unet()
    let tokenizer = try CLIPTokenizer(
      folder: URL(fileURLWithPath: "\(run)/base/tokenizer", isDirectory: true))
    // Start, a word each, end, padding.
    let ids = tokenizer.encode("a photo of a red box").ids
    #expect(ids.filter { $0 == tokenizer.endID }.count == 1 + (8 - 8))
    #expect(ids.count == 8)
    for file in ["samples.png", "autoencoder-loss.png", "denoiser-loss.png", "base/README.md"] {
      #expect(FileManager.default.fileExists(atPath: "\(run)/\(file)"), "\(file)")
    }
    let given = try String(contentsOfFile: "\(run)/base/captions.txt", encoding: .utf8)
    #expect(given == captions)
    let words = try String(contentsOfFile: "\(run)/base/words.txt", encoding: .utf8)
    #expect(words == "blue green red\na\nbox\nof\nphoto\n")

    // Run again, it has nothing to do and changes nothing.
    let before = try weights(run)
    let again = try program.run(arguments(data, run, recipe))
    #expect(again.status == 0)
    #expect(try weights(run) == before)
  }

  @Test func goesOnFromASaveToTheSameBits() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let straight = "\(data.folder.path)/straight"
    let stopped = "\(data.folder.path)/stopped"
    let start = Date()
    #expect(try program.run(arguments(data, straight, recipe)).status == 0)
    let kills = try program.killedUntilComplete(
      arguments(data, stopped, recipe) + ["--checkpoint-every", "0"],
      whole: -start.timeIntervalSinceNow)
    #expect(kills > 0)
    #expect(try weights(stopped) == weights(straight))
  }

  /// More steps of the autoencoder would change what the denoiser was trained on.
  @Test func aDenoiserIsNotLostToMoreStepsOfTheAutoencoder() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let run = "\(data.folder.path)/run"
    #expect(try program.run(arguments(data, run, recipe)).status == 0)
    let before = try weights(run)
    let text = SmallData.recipe
    let steps = try #require(text.range(of: "steps: \\d+", options: .regularExpression))
    let more = try data.folder.write(
      text.replacingCharacters(in: steps, with: "steps: 1000"), to: "more.yaml")
    let result = try program.run(arguments(data, run, more))
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.errors.contains("autoencoder.h5: found "), "\(result.errors)")
    #expect(result.errors.contains("--restart begins both anew"), "\(result.errors)")
    // Nothing was touched.
    #expect(try weights(run) == before)
    #expect(try program.run(arguments(data, run, recipe)).status == 0)
  }

  @Test func doesNotDependOnTheThreads() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let digests = try [1, 3].map { threads in
      let run = "\(data.folder.path)/run-\(threads)"
      let result = try program.run([
        "--data", data.folder.path, "--run", run, "--recipe", recipe, "--threads", "\(threads)",
      ])
      #expect(result.status == 0, "\(result.errors)")
      return try weights(run)
    }
    #expect(digests[0] == digests[1])
  }

  @Test func skipsBadPicturesAndCountsThem() throws {
    let data = try SmallData()
    let list = "\(data.folder.path)/metadata.jsonl"
    let lines = try String(contentsOfFile: list, encoding: .utf8)
    _ = try data.folder.write("no picture", to: "images/broken.png")
    _ = try data.folder.write(
      lines + #"{"file_name": "images/broken.png", "text": "a"}"# + "\n{nonsense\n"
        + #"{"file_name": "images/missing.png", "text": "b"}"# + "\n", to: "metadata.jsonl")
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let result = try program.run([
      "--data", data.folder.path, "--run", "\(data.folder.path)/run", "--recipe", recipe, "--quiet",
    ])
    #expect(result.status == 0)
    for name in ["broken.png", "missing.png", "metadata.jsonl:11"] {
      #expect(result.errors.contains(name), "\(name) in \(result.errors)")
    }
    #expect(result.errors.contains("3 of 12 pictures were skipped"), "\(result.errors)")

    // Begun anew, the training takes what was mended since.
    try FileManager.default.copyItem(
      atPath: "\(data.folder.path)/images/0.png", toPath: "\(data.folder.path)/images/missing.png")
    let anew = try program.run([
      "--data", data.folder.path, "--run", "\(data.folder.path)/run", "--recipe", recipe, "--quiet",
      "--restart",
    ])
    #expect(anew.status == 0, "\(anew.errors)")
    #expect(anew.errors.contains("2 of 12 pictures were skipped"), "\(anew.errors)")
  }

  @Test func goesOnFromABase() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let first = "\(data.folder.path)/first"
    #expect(try program.run(arguments(data, first, recipe)).status == 0)
    let kept = try data.folder.write(
      SmallData.recipe.replacingOccurrences(
        of: "latent-channels: 4\n  groups: 4\n  steps: 8",
        with: "latent-channels: 4\n  groups: 4\n  steps: 0"), to: "kept.yaml")
    let second = "\(data.folder.path)/second"
    let result = try program.run(
      arguments(data, second, kept) + ["--from", "\(first)/base"])
    #expect(result.status == 0, "\(result.errors)")
    let (before, after) = (try weights(first), try weights(second))
    #expect(before[0] == after[0], "the autoencoder was to stay")
    #expect(before[1] != after[1])
  }

  @Test func takesOverAnAutoencoder() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let first = "\(data.folder.path)/first"
    #expect(try program.run(arguments(data, first, recipe)).status == 0)
    let second = "\(data.folder.path)/second"
    let result = try program.run(
      arguments(data, second, recipe) + ["--autoencoder", "\(first)/base", "--seed", "3"])
    #expect(result.status == 0, "\(result.errors)")
    let (before, after) = (try weights(first), try weights(second))
    #expect(before[0] == after[0])
    #expect(before[1] != after[1])
    let card = try String(contentsOfFile: "\(second)/base/README.md", encoding: .utf8)
    #expect(card.contains("| taken over |"))

    let other = try data.folder.write(
      SmallData.recipe.replacingOccurrences(of: "latent-channels: 4", with: "latent-channels: 3"),
      to: "other.yaml")
    let refused = try program.run(
      arguments(data, "\(data.folder.path)/third", other) + ["--autoencoder", "\(first)/base"])
    #expect(refused.status == 65)
    #expect(refused.errors.contains("vae/config.json: found an autoencoder of another form"))
  }

  @Test(arguments: [
    ("size: 16\nsise: 3\n", Int32(65), "sise"),
    ("size: 20\n", 65, "multiples of the autoencoder's factor"),
    ("denoiser: { batch: 5, accumulate: 2 }\n", 65, "equal parts"),
  ])
  func refusesBadRecipes(text: String, status: Int32, wanted: String) throws {
    let data = try SmallData()
    let recipe = try data.folder.write(text, to: "recipe.yaml")
    let result = try program.run(arguments(data, "\(data.folder.path)/run", recipe))
    #expect(result.status == status)
    #expect(result.errors.contains(wanted), "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  @Test func refusesFoldersWithoutAList() throws {
    let data = try SmallData()
    let result = try program.run([
      "--data", "\(data.folder.path)/images", "--run", "\(data.folder.path)/run",
    ])
    #expect(result.status == 66)
    #expect(result.errors.contains("images/metadata.jsonl"))
  }

  @Test func refusesToGoOnWithAnotherSeed() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let run = "\(data.folder.path)/run"
    #expect(try program.run(arguments(data, run, recipe)).status == 0)
    let result = try program.run(arguments(data, run, recipe) + ["--seed", "7"])
    #expect(result.status == 65)
    #expect(result.errors.contains("found seed 0, wanted seed 7"), "\(result.errors)")
  }

  /// A finished base keeps its tokenizer, its form and its autoencoder when a command with other data meets its folder.
  @Test func anotherTrainingLeavesTheBaseAlone() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let run = "\(data.folder.path)/run"
    #expect(try program.run(arguments(data, run, recipe)).status == 0)
    let other = try SmallData()
    let list = "metadata.jsonl"
    let lines = try String(contentsOfFile: "\(other.folder.path)/\(list)", encoding: .utf8)
    _ = try other.folder.write(
      lines.replacingOccurrences(of: "box", with: "zebra crossing"), to: list)
    let before = try files(run)
    for more in [[], ["--dry-run"]] {
      let result = try program.run(arguments(other, run, recipe) + more)
      #expect(result.status == 65, "\(result.errors)")
      #expect(result.errors.contains("autoencoder.h5: was trained otherwise: found pictures "))
    }
    #expect(try files(run) == before)

    // An autoencoder taken over where another was trained, and one trained where another was taken over.
    let second = "\(data.folder.path)/second"
    let third = "\(data.folder.path)/third"
    #expect(
      try program.run(arguments(data, second, recipe) + ["--seed", "3"]).status == 0)
    let takesOver = arguments(data, third, recipe) + ["--autoencoder", "\(run)/base"]
    #expect(try program.run(takesOver).status == 0)
    let weights = try weights(third)
    for (arguments, status, wanted) in [
      (
        arguments(data, third, recipe) + ["--autoencoder", "\(second)/base"], Int32(65),
        "denoiser.h5: was trained otherwise: found base or autoencoder "
      ),
      (arguments(data, third, recipe), 64, "denoiser.h5: found no autoencoder.h5 beside it"),
    ] {
      let result = try program.run(arguments)
      #expect(result.status == status, "\(result.errors)")
      #expect(result.errors.contains(wanted), "\(result.errors)")
      #expect(try self.weights(third) == weights)
    }
    #expect(try program.run(takesOver).status == 0)
  }

  @Test func aDryRunWritesNothing() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let run = "\(data.folder.path)/run"
    let result = try program.run(arguments(data, run, recipe) + ["--dry-run"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("autoencoder: would do steps 1 to 8"))
    #expect(result.output.contains("denoiser: would do steps 1 to 8"))
    #expect(!FileManager.default.fileExists(atPath: run))
  }

  /// What is saved is not done again, nor planned.
  @Test func aDryRunTellsWhatIsLeft() throws {
    let data = try SmallData()
    let recipe = try data.folder.write(SmallData.recipe, to: "recipe.yaml")
    let run = "\(data.folder.path)/run"
    #expect(try program.run(arguments(data, run, recipe)).status == 0)
    let text = SmallData.recipe
    let steps = try #require(text.range(of: "steps: 8", options: .backwards))
    let more = try data.folder.write(
      text.replacingCharacters(in: steps, with: "steps: 20"), to: "more.yaml")
    let before = try files(run)
    let left = try program.run(arguments(data, run, more) + ["--dry-run"])
    #expect(left.status == 0, "\(left.errors)")
    #expect(left.errors.contains("autoencoder.h5 is complete"), "\(left.errors)")
    #expect(left.output.contains("denoiser: would do steps 9 to 20"), "\(left.output)")
    #expect(!left.output.contains("autoencoder"), "\(left.output)")
    let anew = try program.run(arguments(data, run, more) + ["--dry-run", "--restart"])
    #expect(anew.output.contains("autoencoder: would do steps 1 to 8"), "\(anew.output)")
    let over = try program.run(
      arguments(data, "\(data.folder.path)/new", recipe)
        + ["--dry-run", "--autoencoder", "\(run)/base"])
    #expect(over.status == 0, "\(over.errors)")
    #expect(over.output.hasPrefix("denoiser: would do steps 1 to 8"), "\(over.output)")
    #expect(try files(run) == before)
  }
}
