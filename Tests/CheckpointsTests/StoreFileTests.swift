import Tensors
import Testing

@testable import Checkpoints

@Suite struct StoreFileTests {
  private let file = everything(step: 3)

  @Test func gettersGiveWhatIsThere() throws {
    #expect(try file.tensor("/embedding/optimized", shape: [nil, 4]).shape == [3, 4])
    #expect(try file.tensor("/scalar", shape: []).scalar == 3.25)
    #expect(try file.bytes("/image/pixels", shape: [2, 2, 3]).values == Array(0..<12))
    #expect(try file.integers("/ids").values == [.min, -1, .max])
    #expect(try file.strings("/texts").shape == [3])
    #expect(try file.string("format") == "imagic embedding")
    #expect(try file.integer("seed") == -7)
    #expect(try file.integer("steps", of: "/sampler") == 50)
    #expect(try file.float("guidance_scale", of: "/sampler") == 7.5)
    // An integer is a number too: h5py saves 3 as one.
    #expect(try file.float("steps", of: "/sampler") == 50)
    #expect(file.names(under: "/embedding") == ["optimized"])
    #expect(file.names(under: "/").count == file.datasets.count)
  }

  @Test(
    arguments: [
      ("a new file: /absent: missing, wanted float32 [any, 2]", "/absent", [nil, 2]),
      ("a new file: /ids: found int64 [3], wanted float32", "/ids", nil),
      ("a new file: /scalar: found float32 [], wanted float32 [1]", "/scalar", [1]),
      (
        "a new file: /embedding/optimized: found float32 [3, 4], wanted float32 [any, 5]",
        "/embedding/optimized", [nil, 5]
      ),
    ] as [(String, String, [Int?]?)])
  func gettersSayWhatIsWrong(message: String, path: String, shape: [Int?]?) {
    #expect(throws: StoreError(.badData, message)) { try file.tensor(path, shape: shape) }
  }

  @Test func attributeGettersSayWhatIsWrong() {
    #expect(
      throws: StoreError(
        .badData, "a new file: attribute step of /: found an integer, wanted a string")
    ) { try file.string("step") }
    #expect(
      throws: StoreError(
        .badData, "a new file: attribute format of /: found a string, wanted an integer")
    ) { try file.integer("format") }
    #expect(
      throws: StoreError(
        .badData, "a new file: attribute format of /: found a string, wanted a number")
    ) { try file.float("format") }
    #expect(
      throws: StoreError(
        .badData, "a new file: attribute eta of /sampler: missing, wanted a number")
    ) { try file.float("eta", of: "/sampler") }
  }
}
