// What a scene shows, before any pixel of it: enough to render it, and to say it in a caption.

/// A thing or two in a place, in some light. All numbers are parts of the picture's side, or from [0, 1) to be spread
/// over what there is room for, so that a scene is the same at every size.
public struct Scene: Equatable, Sendable {
  /// Where the thing is, across.
  public enum Position: String, CaseIterable, Sendable { case left, middle, right }

  /// How wide a thing may be, as a part of the picture's width.
  enum Width {
    static let alone: Float = 0.9
    static let atASide: Float = 0.56
    static let ofTwo: Float = 0.42
    /// Of the first of two that stays in the middle, and of the second, which goes beside it.
    static let besideMiddle: Float = 0.28
  }

  /// One or two things of a kind.
  public struct Subject: Equatable, Sendable {
    public var noun: String
    /// One cut-out for each, and whether it is mirrored.
    public var cutOuts: [CutOut]
    public var mirrored: [Bool]
    /// What it is painted in; nil for as it is.
    public var paint: Colour?
    /// The colour that the caption names.
    public var colour: String?
    public var position = Position.middle
    /// Where within what its position leaves, across and down, and how large.
    public var across: Float = 0.5
    public var down: Float = 0.5
    public var size: Float = 0.5
    /// How wide each may be at most.
    public var widest = Width.alone
    public var stand = Noun.Stand.ground
    /// Of two, where the second is. With `besideMiddle` the first stays in the middle, and the second is where there is
    /// more room.
    public var secondAcross: Float = 0.5
    public var secondDown: Float = 0.5
    public var secondOnLeft = false
    public var besideMiddle = false

    public var isPair: Bool { cutOuts.count == 2 }
  }

  /// Which part of the place's photograph is shown.
  public struct Crop: Equatable, Sendable {
    public var size: Float = 0
    public var across: Float = 0.5
    public var down: Float = 0.5
    public var mirrored = false
  }

  /// The place's name in the table.
  public var place: String
  public var photograph: Photograph
  public var crop = Crop()
  public var subject: Subject?
  public var lighting = Lighting.day
  /// How bright, how warm and how contrasting, each 0 to 1 with 0.5 for as it is.
  public var exposure: Float = 0.5
  public var warmth: Float = 0.5
  public var contrast: Float = 0.5
  /// Where the shadow falls, 0 to 1.
  public var slant: Float = 0.5
  /// What snow is scattered by.
  public var scatter: UInt64 = 0
  public var caption = ""
}
