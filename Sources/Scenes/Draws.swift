// Choices drawn one after the other from a place of the counter-based generator.

import Tensors

/// A sequence of random choices that depends on the generator's seed, stream and step alone.
struct Draws {
  private let generator: Philox
  private var index = 0
  private var words = SIMD4<UInt32>.zero

  init(seed: UInt64, stream: Philox.Stream, step: Int) {
    generator = Philox(seed: seed, stream: stream, step: step)
  }

  /// 32 random bits.
  mutating func word() -> UInt32 {
    if index % 4 == 0 { words = generator.words(block: UInt64(index / 4)) }
    defer { index += 1 }
    return words[index % 4]
  }

  /// Evenly from [0, 1), a multiple of 2^-24.
  mutating func part() -> Float { Float(word() >> 8) * 0x1p-24 }

  /// How large a thing is drawn, as a part of its usual size.
  mutating func size() -> Float { 0.8 + 0.4 * part() }

  /// True with a probability.
  mutating func chance(_ probability: Float) -> Bool { part() < probability }

  /// An index below `count`, each as likely.
  mutating func below(_ count: Int) -> Int { Int((UInt64(word()) * UInt64(count)) >> 32) }

  mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }

  /// One of the elements, as likely as its weight.
  mutating func one<Element>(of elements: [Element], weight: (Element) -> Float) -> Element {
    var rest = part() * elements.map(weight).reduce(0, +)
    for element in elements {
      rest -= weight(element)
      if rest < 0 { return element }
    }
    return elements[elements.count - 1]
  }
}
