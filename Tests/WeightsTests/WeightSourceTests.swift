import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct WeightSourceTests {
  private func write(_ bytes: [UInt8], to name: String, in folder: URL) throws {
    try Data(bytes).write(to: folder.appendingPathComponent(name))
  }

  @Test func knowsWhatWasNotUsed() throws {
    try withTemporaryFolder { folder in
      let names = ["a", "b", "c", "d", "e", "f", "g"]
      try write(
        safetensors(names.map { ($0, [1], [1]) }), to: "model.safetensors", in: folder)
      let source = try WeightSource(folder: folder, fileName: .transformers)
      #expect(source.names == names)
      try #expect(source.tensor("c", [1]).array == [1])
      expectLoadingError(
        saying: "model.safetensors: 6 tensors", #""a", "b", "d", "e", "f", …"#
      ) { try source.finish() }
      for name in names { _ = try source.tensor(name, [1]) }
      try source.finish()
    }
  }

  @Test func namesMissingAndMisshapenTensors() throws {
    try withTemporaryFolder { folder in
      try write(
        safetensors([("a", [2, 1], [1, 2])]), to: "diffusion_pytorch_model.safetensors", in: folder)
      let source = try WeightSource(folder: folder, fileName: .diffusers)
      #expect(source.has("a") && !source.has("b"))
      expectLoadingError(saying: "diffusion_pytorch_model.safetensors", "\"b\"", "[4]") {
        _ = try source.tensor("b", [4])
      }
      expectLoadingError(saying: "\"a\" has shape [2, 1], wanted [2]") {
        _ = try source.tensor("a", [2])
      }
      expectLoadingError(saying: "1 tensors") { try source.finish() }
    }
  }

  @Test func prefersFullPrecisionAndTakesHalf() throws {
    try withTemporaryFolder { folder in
      try write(safetensors([("a", [1], [2])]), to: "model.fp16.safetensors", in: folder)
      let half = try WeightSource(folder: folder, fileName: .transformers)
      try #expect(half.tensor("a", [1]).array == [2])
      try write(safetensors([("a", [1], [1])]), to: "model.safetensors", in: folder)
      let full = try WeightSource(folder: folder, fileName: .transformers)
      try #expect(full.tensor("a", [1]).array == [1])
    }
  }

  @Test func saysWhatItLookedFor() throws {
    try withTemporaryFolder { folder in
      expectLoadingError(saying: folder.path, "wanted diffusion_pytorch_model.safetensors") {
        _ = try WeightSource(folder: folder, fileName: .diffusers)
      }
    }
  }

  @Test func readsOldNamesAndShapes() throws {
    try withTemporaryFolder { folder in
      let block = "decoder.mid_block.attentions.0"
      try write(
        safetensors([
          ("\(block).query.weight", [2, 2, 1, 1], [1, 2, 3, 4]),
          ("conv.weight", [2, 2, 1, 1], [1, 2, 3, 4]),
        ]), to: "diffusion_pytorch_model.safetensors", in: folder)
      let source = try WeightSource(
        folder: folder, fileName: .diffusers, renames: WeightRename.autoencoder)
      try #expect(source.tensor("\(block).to_q.weight", [2, 2]).array == [1, 2, 3, 4])
      expectLoadingError(saying: "\"conv.weight\" has shape [2, 2, 1, 1], wanted [2, 2]") {
        _ = try source.tensor("conv.weight", [2, 2])
      }
    }
  }

  @Test func readsOldTextEncoders() throws {
    try withTemporaryFolder { folder in
      let header = """
        {"text_model.embeddings.position_ids":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},
         "text_model.final_layer_norm.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}
        """
      try write(
        safetensors(header, Array(repeating: 0, count: 12)), to: "model.safetensors", in: folder)
      let source = try WeightSource(
        folder: folder, fileName: .transformers, renames: WeightRename.textEncoder)
      _ = try source.tensor("final_layer_norm.bias", [1])
      try source.finish()
    }
  }

  @Test func refusesTwoNamesOfOneParameter() throws {
    try withTemporaryFolder { folder in
      try write(
        safetensors([("text_model.a", [1], [1]), ("a", [1], [1])]), to: "model.safetensors",
        in: folder)
      expectLoadingError(saying: #""a" and "text_model.a" are the same parameter"#) {
        _ = try WeightSource(
          folder: folder, fileName: .transformers, renames: WeightRename.textEncoder)
      }
    }
  }

  /// Two shards and an index with this map.
  private func withShards(_ map: String, _ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try write(
        safetensors([("a", [1], [1])]), to: "model-00001-of-00002.safetensors", in: folder)
      try write(
        safetensors([("b", [1], [2])]), to: "model-00002-of-00002.safetensors", in: folder)
      try write(
        Array(#"{"metadata":{"total_size":8},"weight_map":\#(map)}"#.utf8),
        to: "model.safetensors.index.json", in: folder)
      try body(folder)
    }
  }

  @Test func readsShards() throws {
    let map =
      #"{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}"#
    try withShards(map) { folder in
      let source = try WeightSource(folder: folder, fileName: .transformers)
      try #expect(source.tensor("a", [1]).array == [1])
      try #expect(source.tensor("b", [1]).array == [2])
      try source.finish()
    }
  }

  @Test(arguments: [
    (#"{"a":"../model-00001-of-00002.safetensors"}"#, "same folder"),
    (#"{"a":"/etc/model.safetensors"}"#, "same folder"),
    (#"{"a":"model.bin"}"#, "same folder"),
    (#"{"a":3}"#, "same folder"),
    (#"{"a":"model-00003-of-00002.safetensors"}"#, "can't open"),
    (#"{"c":"model-00001-of-00002.safetensors"}"#, "\"a\""),
    (#"{"a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors"}"#, "\"b\""),
    ("[]", "weight_map"),
  ])
  func refusesShards(map: String, reason: String) throws {
    try withShards(map) { folder in
      expectLoadingError(saying: reason) {
        _ = try WeightSource(folder: folder, fileName: .transformers)
      }
    }
  }
}
