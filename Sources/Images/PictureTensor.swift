// Pictures as tensors and back.

import Tensors

extension Picture {
  /// `[1, height, width, 3]`, 0 to 255 mapped to -1 to 1.
  public var tensor: Tensor { Tensor(pixels.map { Float($0) / 127.5 - 1 }, [1, height, width, 3]) }

  /// The picture of a tensor of one: `[1, height, width, 3]`, -1 to 1 mapped to 0 to 255, rounded
  /// to the nearest (halves to even); what lies outside is cut off.
  ///
  /// - Throws: `ImageError.badData` for another shape, or for a value that is not a number.
  public init(_ tensor: Tensor) throws {
    let all = try Self.pictures(tensor)
    guard all.count == 1 else {
      throw ImageError.badData("a picture tensor", "shape \(tensor.shape), wanted a batch of 1")
    }
    self = all[0]
  }

  /// The pictures of a batch: `[batch, height, width, 3]`, as `init(_:)`.
  ///
  /// - Throws: `ImageError.badData` for another shape, or for a value that is not a number.
  public static func pictures(_ batch: Tensor) throws -> [Picture] {
    let shape = batch.shape
    guard shape.rank == 4, shape[1] > 0, shape[2] > 0, shape[3] == 3 else {
      throw ImageError.badData(
        "a picture tensor", "shape \(shape), wanted [batch, height, width, 3]")
    }
    let values = UnsafeBufferPointer(start: batch.pointer, count: batch.count)
    if let index = values.firstIndex(where: \.isNaN) {
      throw ImageError.badData("a picture tensor", "element \(index) is not a number")
    }
    let size = shape[1] * shape[2] * 3
    return withExtendedLifetime(batch) {
      (0..<shape[0]).map { index in
        let pixels = values[index * size..<(index + 1) * size].map { value in
          UInt8(min(max((value + 1) * 127.5, 0), 255).rounded(.toNearestOrEven))
        }
        return Picture(width: shape[2], height: shape[1], pixels: pixels)
      }
    }
  }
}
