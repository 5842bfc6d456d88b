// What a photograph's edits get back of its details.

import Glibc
import Tensors
import Testing

@testable import Editing

@Suite struct PhotographDetailsTests {
  private static let side = 32
  private static let shape: Shape = [1, side, side, 3]
  private static let luma: [Float] = [0.299, 0.587, 0.114]

  /// Broad waves of brightness, as an autoencoder keeps them.
  private let decoded = Tensor(
    (0..<side * side * 3).map { index in
      let (x, y) = (Float(index / 3 % side), Float(index / 3 / side))
      return 0.7 * sin(x * 0.9) * sin(y * 0.7) + 0.1 * Float(index % 3)
    }, shape)
  private let lost = 0.05 * Philox(seed: 1, stream: .selection).normal(shape)

  private var details: PhotographDetails {
    PhotographDetails(of: decoded + lost, decoded: decoded)
  }

  /// The mean square of what has come to `edit`, and of how far that is from `expected`.
  private func comes(to edit: Tensor, expected: Tensor) -> (all: Float, apart: Float) {
    let came = details.restored(in: edit) - edit
    let apart = came - expected
    return ((came * came).mean, (apart * apart).mean)
  }

  private var lostBrightness: Tensor {
    Tensor(
      (0..<lost.count).map { index in
        (0..<3).reduce(Float(0)) { $0 + Self.luma[$1] * lost.array[index / 3 * 3 + $1] }
      }, Self.shape)
  }

  @Test func whatIsUnchangedIsThePhotograph() {
    let restored = details.restored(in: decoded)
    #expect(restored.largestDifference(to: decoded + lost) < 1e-6)
    let flat = Tensor(repeating: 0.2, Self.shape)
    let ofFlat = PhotographDetails(of: flat + lost, decoded: flat)
    #expect(ofFlat.restored(in: flat).largestDifference(to: flat + lost) < 1e-6)
  }

  /// What a sampling drifts by goes too.
  @Test func whatHasHardlyChangedIsNearlyThePhotograph() {
    let drift = 0.06 * Philox(seed: 3, stream: .selection).normal(Self.shape)
    let apart = details.restored(in: decoded + drift) - (decoded + lost)
    #expect((apart * apart).mean < 0.05 * (drift * drift).mean)
  }

  /// In another colour, with half the contrast, it gets half of the brightness's details, and none of the colours'.
  @Test func whatIsRecolouredKeepsTheDetailsOfItsBrightness() {
    let colour: [Float] = [-0.9, 0.6, 0.9]
    let edit = Tensor(
      (0..<decoded.count).map { 0.5 * decoded.array[$0] + colour[$0 % 3] * 0.8 }, Self.shape)
    let (all, apart) = comes(to: edit, expected: 0.5 * lostBrightness)
    #expect(all > 1e-4 && apart < 0.01 * all, "\(all) \(apart)")
  }

  /// In the dark, where all colours are alike, a thing that has gone leaves nothing behind.
  @Test func whatHasGoneInTheDarkIsGone() {
    let flat = Tensor(repeating: -0.7, Self.shape)
    let thing = Tensor(
      (0..<decoded.count).map { index in
        let (x, y) = (index / 3 % Self.side, index / 3 / Self.side)
        return max(abs(x - 16), abs(y - 16)) < 8 ? -0.6 : -0.7
      }, Self.shape)
    let edges = 0.5 * (thing - flat)
    let restored = PhotographDetails(of: thing + edges, decoded: thing).restored(in: flat)
    let (left, whole) = (restored - flat, thing - flat)
    #expect((left * left).mean < 0.05 * (whole * whole).mean)
  }

  /// Turned upside down, or of another form, it gets nothing.
  @Test func whatShowsSomethingElseIsTheModels() {
    let inverted = Tensor(
      (0..<decoded.count).map { 0.9 - decoded.array[$0] }, Self.shape)
    let flat = Tensor(repeating: 0.9, Self.shape)
    let noise =
      Tensor(repeating: 0.9, Self.shape)
      + 0.3 * Philox(seed: 2, stream: .selection).normal(Self.shape)
    let whole = (lost * lost).mean
    for (edit, most) in [(inverted, 1e-4), (flat, 1e-4), (noise, 0.03)] as [(Tensor, Float)] {
      let (all, _) = comes(to: edit, expected: edit)
      #expect(all < most * whole, "\(all) of \(whole)")
    }
  }

  /// A picture of which half has changed: the other half is the photograph, but near the border.
  @Test func eachPlaceIsSeenByItself() {
    let edit = Tensor(
      (0..<decoded.count).map { $0 / 3 % Self.side < 16 ? decoded.array[$0] : 0.9 }, Self.shape)
    let restored = details.restored(in: edit)
    for index in 0..<edit.count {
      let column = index / 3 % Self.side
      if column < 6 {
        #expect(abs(restored.array[index] - decoded.array[index] - lost.array[index]) < 1e-3)
      } else if column > 26 {
        #expect(abs(restored.array[index] - 0.9) < 1e-3)
      }
    }
  }
}

extension Tensor {
  fileprivate var mean: Float { Float(sum()) / Float(count) }

  fileprivate func largestDifference(to other: Tensor) -> Float {
    zip(array, other.array).map { abs($0 - $1) }.max() ?? 0
  }
}
