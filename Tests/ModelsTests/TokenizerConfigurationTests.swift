import Testing
import Weights

@testable import Models

@Suite struct TokenizerConfigurationTests {
  private func configuration(_ config: String, _ map: String? = nil) throws
    -> TokenizerConfiguration
  {
    var reader = try reader(config, file: "tokenizer_config.json")
    return try TokenizerConfiguration(
      &reader,
      map.map { try ConfigurationReader(JSON(parsing: Array($0.utf8), file: "m"), file: "m") })
  }

  private func normalization(_ configuration: TokenizerConfiguration) -> [String: Bool] {
    Dictionary(uniqueKeysWithValues: configuration.tokens.map { ($0.content, $0.isNormalized) })
  }

  @Test func absentTokensAreThoseOfTransformers() throws {
    let configuration = try configuration(#"{"model_max_length": 77}"#)
    #expect(configuration.maximumLength == 77)
    #expect(configuration.start.content == "<|startoftext|>")
    #expect(configuration.padding.content == "<|endoftext|>")
    #expect(normalization(configuration) == ["<|startoftext|>": false, "<|endoftext|>": false])
  }

  @Test func theMapCountsMoreThanTheConfiguration() throws {
    let configuration = try configuration(
      #"{"model_max_length": 77, "pad_token": "<|endoftext|>"}"#, #"{"pad_token": "!"}"#)
    #expect(configuration.padding.content == "!")
    #expect(configuration.tokens.count == 3)
  }

  /// An end that is described, and told again as a padding by name alone, is looked for in the text as it is.
  @Test func theLastDescriptionOfATokenWins() throws {
    let described = #"{"content": "<|endoftext|>", "normalized": true}"#
    let named = try configuration(
      #"{"model_max_length": 77, "eos_token": \#(described), "unk_token": \#(described)}"#)
    #expect(normalization(named)["<|endoftext|>"] == false)
    let alike = try configuration(
      """
      {"model_max_length": 77, "eos_token": \(described), "unk_token": \(described),
       "pad_token": \(described)}
      """)
    #expect(normalization(alike)["<|endoftext|>"] == true)
  }

  @Test func listedTokensCountMoreThanTheMap() throws {
    let configuration = try configuration(
      """
      {"model_max_length": 77, "pad_token": "!", "added_tokens_decoder":
       {"0": {"content": "!", "normalized": true, "special": true}}}
      """, #"{"pad_token": "?"}"#)
    #expect(configuration.padding.content == "!")
    #expect(configuration.padding.entry == 0)
    #expect(normalization(configuration)["!"] == true)
  }

  @Test(arguments: [
    ("pad_token", "3"), ("pad_token", "\"\""), ("pad_token", "{}"), ("sep_token", "\"x\""),
    ("tokenizer_class", "\"T5Tokenizer\""), ("add_prefix_space", "true"), ("some_key", "1"),
    ("added_tokens_decoder", #"{"x": {"content": "!"}}"#), ("added_tokens_decoder", "[]"),
    ("extra_special_tokens", "[\"x\"]"),
  ])
  func refuses(key: String, value: String) {
    #expect {
      _ = try configuration(#"{"model_max_length": 77, "\#(key)": \#(value)}"#)
    } throws: {
      $0 is LoadingError && "\($0)".contains(key) && "\($0)".contains("tokenizer_config.json")
    }
  }
}
