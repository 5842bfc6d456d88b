import Testing

@testable import Tensors

@Suite struct TensorTests {
  @Test func elements() {
    #expect(Tensor([1, 2, 3, 4, 5, 6], [2, 3]).array == [1, 2, 3, 4, 5, 6])
    #expect(Tensor(zeros: [2, 2]).array == [0, 0, 0, 0])
    #expect(Tensor(repeating: 3, [3]).array == [3, 3, 3])
    #expect(Tensor(7).scalar == 7 && Tensor(7).shape == [])
    #expect(Tensor([8], [1, 1]).scalar == 8)
    #expect(Tensor(uninitialized: [3, 0]).array == [])
    #expect(Tensor((0..<4).lazy.map(Float.init), [4]).array == [0, 1, 2, 3])
  }

  @Test func anotherShapeSharesMemory() {
    let x = Tensor([1, 2, 3, 4, 5, 6], [2, 3])
    let y = x.reshaped([3, 2])
    #expect(y.shape == [3, 2] && y.array == x.array)
    y.pointer[5] = 60
    #expect(x.array == [1, 2, 3, 4, 5, 60])
  }

  @Test func aCopyHasMemoryOfItsOwn() {
    let x = Tensor([1, 2], [2])
    let y = x.copy()
    y.pointer[0] = 10
    #expect(x.array == [1, 2] && y.array == [10, 2] && y.shape == [2])
  }

  @Test func slices() {
    let x = Tensor((0..<24).map(Float.init), [4, 2, 3])
    let middle = x.slice(1..<3)
    #expect(middle.shape == [2, 2, 3])
    #expect(middle.array == (6..<18).map(Float.init))
    middle.pointer[0] = -1
    #expect(x.pointer[6] == 6)
    #expect(x.slice(4..<4).shape == [0, 2, 3])
    #expect(x.slice(0..<4).array == x.array)
  }

  @Test func oneAfterTheOther() {
    let x = random([5, 2, 3], 1)
    let joined = Tensor(concatenating: [x.slice(0..<1), x.slice(1..<1), x.slice(1..<5)])
    #expect(joined.shape == x.shape && joined.array == x.array)
  }

  @Test(arguments: [1, 15, 16, 17, 40]) func whetherAllIsFinite(_ count: Int) {
    let x = random([count], 1)
    x.pointer[0] = .greatestFiniteMagnitude
    #expect(x.isFinite)
    for index in 0..<count {
      for value in [Float.nan, .infinity, -.infinity] {
        let y = x.copy()
        y.pointer[index] = value
        #expect(!y.isFinite)
      }
    }
  }

  @Test func memoryGoesBackWhenTheLastTensorGoes() {
    // A size that no other test has, for the pool is shared.
    let count = 7_340_035
    func address(of tensor: Tensor) -> UInt { UInt(bitPattern: tensor.pointer) }
    func use() -> Set<UInt> {
      let view = { Tensor(uninitialized: [count]).reshaped([1, count]) }()
      let other = Tensor(uninitialized: [count])
      return withExtendedLifetime((view, other)) { [address(of: view), address(of: other)] }
    }
    let first = use()
    // The view keeps the memory that it shares.
    #expect(first.count == 2)
    #expect(use() == first)
  }

  @Test func descriptions() {
    #expect(Tensor([1, 2.5], [1, 2]).description == "Tensor[1, 2] [1.0, 2.5]")
    #expect(
      Tensor(zeros: [9]).description
        == "Tensor[9] [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, …]")
  }
}
