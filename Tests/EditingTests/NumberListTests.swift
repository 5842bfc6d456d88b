import Testing

@testable import Editing

@Suite struct NumberListTests {
  @Test(arguments: [
    ("0,0.5,1", [0, 0.5, 1]), (" 0.7 ", [0.7]), ("-0.5, 1.2", [-0.5, 1.2]),
    ("0:1:0.25", [0, 0.25, 0.5, 0.75, 1]),
    ("0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
    ("0:1:0.4", [0, 0.4, 0.8]), ("1:0:-0.5", [1, 0.5, 0]), ("0.5:0.5:1", [0.5]),
  ])
  func alphasAreRead(text: String, alphas: [Double]) {
    #expect(NumberList.numbers(text, within: .alphas) == alphas)
  }

  @Test(arguments: [
    "", ",", "0,", "a", "0,x", "nan", "inf", "0,0", "0:1", "0:1:0", "0:1:-1", "0:1:0.1:2", "0:1:x",
    "0:1:1e-9", "0:nan:1", "0:1:inf", "11", "1e400",
  ])
  func whatAreNoAlphasIsRefused(text: String) {
    #expect(NumberList.numbers(text, within: .alphas) == nil)
  }

  @Test func otherNumbersHaveLimitsOfTheirOwn() {
    #expect(NumberList.numbers("0.3:0.9:0.3", within: .strengths) == [0.3, 0.6, 0.9])
    #expect(NumberList.numbers("0,1.1", within: .strengths) == nil)
    #expect(NumberList.numbers("0,7.5", within: .guidanceScales) == [0, 7.5])
    #expect(NumberList.numbers("-1", within: .guidanceScales) == nil)
  }

  @Test func seedsAreWholeAndDifferent() {
    #expect(NumberList.seeds("0,1, 2") == [0, 1, 2])
    for text in ["", "-1", "1.5", "1,1", "x", "9223372036854775808"] {
      #expect(NumberList.seeds(text) == nil, "\(text)")
    }
  }

  @Test func labelsTellDifferentAlphasApart() {
    #expect(NumberList.label(0.7) == "0.70" && NumberList.label(1) == "1.00")
    #expect(NumberList.label(0.125) == "0.125" && NumberList.label(0.12) == "0.12")
    #expect(NumberList.label(-0.5) == "-0.50" && NumberList.label(-0.0) == "0.00")
  }
}
