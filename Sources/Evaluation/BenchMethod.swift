// What the bench compares: the ways to edit, and some of them held to a mask.

import Editing

/// A way to edit that the bench measures.
public enum BenchMethod: String, Codable, CaseIterable, Sendable {
  case imagic
  /// Imagic that is told the case's caption of the photograph, as DDIM inversion is.
  case captionedImagic = "captioned-imagic"
  case sdedit
  case ddimInversion = "ddim-inversion"
  case sample
  /// Imagic within the case's own mask.
  case maskedImagic = "masked-imagic"
  /// Imagic within a mask that the model finds by itself, against the case's caption where it has one.
  case autoMaskedImagic = "auto-masked-imagic"
  /// Plain sampling by the sentence within the case's own mask, resampled (Lugmayr et al., CVPR 2022).
  case repaint

  /// How its edits are made.
  var edits: EditMethod {
    switch self {
    case .imagic, .captionedImagic, .maskedImagic, .autoMaskedImagic: .imagic
    case .sdedit: .sdedit
    case .ddimInversion: .ddimInversion
    case .sample, .repaint: .sample
    }
  }

  /// Whether its edits are held to the case's own mask.
  private var needsMask: Bool { self == .maskedImagic || self == .repaint }

  /// Whether a case has what the method needs.
  func suits(_ editCase: EditCase) -> Bool {
    (!needsMask || editCase.mask != nil) && (self != .captionedImagic || editCase.source != nil)
  }

  /// The method whose trainings its edits are made by; nil where it trains nothing.
  var training: BenchMethod? {
    guard edits == .imagic else { return nil }
    return self == .captionedImagic ? self : .imagic
  }

  /// The files of a case that its edits come from.
  func inputs(of editCase: EditCase) -> [String] {
    [editCase.input] + (needsMask ? [editCase.mask].compactMap { $0 } : [])
  }

  /// A request for a case's edits.
  /// - Parameter settings: those of all edits.
  func request(for editCase: EditCase, _ settings: EditRequest) -> EditRequest {
    var request = settings
    request.image = editCase.input
    request.prompt = editCase.prompt
    request.generate.method = edits
    if self == .ddimInversion {
      request.generate.source = request.generate.source ?? editCase.source
    }
    if self == .captionedImagic { request.embedding.source = editCase.source }
    if needsMask { request.masking.mask = editCase.mask }
    if self == .autoMaskedImagic { request.masking.mask = "auto" }
    if self == .repaint {
      // As many calls of the model as SeamPlan's walks of this kind.
      request.generate.sampler = request.generate.sampler ?? .ddpm
      request.generate.resample = request.generate.resample ?? 3
      request.generate.resampleJump = request.generate.resampleJump ?? 5
    }
    return request
  }
}
