// What the autoencoder loses of a photograph, given back to its edits where they still show the same.

import Glibc
import Images
import Models
import Tensors

/// The details of a photograph that its latent does not hold.
///
/// An edit is decoded from a latent, so all of it is as soft as the autoencoder makes it, what it leaves alone too. But those
/// details are known: they are what the photograph has and its own latent, decoded, has not. Where the brightness of an edit goes
/// up and down with that of the decoded latent, both show the same: around each pixel, the one is taken to be a linear map of
/// the other (He et al., "Guided Image Filtering", ECCV 2010, equations 4 to 6), and how well that explains it is how much they
/// do. There an edit becomes the photograph itself where its colours have hardly changed either, and where they or the light
/// have, it gets the lost brightness, as much stronger or weaker as its contrast is. Where it shows something else it is left
/// as the model draws it.
struct PhotographDetails {
  /// The difference in colour, of a range of 1, at which an edit goes 1/e of the way to the photograph.
  static let tolerance: Float = 0.1
  /// Over what the squared differences are averaged: a Gaussian's standard deviation, in pixels.
  static let colourReach: Float = 2
  /// Over what brightnesses are compared, in the same way.
  static let structureReach: Float = 3
  /// The variance of the brightness, of a range of 1, that is too small to compare.
  static let flatness: Float = 1e-4
  /// How much stronger details get at most.
  static let strongest: Float = 1.5

  /// `[1, height, width, 3]`, -1 to 1.
  private let photograph: Tensor
  /// Its latent, decoded, in the same form.
  private let decoded: Tensor
  /// The brightness that this lacks of the photograph, `[height, width]`.
  private let lostBrightness: Tensor
  private let structure: Structure

  /// - Parameters:
  ///   - photograph: as the model sees it.
  ///   - latent: its latent, `[1, height / factor, width / factor, channels]`.
  init(of photograph: Picture, latent: Tensor, autoencoder: AutoencoderKL) {
    self.init(of: photograph.tensor, decoded: autoencoder.image(of: latent))
  }

  /// - Precondition: both are `[1, height, width, 3]`.
  init(of photograph: Tensor, decoded: Tensor) {
    precondition(photograph.shape == decoded.shape, "\(photograph.shape) and \(decoded.shape)")
    self.photograph = photograph
    self.decoded = decoded
    lostBrightness = brightness(of: photograph - decoded)
    structure = Structure(of: decoded)
  }

  /// An edit with the details of what it still shows.
  /// - Parameter edit: decoded, `[1, height, width, 3]`, -1 to 1.
  func restored(in edit: Tensor) -> Tensor {
    let alike = alike(edit)
    let own = Structure(of: edit)
    let together = smoothed(own.brightness * structure.brightness, by: Self.structureReach)
    let result = Tensor(uninitialized: edit.shape)
    for pixel in 0..<alike.count {
      let same = alike.pointer[pixel]
      let covariance =
        together.pointer[pixel] - own.mean.pointer[pixel] * structure.mean.pointer[pixel]
        // What is flat in both, and the same, goes up and down together too.
        + Self.flatness * same
      let variance = structure.variance.pointer[pixel] + Self.flatness
      let ownVariance = own.variance.pointer[pixel] + Self.flatness
      let slope = min(max(covariance / variance, 0), Self.strongest)
      let explained = slope > 0 ? min(covariance * covariance / (variance * ownVariance), 1) : 0
      let kept = same * explained
      // Doubled, as the pictures' range is from -1 to 1.
      let more = max(slope * explained - kept, 0) * 2 * lostBrightness.pointer[pixel]
      for index in pixel * 3..<pixel * 3 + 3 {
        let drawn = edit.pointer[index]
        result.pointer[index] = drawn + kept * (photograph.pointer[index] - drawn) + more
      }
    }
    return withExtendedLifetime((edit, self, alike, own, together)) { result }
  }

  /// How much each pixel of an edit has the colours of the decoded latent, `[height, width]`, 0 to 1.
  private func alike(_ edit: Tensor) -> Tensor {
    let squares = Tensor(zeros: [edit.shape[1], edit.shape[2]])
    for index in 0..<edit.count {
      // Halved, as the range is from -1 to 1.
      let difference = (edit.pointer[index] - decoded.pointer[index]) / 2
      squares.pointer[index / 3] += difference * difference / 3
    }
    let apart = smoothed(squares, by: Self.colourReach)
    for pixel in 0..<apart.count {
      apart.pointer[pixel] = exp(-apart.pointer[pixel] / (Self.tolerance * Self.tolerance))
    }
    return withExtendedLifetime((edit, decoded)) { apart }
  }
}

/// How bright a picture is, and how much that varies around each pixel: each `[height, width]`, of a range of 1.
private struct Structure {
  let brightness: Tensor
  let mean: Tensor
  let variance: Tensor

  init(of picture: Tensor) {
    brightness = Editing.brightness(of: picture)
    mean = smoothed(brightness, by: PhotographDetails.structureReach)
    variance =
      smoothed(brightness * brightness, by: PhotographDetails.structureReach) - mean * mean
  }
}

/// The luma (Rec. ITU-R BT.601) of a picture or of a difference of two, `[1, height, width, 3]` of a range of 2, as
/// `[height, width]` of a range of 1; 0 stays 0.
private func brightness(of picture: Tensor) -> Tensor {
  let luma: [Float] = [0.299, 0.587, 0.114]
  let result = Tensor(zeros: [picture.shape[1], picture.shape[2]])
  for index in 0..<picture.count {
    result.pointer[index / 3] += luma[index % 3] * picture.pointer[index] / 2
  }
  return withExtendedLifetime(picture) { result }
}
