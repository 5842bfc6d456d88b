// The pairs of pictures that tools/make_metric_references.py made, and what scikit-image says of them.

import Foundation
import Images
import Testing

struct Reference: Decodable {
  let psnr: Double
  let ssim: Double
  let ssimOfLeft: Double

  static func all() throws -> [String: Reference] {
    let path = try path("expected.json")
    return try JSONDecoder().decode(
      [String: Reference].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  static func picture(_ name: String) throws -> Picture {
    try Picture(contentsOf: path("\(name).png"))
  }

  private static func path(_ name: String) throws -> String {
    try #require(Bundle.module.path(forResource: "References/" + name, ofType: nil))
  }
}
