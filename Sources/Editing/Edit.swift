// One edit of a sweep: where it lies, how it is called, and the sheet that shows all of them.

import Images

/// One edit of a sweep.
public struct EditPlace: Equatable, Sendable {
  /// Its place on the method's axis; nil where there is none.
  public let value: Double?
  /// The seed of its noise; nil where nothing is drawn, as of a deterministic sampling from the photograph's inversion.
  public let seed: UInt64?
  /// What to call it: "alpha 0.70 seed 0".
  public let name: String

  /// The picture in the run folder.
  public var file: String { "edits/\(name.replacing(" ", with: "-")).png" }
  /// The same at the photograph's own size.
  public var fullSizeFile: String { "edits/\(name.replacing(" ", with: "-"))-full-size.png" }
}

extension GenerateSettings {
  /// All edits of the sweep, those of a seed one after the other.
  public var places: [EditPlace] {
    let values = axis.map { $0.values.map(Optional.some) } ?? [nil]
    return noiseSeeds.flatMap { seed in
      values.map { value in
        var words = method == .imagic ? [] : [method.rawValue]
        if let axis, let value { words += [axis.name, NumberList.label(value)] }
        if let seed { words += ["seed", "\(seed)"] }
        return EditPlace(value: value, seed: seed, name: words.joined(separator: " "))
      }
    }
  }
}

/// One edit to make.
struct Edit {
  let place: EditPlace
  /// The picture of the size that the model works at.
  let file: File
  /// The same at the photograph's own size; nil where that is not wanted.
  let fullSize: File?

  struct File {
    let path: String
    /// What the PNG says.
    let notes: EditNotes

    /// The picture, if it is there and was made so.
    var picture: Picture? { EditNotes.picture(at: path, notes) }
  }
}

extension ContactSheet {
  /// A sheet of edits in the order of ``GenerateSettings/places``: the axis across and the seeds down, or the seeds across
  /// where there is no axis.
  /// - Parameter pictures: one for each edit.
  init(_ settings: EditSettings, photograph: Picture, mask: Picture?, pictures: [Picture]) {
    let generate = settings.generate
    let (axis, edits) = (generate.axis, generate.places)
    let columns =
      switch generate.method {
      case .imagic: generate.alphas.map(Self.label(alpha:))
      default:
        axis.map { axis in axis.values.map { "\(axis.name) \(NumberList.label($0))" } }
          ?? edits.map { "seed \($0.seed ?? 0)" }
      }
    let rows = stride(from: 0, to: edits.count, by: columns.count).map { first in
      Row(
        label: edits.count > columns.count ? edits[first].seed.map { "seed \($0)" } : nil,
        edits: Array(pictures[first..<first + columns.count]))
    }
    self.init(
      prompt: settings.prompt, detail: generate.description, photograph: photograph, mask: mask,
      columns: columns, rows: rows)
  }
}

extension GenerateSettings: CustomStringConvertible {
  /// How the edits were made, in one line.
  public var description: String {
    let again = resample > 1 ? ", resampled \(resample) times by jumps of \(resampleJump)" : ""
    return walkDescription + again + (mask.map { ", \($0)" } ?? "")
  }

  private var walkDescription: String {
    let walk =
      switch sampler {
      case .ddim: ""
      case .ddpm: "of DDPM "
      case .dpmSolver: "of DPM-Solver++ "
      }
    let scale = guidanceScale.formatted()
    let guidance =
      switch guidanceCourse {
      case .rising where guidanceScale != 1: "guidance rising to \(scale)"
      case .fromPhotograph where guidanceScale != 1: "guidance \(scale) from the photograph"
      default: "guidance \(scale)"
      }
    switch method {
    case .imagic:
      let from = start == .inversion ? "from the photograph's inversion" : "from noise"
      return "\(steps) steps \(walk)\(from), \(guidance)"
    case .sdedit:
      return "SDEdit: \(steps) steps \(walk)times the strength, guidance \(scale)"
    case .ddimInversion:
      let caption = source.map { "\u{201C}\($0)\u{201D}" } ?? "no sentence"
      return "DDIM inversion under \(caption), \(steps) steps \(walk)by the sentence"
    case .sample:
      return "\(steps) steps \(walk)from noise by the sentence alone, guidance \(scale)"
    }
  }
}
