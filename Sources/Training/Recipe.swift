// How a base is trained: the form of its networks and the numbers of each part of the training.

import Editing
import Foundation

/// A recipe, as a YAML file has it; what the file leaves out is as here.
public struct Recipe: Codable, Equatable, Sendable {
  /// Numbers that the trainings of both parts have.
  public struct Schedule: Codable, Equatable, Sendable {
    /// How many steps to train in all.
    public var steps: Int
    /// How many samples a step takes.
    public var batch: Int
    /// In how many parts a step's samples go through the network, one after the other.
    public var accumulate = 1
    /// The highest learning rate of AdamW.
    public var learningRate: Double
    public var warmUp: Int
    public var weightDecay: Double
    /// The largest norm of the gradients.
    public var clip = 1.0
    /// The decay of the average of the weights, which is what the base has in the end.
    public var averageDecay: Double
  }

  public struct Autoencoder: Codable, Equatable, Sendable {
    /// From the finest level to the coarsest; each but the last halves the picture.
    public var channels = [16, 32, 64, 96]
    public var latentChannels = 16
    /// Residual blocks of a level of the encoder; the decoder has one more.
    public var layers = 1
    public var groups = 8
    /// The side of the squares that are cut from pictures at first, and the share of the steps that have them; the
    /// steps after that take whole pictures, fewer of them, with as many pixels.
    public var crop = 64
    public var cropShare = 0.7
    /// The weights of the differences between neighbouring pixels, and of the divergence of the posterior.
    public var edgeWeight = 0.5
    public var divergenceWeight = 1e-4
    public var training = Schedule(
      steps: 20_000, batch: 16, learningRate: 1.5e-3, warmUp: 200, weightDecay: 0,
      averageDecay: 0.999)
  }

  public struct Text: Codable, Equatable, Sendable {
    public var width = 128
    public var layers = 3
    public var heads = 4
    /// How many tokens a caption has at most, its start and end among them.
    public var tokens = 24
    /// How many tokens there are at most.
    public var vocabulary = 2048
  }

  public struct Denoiser: Codable, Equatable, Sendable {
    /// From the finest level to the coarsest.
    public var channels = [48, 96, 192]
    /// Whether a level has attention.
    public var attention = [false, true, true]
    /// Residual blocks of a level going down; there is one more going up.
    public var layers = 1
    public var heads = 4
    public var groups = 8
    /// The share of captions that are left out, so that guidance has an answer to compare with.
    public var captionDropout = 0.1
    /// How much more an error counts where a picture's mask shows its things than elsewhere; 1 for as much.
    public var thingWeight = 1.0
    public var training = Schedule(
      steps: 30_000, batch: 32, learningRate: 1e-3, warmUp: 500, weightDecay: 0.01,
      averageDecay: 0.9995)
  }

  /// The side of the pictures, in pixels.
  public var size = 128
  public var autoencoder = Autoencoder()
  public var text = Text()
  public var denoiser = Denoiser()
  /// The captions of the grid of samples.
  public var samples: [String] = []
  /// What the base's card says of its data and their licences.
  public var about = ""

  public init() {}
}

extension Recipe {
  /// - Throws: `EditingError`: `noInput` where there is no such file; `badData`, naming the line, for an unknown key or a
  ///   value out of its range, and where the numbers don't fit together.
  public init(contentsOf path: String) throws {
    self.init()
    let top = try SettingsFile(path: path).top(
      keys: ["size", "autoencoder", "text", "denoiser", "samples", "about"])
    size = try top.whole("size", .whole(16...1024)) ?? size
    samples = try top.texts("samples", .captions) ?? samples
    about = try top.text("about", .about) ?? about
    if let part = try top.section("autoencoder", keys: Self.autoencoderKeys + Self.scheduleKeys) {
      autoencoder.channels = try part.wholes("channels", .widths) ?? autoencoder.channels
      autoencoder.latentChannels =
        try part.whole("latent-channels", .whole(1...256)) ?? autoencoder.latentChannels
      autoencoder.layers = try part.whole("layers", .whole(1...8)) ?? autoencoder.layers
      autoencoder.groups = try part.whole("groups", .whole(1...64)) ?? autoencoder.groups
      autoencoder.crop = try part.whole("crop", .whole(8...1024)) ?? autoencoder.crop
      autoencoder.cropShare = try part.number("crop-share", .share) ?? autoencoder.cropShare
      autoencoder.edgeWeight = try part.number("edge-weight", .weight) ?? autoencoder.edgeWeight
      autoencoder.divergenceWeight =
        try part.number("divergence-weight", .weight) ?? autoencoder.divergenceWeight
      try autoencoder.training.apply(part)
    }
    if let part = try top.section(
      "text", keys: ["width", "layers", "heads", "tokens", "vocabulary"])
    {
      text.width = try part.whole("width", .whole(8...4096)) ?? text.width
      text.layers = try part.whole("layers", .whole(1...48)) ?? text.layers
      text.heads = try part.whole("heads", .whole(1...64)) ?? text.heads
      text.tokens = try part.whole("tokens", .whole(3...512)) ?? text.tokens
      text.vocabulary = try part.whole("vocabulary", .whole(515...65_536)) ?? text.vocabulary
    }
    if let part = try top.section("denoiser", keys: Self.denoiserKeys + Self.scheduleKeys) {
      denoiser.channels = try part.wholes("channels", .widths) ?? denoiser.channels
      let levels = try part.wholes("attention-levels", .levels)
      denoiser.attention =
        levels.map { levels in denoiser.channels.indices.map { levels.contains($0) } }
        ?? denoiser.channels.indices.map { $0 > 0 }
      denoiser.layers = try part.whole("layers", .whole(1...8)) ?? denoiser.layers
      denoiser.heads = try part.whole("heads", .whole(1...64)) ?? denoiser.heads
      denoiser.groups = try part.whole("groups", .whole(1...64)) ?? denoiser.groups
      denoiser.captionDropout =
        try part.number("caption-dropout", .share) ?? denoiser.captionDropout
      denoiser.thingWeight = try part.number("thing-weight", .weight) ?? denoiser.thingWeight
      try denoiser.training.apply(part)
    }
    if let problem { throw EditingError(.badData, "\(path): \(problem)") }
  }

