// Classifier-free guidance, as a wrapper that samplers do not see.

import Tensors

/// A denoiser that moves the prediction away from the unconditional one: `u + scale * (c - u)` (Ho and Salimans,
/// "Classifier-Free Diffusion Guidance", 2022, in the form that diffusers uses).
///
/// A scale of 1 gives the conditional prediction, at twice its price: ask for that one directly.
/// - Parameters:
///   - scale: how far to go; 1 is the conditional prediction.
///   - denoise: is given the latent twice along the batch, `[2 * batch, ...]`, and predicts the first half without the
///     condition and the second half with it.
public func guided(scale: Float, denoise: @escaping Denoiser) -> Denoiser {
  { latent, timestep in
    let batch = latent.shape[0]
    let both = try denoise(Tensor(concatenating: [latent, latent]), timestep)
    return elementwise(both.slice(0..<batch), both.slice(batch..<(2 * batch))) {
      unconditional, conditional in
      unconditional + scale * (conditional - unconditional)
    }
  }
}
