import Editing
import Foundation
import Images
import TestSupport
import Testing

@testable import Training

@Suite struct ThingMasksTests {
  /// Small pictures, the first of which has a mask: the left half of what a square crop shows is white.
  private func masked(_ data: SmallData, mask: Picture) throws {
    try Data(mask.png()).write(to: URL(fileURLWithPath: "\(data.folder.path)/mask.png"))
    let list = "\(data.folder.path)/metadata.jsonl"
    let lines = try String(contentsOfFile: list, encoding: .utf8)
    _ = try data.folder.write(
      lines.replacing(
        #""images/0.png", "#, with: #""images/0.png", "mask": "mask.png", "#), to: "metadata.jsonl")
  }

  private var halfMask: Picture {
    var mask = Picture(width: 40, height: 32, color: SIMD3(repeating: 0))
    for x in 0..<20 { for y in 0..<32 { mask[x, y] = SIMD3(repeating: 255) } }
    return mask
  }

  private func cache(_ data: SmallData, grid: Int) throws -> PictureCache {
    try PictureCache(
      [CaptionedPictures(folder: data.folder.path)], size: 16, grid: grid,
      path: "\(data.folder.path)/cache"
    ) { _ in }
  }

  @Test func masksAreReadInThePicturesFraming() throws {
    let data = try SmallData()
    try masked(data, mask: halfMask)
    // Made, and read from what was made.
    for _ in 0..<2 {
      let pictures = try cache(data, grid: 4)
      #expect(pictures.count == 9)
      let masks = pictures.masks([3, 0])
      #expect(masks.shape == [2, 4, 4, 1])
      let rows = (0..<8).map { row in (0..<4).map { masks.pointer[row * 4 + $0] } }
      #expect(rows[..<4].allSatisfy { $0 == [0, 0, 0, 0] })
      #expect(rows[4...].allSatisfy { $0 == [1, 1, 0, 0] }, "\(rows)")
    }
    let plain = try cache(data, grid: 0)
    #expect(plain.index.digest != (try cache(data, grid: 4)).index.digest)
  }

  @Test func aMaskOfOtherProportionsIsNamedAndSkipped() throws {
    let data = try SmallData()
    try masked(data, mask: Picture(width: 16, height: 16, color: SIMD3(repeating: 255)))
    let pictures = try cache(data, grid: 4)
    #expect(pictures.count == 8)
    #expect(pictures.index.skipped.count == 1)
    #expect(
      pictures.index.skipped[0].contains("mask.png: found a mask of 16x16 pixels"),
      "\(pictures.index.skipped)")
  }

  /// Errors on things count more only where there are masks.
  @Test func theWeightOfThingsChangesTheTraining() throws {
    let program = BuiltProgram("base-train")
    func unet(_ data: SmallData, weight: Int) throws -> Data? {
      let recipe = try data.folder.write(
        SmallData.recipe.replacing(
          "  accumulate: 2", with: "  accumulate: 2\n  thing-weight: \(weight)"),
        to: "recipe-\(weight).yaml")
      let run = "\(data.folder.path)/run-\(weight)"
      let result = try program.run([
        "--data", data.folder.path, "--run", run, "--recipe", recipe,
      ])
      #expect(result.status == 0, "\(result.errors)")
      return FileManager.default.contents(
        atPath: "\(run)/base/unet/diffusion_pytorch_model.safetensors")
    }
    let plain = try SmallData()
    let without = try unet(plain, weight: 1)
    #expect(try unet(plain, weight: 3) == without)
    let data = try SmallData()
    try masked(data, mask: halfMask)
    #expect(try unet(data, weight: 3) != without)
  }
}
