// How an edit is made, and what the edits of a sweep differ in.

/// The ways to edit a photograph by a sentence. All but Imagic take the base as it is, without training.
public enum EditMethod: String, Codable, CaseIterable, Sendable {
  /// From the photograph's embedding to the sentence's, with the tuned denoiser (Kawar et al. 2023).
  case imagic
  /// Noise is added to the photograph's latent and removed by the sentence (Meng et al., "SDEdit: Guided Image Synthesis
  /// and Editing with Stochastic Differential Equations", ICLR 2022).
  case sdedit
  /// The photograph's inversion, sampled by the sentence (Song et al., "Denoising Diffusion Implicit Models", ICLR 2021,
  /// section 5.4).
  case ddimInversion = "ddim-inversion"
  /// Pictures of the sentence alone, which know nothing of the photograph.
  case sample
}

/// What the edits of a sweep differ in.
struct SweepAxis: Equatable {
  /// As file names and labels have it.
  let name: String
  let values: [Double]
}

extension GenerateSettings {
  /// What the sweep goes over besides seeds; nil where there are only those.
  var axis: SweepAxis? {
    switch method {
    case .imagic: SweepAxis(name: "alpha", values: alphas)
    case .sdedit: SweepAxis(name: "strength", values: strengths)
    case .ddimInversion: SweepAxis(name: "guidance", values: guidanceScales)
    case .sample: nil
    }
  }

  /// Whether the sampling starts from the photograph's inversion.
  var inverts: Bool { method == .ddimInversion || (method == .imagic && start == .inversion) }

  /// The seeds of the noise that the sampling starts from, or takes in on its way; one nil where it takes none, so that all
  /// seeds would give the same picture.
  var noiseSeeds: [UInt64?] { inverts && sampler != .ddpm && resample == 1 ? [nil] : seeds }

  /// Whether the guidance leads away from the photograph's own embedding: of Imagic by its course, of DDIM inversion with a
  /// caption always, so that a scale of 0 gives the photograph back.
  var guidesFromPhotograph: Bool {
    switch method {
    case .imagic: guidanceCourse == .fromPhotograph
    case .ddimInversion: source != nil
    case .sdedit, .sample: false
    }
  }

  /// Whether edits get the photograph's details back; a sample of the sentence has none of it.
  var restoresDetails: Bool { method != .sample && details == .photograph }

  /// The guidance scale at a place on the axis.
  func guidanceScale(on axis: Double?) -> Double {
    switch method {
    case .imagic: guidanceScale(at: axis ?? 0)
    case .ddimInversion: axis ?? guidanceScale
    case .sdedit, .sample: guidanceScale
    }
  }
}
