import Testing

@testable import Scenes

@Suite struct PlacementTests {
  /// Over many scenes of all kinds: things stand in the picture, where the caption says, on the ground, and apart.
  @Test func thingsAreWhereTheCaptionSays() throws {
    let table = try SmallWorld.fullTable()
    let stream = SceneStream(table: table, seed: 11, split: .train)
    let sizes = [(width: 90, height: 200), (width: 250, height: 80)]
    let side = 128
    for index in 0..<3_000 {
      let scene = stream.scene(index)
      guard let subject = scene.subject else { continue }
      let frames = scene.frames(
        of: subject.cutOuts.indices.map { sizes[(index + $0) % 2] }, side: side)
      #expect(frames.count == subject.cutOuts.count)
      for frame in frames {
        #expect(frame.x >= -2 && frame.x + frame.width <= side + 2, "\(index): \(frame)")
        #expect(frame.y >= -4 && frame.y + frame.height <= side, "\(index): \(frame)")
        if subject.stand == .ground { #expect(frame.y + frame.height > 96) }
      }
      let centers = frames.map { Float($0.x) + Float($0.width) / 2 }
      if frames.count == 2 {
        let gap = abs(centers[0] - centers[1]) - Float(frames[0].width + frames[1].width) / 2
        #expect(gap > -2, "\(index): \(frames)")
        continue
      }
      switch subject.position {
      case .left: #expect(centers[0] < 52)
      case .right: #expect(centers[0] > 76)
      case .middle: #expect(abs(centers[0] - 64) < 11)
      }
    }
  }

  /// The shown part lies in its box, and its ground reaches up to the feet.
  @Test func photographsAreShownWhereTheirGroundIs() throws {
    let table = try SmallWorld.fullTable()
    let stream = SceneStream(table: table, seed: 12, split: .heldOut)
    let picture = SmallWorld.slope(480, 360, 0)
    for index in 0..<3_000 {
      let scene = stream.scene(index)
      let area = scene.area(of: picture)
      let box = scene.photograph.box
      #expect(area.width == area.height)
      #expect(area.x >= box.left * 480 - 0.01 && area.x + area.width <= box.right * 480 + 0.01)
      #expect(area.y >= box.top * 360 - 0.01 && area.y + area.height <= box.bottom * 360 + 0.01)
      let ground = (scene.photograph.ground * 360 - area.y) / area.height
      let feet = 0.76 + 0.19 * (scene.subject?.down ?? 0.5)
      #expect(ground < feet - 0.04, "\(index): \(scene.photograph.file)")
    }
  }
}
