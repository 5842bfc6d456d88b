import Testing

@testable import Weights

@Suite struct WeightRenameTests {
  @Test func renamesTheAttentionOfOldAutoencoders() {
    func renamed(_ name: String) -> String? {
      WeightRename.autoencoder.lazy.compactMap { $0.applied(to: name) }.first
    }
    let block = "encoder.mid_block.attentions.0"
    #expect(renamed("\(block).query.weight") == "\(block).to_q.weight")
    #expect(renamed("\(block).key.bias") == "\(block).to_k.bias")
    #expect(renamed("\(block).value.weight") == "\(block).to_v.weight")
    #expect(renamed("\(block).proj_attn.weight") == "\(block).to_out.0.weight")
    #expect(renamed("\(block).group_norm.weight") == nil)
    #expect(renamed("\(block).to_q.weight") == nil)
  }

  @Test func dropsThePrefixOfOldTextEncoders() {
    let rename = WeightRename.textEncoder[0]
    #expect(rename.applied(to: "text_model.final_layer_norm.bias") == "final_layer_norm.bias")
    #expect(rename.applied(to: "final_layer_norm.bias") == nil)
    #expect(rename.applied(to: "a.text_model.b") == nil)
  }
}