  private static let scheduleKeys = [
    "steps", "batch", "accumulate", "learning-rate", "warm-up", "weight-decay", "clip",
    "average-decay",
  ]
  private static let autoencoderKeys = [
    "channels", "latent-channels", "layers", "groups", "crop", "crop-share", "edge-weight",
    "divergence-weight",
  ]
  private static let denoiserKeys = [
    "channels", "attention-levels", "layers", "heads", "groups", "caption-dropout", "thing-weight",
  ]

  /// How many pixels of a picture an element of its latent stands for along each side.
  var factor: Int { 1 << (autoencoder.channels.count - 1) }

  /// What does not fit together, nil where all does.
  private var problem: String? {
    func uneven(_ part: String, _ channels: [Int], _ groups: Int) -> String? {
      channels.first { $0 % groups != 0 }.map {
        "\(part): found \($0) channels, wanted a multiple of the \(groups) groups"
      }
    }
    let side = size / factor
    let coarsest = 1 << (denoiser.channels.count - 1)
    if size % factor != 0 || autoencoder.crop % factor != 0 || autoencoder.crop > size {
      return
        "found pictures of \(size) pixels and crops of \(autoencoder.crop), wanted multiples of "
        + "the autoencoder's factor of \(factor), the crops not larger than the pictures"
    }
    if side % coarsest != 0 {
      return
        "denoiser: found latents of \(side)x\(side), wanted a side that \(coarsest) divides for "
        + "\(denoiser.channels.count) levels"
    }
    if text.width % text.heads != 0 {
      return "text: found a width of \(text.width), wanted a multiple of the \(text.heads) heads"
    }
    if let width = denoiser.channels.first(where: { $0 % denoiser.heads != 0 }) {
      return "denoiser: found \(width) channels, wanted a multiple of the \(denoiser.heads) heads"
    }
    for schedule in [autoencoder.training, denoiser.training]
    where schedule.batch % schedule.accumulate != 0 {
      return
        "found a batch of \(schedule.batch) in \(schedule.accumulate) parts, wanted equal parts"
    }
    return uneven("autoencoder", autoencoder.channels, autoencoder.groups)
      ?? uneven("denoiser", denoiser.channels, denoiser.groups)
  }
}

// How long a training is to be may change while it goes on: the rate follows the new course from there.

extension Recipe.Autoencoder {
  /// What has to stay the same for a training to go on.
  var withoutSteps: Self {
    var same = self
    same.training.steps = 0
    return same
  }
}

extension Recipe.Denoiser {
  /// What has to stay the same for a training to go on.
  var withoutSteps: Self {
    var same = self
    same.training.steps = 0
    return same
  }
}

extension Recipe.Schedule {
  fileprivate mutating func apply(_ part: SettingsMapping) throws {
    steps = try part.whole("steps", .whole(0...100_000_000)) ?? steps
    batch = try part.whole("batch", .batch) ?? batch
    accumulate = try part.whole("accumulate", .batch) ?? accumulate
    learningRate = try part.number("learning-rate", .learningRate) ?? learningRate
    warmUp = try part.whole("warm-up", .whole(0...1_000_000)) ?? warmUp
    weightDecay = try part.number("weight-decay", .share) ?? weightDecay
    clip = try part.number("clip", .weight) ?? clip
    averageDecay = try part.number("average-decay", .share) ?? averageDecay
  }
}

extension Limit<Double> {
  fileprivate static let share = Limit(wanted: "a number from 0 to 1") { $0 >= 0 && $0 <= 1 }
  fileprivate static let weight = Limit(wanted: "a number from 0 to 1000000") {
    $0 >= 0 && $0 <= 1e6
  }
}

extension Limit<[Int]> {
  fileprivate static let widths = Limit(wanted: "1 to 6 whole numbers from 1 to 4096") {
    (1...6).contains($0.count) && $0.allSatisfy { (1...4096).contains($0) }
  }
  fileprivate static let levels = Limit(wanted: "numbers of levels, counted from 0") {
    $0.allSatisfy { (0..<6).contains($0) }
  }
}

extension Limit<String> {
  fileprivate static let about = Limit(wanted: "text of at most 10000 characters") {
    $0.count <= 10_000
  }
}

extension Limit<[String]> {
  fileprivate static let captions = Limit(wanted: "at most 64 captions") { $0.count <= 64 }
}
