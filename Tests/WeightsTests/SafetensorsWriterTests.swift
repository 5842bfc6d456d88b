import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct SafetensorsWriterTests {
  private let tensors: [String: Tensor] = [
    "b.weight": Tensor([1, 2, 3, 4, 5, 6], [2, 3]), "a": Tensor([0.5], [1]), "é\"": Tensor(-1),
  ]

  private func write(
    to url: URL, precision: SafetensorsWriter.Precision = .float32,
    _ tensors: [String: Tensor]? = nil
  ) throws {
    let tensors = tensors ?? self.tensors
    try SafetensorsWriter.write(tensors.mapValues(\.shape), to: url, precision: precision) {
      try #require(tensors[$0])
    }
  }

  @Test(arguments: [SafetensorsWriter.Precision.float32, .float16])
  func whatIsWrittenIsReadBack(precision: SafetensorsWriter.Precision) throws {
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      try write(to: url, precision: precision)
      let file = try SafetensorsFile(url)
      #expect(file.metadata == ["format": "pt"])
      #expect(file.entries.count == tensors.count)
      for (name, tensor) in tensors {
        try #expect(file.tensor(named: name, shape: tensor.shape).array == tensor.array)
      }
    }
  }

  /// The bytes that `safetensors.torch.save({"a": torch.tensor([0.5])}, metadata={"format": "pt"})` gives, version 0.8.
  @Test func bytesAreThoseOfTheReference() throws {
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      try write(to: url, ["a": Tensor([0.5], [1])])
      let header =
        #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
      let padding = String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
      try #expect(Array(Data(contentsOf: url)) == safetensors(header + padding, [0, 0, 0, 0x3F]))
    }
  }

  @Test func refusesWhatIsNotFinite() throws {
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      expectLoadingError(saying: "\"w\"", "not finite as F32") {
        try write(to: url, ["w": Tensor([1, .nan], [2])])
      }
      expectLoadingError(saying: "\"w\"", "not finite as F16") {
        try write(to: url, precision: .float16, ["w": Tensor([1, 70000], [2])])
      }
      try #expect(FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }

  @Test func aFailureLeavesTheOldFile() throws {
    try withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("a.safetensors")
      try write(to: url)
      let before = try Data(contentsOf: url)
      #expect(throws: CancellationError.self) {
        try SafetensorsWriter.write(["w": [1]], to: url) { _ in throw CancellationError() }
      }
      try #expect(Data(contentsOf: url) == before)
      try #expect(FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
    }
  }

  @Test func namesAPlaceThatCannotBeWritten() {
    let url = URL(fileURLWithPath: "/nowhere/a.safetensors")
    #expect {
      try write(to: url)
    } throws: {
      ($0 as? LoadingError)?.kind == .cannotCreate
        && "\($0)" == "/nowhere/a.safetensors: can't create: No such file or directory"
    }
  }
}
