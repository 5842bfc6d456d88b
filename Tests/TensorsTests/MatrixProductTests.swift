import COpenBLAS
import Testing

@testable import Tensors

@Suite struct MatrixProductTests {
  static let sizes = [
    (1, 1, 1), (3, 5, 7), (8, 48, 16), (9, 49, 17), (16, 31, 300), (77, 768, 33), (200, 130, 515),
    (1024, 32, 96), (64, 1280, 320), (5, 4, 1000), (417, 97, 64),
    // Columns that end in each kind of strip.
    (100, 20, 70), (101, 29, 70), (98, 32, 33), (99, 40, 65), (97, 23, 100), (103, 56, 31),
    // Few rows.
    (1, 112, 96), (2, 320, 1280), (4, 50, 64), (7, 1280, 320), (13, 94, 160), (16, 208, 2048),
    // Few rows and a right operand that is larger than the caches.
    (1, 1040, 1024), (9, 2000, 530), (16, 1280, 832), (77, 1104, 1000), (95, 1088, 1303),
    (30, 1040, 260), (60, 1056, 516), (150, 1040, 1030), (250, 512, 330),
  ]

  /// Against OpenBLAS's `sgemm`.
  @Test(arguments: sizes, [false, true])
  func agreesWithOpenBLAS(_ size: (Int, Int, Int), _ transposingRight: Bool) {
    let (m, n, k) = size
    for transposingLeft in [false, true] {
      let a = random(transposingLeft ? [k, m] : [m, k], 1)
      let b = random(transposingRight ? [n, k] : [k, n], 2)
      let bias = random([n], 3)
      let start = random([m, n], 4)

      let expected = start.copy()
      cblas_sgemm(
        CblasRowMajor, transposingLeft ? CblasTrans : CblasNoTrans,
        transposingRight ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), 1, a.pointer,
        Int32(a.shape.last), b.pointer, Int32(b.shape.last), 1, expected.pointer, Int32(n))
      for i in 0..<m { for j in 0..<n { expected.pointer[i * n + j] += bias.pointer[j] } }

      poisonPool()
      let found = matrixProduct(
        a, b, transposingLeft: transposingLeft, transposingRight: transposingRight, bias: bias,
        addingTo: start.copy())
      #expect(relativeError(found, expected) < 1e-5)

      poisonPool()
      let added = matrixProduct(
        a, b, transposingLeft: transposingLeft, transposingRight: transposingRight, bias: bias,
        adding: start)
      #expect(added.array == found.array)
    }
  }

  @Test func doesNotDependOnTheNumberOfThreads() {
    let (a, b) = (random([300, 200], 1), random([200, 500], 2))
    expectSameBytesOnAnyThreads { [matrixProduct(a, b)] }
  }

  @Test(arguments: [(11, 640, 320), (20, 1280, 900), (70, 1104, 132)], [false, true])
  func fewRowsDoNotDependOnTheNumberOfThreads(_ size: (Int, Int, Int), transposingRight: Bool) {
    let (rows, columns, inner) = size
    let a = random([rows, inner], 1)
    let b = random(transposingRight ? [columns, inner] : [inner, columns], 2)
    expectSameBytesOnAnyThreads { [matrixProduct(a, b, transposingRight: transposingRight)] }
  }

  @Test(arguments: [
    (1, 1, 1), (1, 17, 33), (5, 100, 193), (64, 97, 400), (257, 200, 49), (600, 96, 192),
    (1700, 40, 400),
    // Columns in several tasks; then rows too, of an inner dimension of several blocks.
    (33, 50, 900), (520, 70, 1000), (650, 700, 410),
  ])
  func aProductInPartsIsTheWholeOne(_ inner: Int, _ rows: Int, _ columns: Int) {
    let (a, b) = (random([inner, rows], 1), random([inner, columns], 2))
    let whole = matrixProduct(a, b, transposingLeft: true)
    poisonPool()
    let inParts = joined(whole.shape) { transposedMatrixProduct(a, b, inParts: $0) }
    #expect(inParts.array.map(\.bitPattern) == whole.array.map(\.bitPattern))
    expectSameBytesOnAnyThreads {
      [joined(whole.shape) { transposedMatrixProduct(a, b, inParts: $0) }]
    }
  }

  /// Each row of each column is one task, and those of a share of the rows follow each other.
  @Test func sharedTasksAreAllOnce() {
    for (rows, columns, shares) in [(1, 1, 2), (7, 3, 2), (8, 1, 2), (5, 2, 8), (40, 4, 3)] {
      let tasks = SharedTasks(rows: rows, columns: columns, shares: shares)
      let found = (0..<tasks.count).compactMap { tasks[$0] }
      #expect(found.count == rows * columns)
      #expect(Set(found.map { $0.row * columns + $0.column }).count == rows * columns)
      #expect(found.allSatisfy { $0.row < rows && $0.column < columns })
      let shareOf = found.map { task in
        (0..<shares).first { task.row < ($0 + 1) * rows / shares }!
      }
      #expect(shareOf == shareOf.sorted())
    }
  }

  /// Every column is in one task, and both halves of the tasks have as many, to a vector.
  @Test func columnTasksAreEven() {
    let width = MatrixProduct.stripWidth
    for columns in Array(1...200) + [320, 333, 640, 1280, 2560, 5120, 10_240] {
      for wanted in [1, 2, 5, 8] {
        for most in [1, 4, Int.max] {
          let cut = ColumnTasks(columns: columns, wanted: wanted, mostStrips: most)
          let ranges = (0..<cut.count).map { cut[$0] }
          #expect(ranges.flatMap { Array($0) } == Array(0..<columns))
          #expect(ranges.allSatisfy { $0.count <= cut.most })
          #expect(most == .max || cut.most <= most * width)
          guard cut.count > 1, wanted > 1 else { continue }
          let first = ranges[..<(cut.count / 2)].reduce(0) { $0 + $1.count }
          #expect(cut.count % 2 == 0 && abs(2 * first - columns) <= 31)
        }
      }
    }
  }
}
