import Testing

@testable import Tensors

@Suite struct ShapeTests {
  @Test func extents() {
    let shape: Shape = [2, 3, 5, 7]
    #expect(shape.rank == 4)
    #expect((0..<4).map { shape[$0] } == [2, 3, 5, 7])
    #expect(shape.array == [2, 3, 5, 7])
    #expect(shape.count == 210)
    #expect(shape.last == 7)
    #expect(shape.rows == 30)
    #expect(shape.description == "[2, 3, 5, 7]")
  }

  @Test func fiveExtents() {
    let shape: Shape = [2, 3, 5, 7, 16]
    #expect(shape.rank == 5 && shape.count == 3360 && shape.last == 16 && shape.rows == 210)
    #expect(shape.array == [2, 3, 5, 7, 16])
    #expect(shape.replacingLast(1) == [2, 3, 5, 7, 1])
    #expect(shape != [2, 3, 5, 7])
    let four: Shape = [2, 3, 5, 7]
    #expect(four.replacingLast(4) == [2, 3, 5, 4])
  }

  @Test func aScalar() {
    let shape: Shape = []
    #expect(shape.rank == 0 && shape.count == 1 && shape.last == 1 && shape.rows == 1)
    #expect(shape.array == [] && shape.description == "[]")
  }

  @Test func nothingInIt() {
    #expect(Shape([3, 0]).count == 0)
    #expect(Shape([3, 0]).rows == 0)
    #expect(Shape([0, 3]).rows == 0)
  }

  @Test func equality() {
    #expect(Shape([2, 3]) == [2, 3])
    #expect(Shape([2, 3]) != [3, 2])
    // Equal extents inside, but another rank.
    #expect(Shape([2, 3]) != [2, 3, 1])
    #expect(Set<Shape>([[2, 3], [2, 3], [2, 3, 1]]).count == 2)
  }

  @Test func fromASlice() {
    #expect(Shape([9, 2, 3].dropFirst()) == [2, 3])
  }
}
