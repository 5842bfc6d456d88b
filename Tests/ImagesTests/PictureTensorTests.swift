import Tensors
import Testing

@testable import Images

@Suite struct PictureTensorTests {
  @Test func everyValueComesBack() throws {
    let picture = Picture(width: 16, height: 16, pixels: (0..<768).map { UInt8($0 % 256) })
    let tensor = picture.tensor
    #expect(tensor.shape == [1, 16, 16, 3])
    #expect(tensor.array[0] == -1)
    #expect(tensor.array[255] == 1)
    #expect(tensor.array[127] == Float(127) / 127.5 - 1)
    #expect(try Picture(tensor) == picture)
  }

  @Test func cutsOffAndRounds() throws {
    let values: [Float] = [-5, 5, .infinity, -.infinity, 0, 1 / 127.5]
    let picture = try Picture(Tensor(values, [1, 1, 2, 3]))
    // 127.5 goes to the even 128, 128.5 too.
    #expect(picture.pixels == [0, 255, 255, 0, 128, 128])
  }

  @Test func refusesNaNAndOtherShapes() {
    let error = #expect(throws: ImageError.self) {
      try Picture(Tensor([0, 0, .nan], [1, 1, 1, 3]))
    }
    #expect(error?.description == "a picture tensor: element 2 is not a number")
    for shape: Shape in [[3], [1, 2, 2, 4], [2, 2, 3], [2, 2, 2, 3], [1, 0, 2, 3]] {
      #expect(throws: ImageError.self) { try Picture(Tensor(zeros: shape)) }
    }
  }

  @Test func batchesComeApart() throws {
    let (first, second) = (pattern(4, 2), Picture(width: 4, height: 2, color: SIMD3(1, 2, 3)))
    let batch = Tensor(concatenating: [first.tensor, second.tensor])
    #expect(try Picture.pictures(batch) == [first, second])
  }
}
