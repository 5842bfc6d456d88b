import Foundation
import Tensors
import Testing

@testable import Checkpoints

@Suite struct StoreFileTests {
  @Test func roundTrip() throws {
    let path = NSTemporaryDirectory() + "/store-\(UUID().uuidString).h5"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let content = StoreFile(
      attributes: ["format": "imagic", "step": 3], datasets: ["/a/b": .floats(Tensor([1, 2], [2]))])
    try content.save(to: path)
    let read = try StoreFile.read(path)
    #expect(try read.tensor("/a/b").array == [1, 2])
  }
}
