import Testing

@testable import Evaluation

@Suite struct SeamPlanTests {
  /// The counts of calls that RePaint's order has: 20 steps by 5, three times, are 50, and 50 steps 140.
  @Test func everyResampledPlanHasAStraightRivalOfAsManyCalls() throws {
    let again = SeamPlan.all.filter { !$0.isStraight }
    #expect(again.map(\.calls) == [50, 50, 140, 140, 250, 250])
    for plan in again {
      let rivals = SeamPlan.all.filter { $0.isRival(of: plan) }
      #expect(rivals.count == 1 && rivals.first?.steps == plan.calls)
      #expect(rivals.first?.calls == plan.calls && rivals.first?.sampler == plan.sampler)
    }
  }

  @Test func namesTellThemApart() {
    #expect(Set(SeamPlan.all.map(\.name)).count == SeamPlan.all.count)
    #expect(SeamPlan.all.prefix(2).map(\.name) == ["ddpm-50", "ddpm-20-5-3"])
  }
}
