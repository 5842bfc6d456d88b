// What `tokenizer_config.json` and `special_tokens_map.json` say: the special tokens, and how long a text may be.

import Foundation
import Weights

/// The settings of a CLIP tokenizer, as transformers' `CLIPTokenizer` takes them from its files.
struct TokenizerConfiguration {
  /// A token that is looked for in a text before it is cut into words.
  struct SpecialToken: Equatable {
    var content: String
    /// Whether it is looked for in the normalised text, itself normalised; otherwise in the text as it is.
    var isNormalized: Bool
    /// Whether the file gives its name alone.
    var isPlain = false
    /// Its number, where the file gives one.
    var entry: Int?
  }

  /// How many tokens an encoded text has, its start and end among them.
  let maximumLength: Int
  let start: SpecialToken
  let end: SpecialToken
  let unknown: SpecialToken
  let padding: SpecialToken
  /// The tokens to look for, each once.
  let tokens: [SpecialToken]

  private enum TokenizerClass: String, CaseIterable {
    case clip = "CLIPTokenizer"
    case fastClip = "CLIPTokenizerFast"
  }

  /// - Parameter folder: holds `tokenizer_config.json` and, maybe, `special_tokens_map.json`, whose tokens count where
  ///   the first lists no `added_tokens_decoder`.
  /// - Throws: `LoadingError`.
  init(folder: URL) throws {
    var reader = try ConfigurationReader(folder.appendingPathComponent("tokenizer_config.json"))
    let mapURL = folder.appendingPathComponent("special_tokens_map.json")
    let map =
      FileManager.default.fileExists(atPath: mapURL.path) ? try ConfigurationReader(mapURL) : nil
    try self.init(&reader, map)
  }

  init(_ reader: inout ConfigurationReader, _ map: ConfigurationReader?) throws {
    let _: TokenizerClass = try reader.choice("tokenizer_class", default: .clip)
    try reader.neutral([
      "add_prefix_space": false, "do_lower_case": true, "split_special_tokens": false,
      "padding_side": "right", "truncation_side": "right", "sep_token": .null, "cls_token": .null,
      "mask_token": .null, "additional_special_tokens": .array([]),
    ])
    // `extra_special_tokens` is a list or an object by the version that saved it.
    if let extra = reader.take("extra_special_tokens") {
      guard extra == .array([]) || extra == .object([]) else {
        throw reader.failure("extra_special_tokens", extra, wanted: "[] or {}")
      }
    }
    // How the file was saved, and how tokens become text again.
    reader.ignore([
      "errors", "name_or_path", "_name_or_path", "special_tokens_map_file", "tokenizer_file",
      "processor_class", "model_input_names", "clean_up_tokenization_spaces", "use_fast",
      "backend", "is_local", "local_files_only", "_commit_hash", "transformers_version",
    ])
    maximumLength = try reader.integer("model_max_length", default: nil, in: 2...extentLimit)

    let listed = try Self.listedTokens(&reader)
    func token(_ key: String, default name: String) throws -> SpecialToken {
      var map = map
      let own = try Self.token(key, from: reader.take(key), reader)
      let mapped =
        try listed == nil ? map.flatMap { try Self.token(key, from: map?.take(key), $0) } : nil
      let token =
        mapped ?? own ?? SpecialToken(content: name, isNormalized: false, isPlain: true)
      return listed?.first { $0.content == token.content } ?? token
    }
    start = try token("bos_token", default: "<|startoftext|>")
    end = try token("eos_token", default: "<|endoftext|>")
    unknown = try token("unk_token", default: "<|endoftext|>")
    padding = try token("pad_token", default: "<|endoftext|>")
    try reader.finish()
    if var map, listed == nil {
      try map.neutral([
        "sep_token": .null, "cls_token": .null, "mask_token": .null,
        "additional_special_tokens": .array([]), "extra_special_tokens": .array([]),
      ])
      map.ignore(["bos_token", "eos_token", "unk_token", "pad_token"])
      try map.finish()
    }
    tokens = Self.distinct(listed ?? [], [start, end, unknown, padding])
  }

  /// The tokens to look for. A name may be told more than once, and differently: as transformers has it, a description
  /// that is told again does not count, and the last that counts wins.
  private static func distinct(
    _ listed: [SpecialToken], _ named: [SpecialToken]
  ) -> [SpecialToken] {
    var told = listed
    for token in named where !listed.contains(where: { $0.content == token.content }) {
      if !told.contains(token) { told.append(token) }
    }
    return told.indices.compactMap { index in
      told[(index + 1)...].contains { $0.content == told[index].content } ? nil : told[index]
    }
  }

  /// The tokens under `added_tokens_decoder`, by their numbers; nil where there is no such key.
  private static func listedTokens(_ reader: inout ConfigurationReader) throws -> [SpecialToken]? {
    guard let json = reader.take("added_tokens_decoder") else { return nil }
    guard case .object(let members) = json else {
      throw reader.failure("added_tokens_decoder", json, wanted: "an object")
    }
    return try members.map { member in
      guard let entry = Int(member.key), entry >= 0,
        var token = try token("added_tokens_decoder", from: member.value, reader), !token.isPlain
      else {
        throw reader.failure(
          "added_tokens_decoder", json, wanted: "descriptions of tokens by their numbers")
      }
      token.entry = entry
      return token
    }
  }

  /// A token that is told as its name or as an object that describes it; nil where there is none.
  private static func token(
    _ key: String, from json: JSON?, _ reader: ConfigurationReader
  ) throws -> SpecialToken? {
    guard let json else { return nil }
    if case .string(let name) = json, !name.isEmpty {
      return SpecialToken(content: name, isNormalized: false, isPlain: true)
    }
    var description = try ConfigurationReader(json, file: "\(reader.file), \"\(key)\"")
    guard case .string(let content)? = description.take("content"), !content.isEmpty else {
      throw reader.failure(key, json, wanted: "a name, or an object with a \"content\"")
    }
    try description.neutral(["lstrip": false, "rstrip": false, "single_word": false])
    description.ignore(["__type", "special"])
    let isNormalized = try description.boolean("normalized", default: false)
    try description.finish()
    return SpecialToken(content: content, isNormalized: isNormalized)
  }
}
