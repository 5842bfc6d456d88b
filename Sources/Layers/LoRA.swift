// Few parameters beside a layer that stays as it is: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.

import Autodiff
import Tensors

/// The change of low rank of one linear map or convolution: `W x + up(down(x))` (equation 3, with alpha equal to the
/// rank, so that its scale is 1).
///
/// `down` begins as peft begins it, drawn evenly from plus and minus `1 / sqrt(fan in)` (Kaiming's with a = sqrt(5)), and
/// `up` at zero, so that nothing is changed at first.
public final class LoRA {
  /// The layer's name in diffusers, such as `mid_block.attentions.0.transformer_blocks.0.attn1.to_q`.
  public let module: String
  /// `MODULE/down`, on disk `[rank, inputs]` or, of a convolution, `[rank, inputs, kernel, kernel]`: peft's `lora_A`.
  public let down: Parameter
  /// `MODULE/up`, on disk `[outputs, rank]` or, of a convolution, `[outputs, rank, 1, 1]`: peft's `lora_B`.
  public let up: Parameter

  public var parameters: [Parameter] { [down, up] }

  fileprivate init(module: String, weight: Parameter, rank: Int, draws: Philox) {
    self.module = module
    let extents = weight.storedShape.array
    let shape = Shape([rank] + extents.dropFirst())
    let bound = 1 / Float(shape.count / rank).squareRoot()
    down = Parameter(
      name: "\(module)/down",
      layout: weight.layout == .strips && rank % 16 != 0 ? .convolution : weight.layout,
      stored: Tensor(draws.uniform(count: shape.count).map { (2 * $0 - 1) * bound }, shape))
    up = Parameter(
      name: "\(module)/up", layout: weight.layout == .linear ? .linear : .pointwise,
      stored: Tensor(zeros: Shape([extents[0], rank] + extents.dropFirst(2).map { _ in 1 })))
  }

  /// The change for `x`, `[…, inputs]`, added to a linear map's answer `y`, `[…, outputs]`.
  func callAsFunction(_ x: Variable, addedTo y: Variable) -> Variable {
    linear(linear(x, down.variable), up.variable, adding: y)
  }

  /// The same for `x`, `[batch, height, width, inputs]`, added to a convolution's answer, `[batch, rows, columns, outputs]`.
  func callAsFunction(_ x: Variable, _ geometry: ConvolutionGeometry, addedTo y: Variable)
    -> Variable
  {
    linear(convolve(x, down.variable, geometry), up.variable, adding: y)
  }
}

extension Parameter {
  /// Lays a change of low rank over this weight of a linear map or a convolution; its layer applies it from here on.
  /// - Parameters:
  ///   - rank: at least 1.
  ///   - draws: what `down` is drawn from.
  /// - Precondition: the name ends in `.weight`, and there is none yet.
  public func addLoRA(rank: Int, draws: Philox) -> LoRA {
    precondition(lora == nil && name.hasSuffix(".weight"), "LoRA of \(name)")
    let added = LoRA(
      module: String(name.dropLast(".weight".count)), weight: self, rank: rank, draws: draws)
    lora = added
    return added
  }

  /// Adds the change of low rank to the weight, which is then without one.
  public func mergeLoRA() {
    guard let lora else { return }
    if layout == .strips {
      let change = matrixProduct(lora.down.storedValue.outputsLast(), lora.up.value)
      let extents = storedShape
      value.add(
        inPlace: change.reshaped([extents[2], extents[3], extents[1], extents[0]]).outputsFirst()
          .outputsInStrips())
    } else {
      _ = matrixProduct(lora.down.value, lora.up.value, addingTo: value)
    }
    self.lora = nil
  }
}
