import Foundation
import Testing

@testable import Images

/// Writes PNG files of every kind, uncompressed, so that what they hold is known without a decoder.
struct PNGMaker {
  var width = 9
  var height = 7
  var colorType: Int
  var depth: Int
  var isInterlaced = false
  /// Chunks between IHDR and IDAT.
  var extra: [UInt8] = []

  static let samples = [0: 1, 2: 3, 3: 1, 4: 2, 6: 4]
  var channels: Int { Self.samples[colorType]! }

  /// The raw sample of a channel at a place: all bits in use.
  func sample(_ x: Int, _ y: Int, _ channel: Int) -> Int {
    let scattered = (x &* 7919 &+ y &* 104_729 &+ channel &* 1_299_709 &+ 12_345) &* 2_654_435_761
    return (scattered >> 13) & ((1 << depth) - 1)
  }

  func file() -> [UInt8] {
    let header = number(width) + number(height) + [UInt8(depth), UInt8(colorType), 0, 0]
    return PNGChunk.signature
      + PNGChunk.bytes(type: "IHDR", data: header + [isInterlaced ? 1 : 0]) + extra
      + PNGChunk.bytes(type: "IDAT", data: zlib(scanLines()))
      + PNGChunk.bytes(type: "IEND", data: [])
  }

  /// Adam7 (PNG specification, 8.1): first column and row, and steps, of the seven passes.
  private static let passes = [
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
  ]

  private func scanLines() -> [UInt8] {
    let passes = isInterlaced ? Self.passes : [(0, 0, 1, 1)]
    return passes.flatMap { left, top, across, down -> [UInt8] in
      let columns = Array(stride(from: left, to: width, by: across))
      guard !columns.isEmpty else { return [] }
      return stride(from: top, to: height, by: down).flatMap { y in
        let samples = columns.flatMap { x in (0..<channels).map { sample(x, y, $0) } }
        return [0] + packed(samples)
      }
    }
  }

  private func packed(_ samples: [Int]) -> [UInt8] {
    if depth == 16 { return samples.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
    let perByte = 8 / depth
    return stride(from: 0, to: samples.count, by: perByte).map { start in
      (0..<perByte).reduce(0) { byte, index in
        byte << depth | (start + index < samples.count ? UInt8(samples[start + index]) : 0)
      }
    }
  }

  /// One stored block (RFC 1950 and 1951).
  private func zlib(_ bytes: [UInt8]) -> [UInt8] {
    var (a, b) = (1, 0)
    for byte in bytes {
      a = (a + Int(byte)) % 65_521
      b = (b + a) % 65_521
    }
    let low = [UInt8(bytes.count & 255), UInt8(bytes.count >> 8)]
    return [0x78, 0x01, 1] + low + low.map(~) + bytes + number(b << 16 | a)
  }

  private func number(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}

@Suite struct PNGTests {
  static let palette: [SIMD3<UInt8>] = (0..<256).map { index in
    SIMD3(UInt8(index), UInt8(255 - index), UInt8(index * 3 % 256))
  }

  static let kinds: [(colorType: Int, depth: Int)] = [
    (0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8),
    (4, 8), (4, 16), (6, 8), (6, 16),
  ]

  /// Every colour type and depth of the standard, interlaced and not, against the values written.
  @Test(arguments: kinds, [false, true])
  func decodesEveryKind(kind: (colorType: Int, depth: Int), isInterlaced: Bool) throws {
    var maker = PNGMaker(
      colorType: kind.colorType, depth: kind.depth, isInterlaced: isInterlaced)
    if kind.colorType == 3 {
      let entries = Self.palette[..<(1 << kind.depth)].flatMap { [$0[0], $0[1], $0[2]] }
      maker.extra = PNGChunk.bytes(type: "PLTE", data: entries)
    }
    let picture = try Picture(decoding: maker.file(), name: "made.png")
    #expect((picture.width, picture.height) == (9, 7))
    let largest = Double((1 << kind.depth) - 1)
    for y in 0..<picture.height {
      for x in 0..<picture.width {
        let color = (0..<3).map { channel -> Double in
          if kind.colorType == 3 { return Double(Self.palette[maker.sample(x, y, 0)][channel]) }
          let isGrey = kind.colorType & 2 == 0
          return Double(maker.sample(x, y, isGrey ? 0 : channel)) / largest * 255
        }
        let hasAlpha = kind.colorType & 4 != 0
        let alpha = hasAlpha ? Double(maker.sample(x, y, maker.channels - 1)) / largest : 1
        for channel in 0..<3 {
          let wanted = overWhite(color[channel], alpha)
          // Exact but for rounding: once without alpha, and of colour, alpha and the mixture with
          // it. 16 bits interlaced go through libpng's tables of powers of 2.2.
          let isLinear = kind.depth == 16 && isInterlaced
          let tolerance = isLinear ? (hasAlpha ? 4 : 1) : hasAlpha ? 1.5 : 0.51
          #expect(
            abs(Double(picture[x, y][channel]) - wanted) <= tolerance,
            "(\(x), \(y)) is \(picture[x, y]), wanted \(wanted) in channel \(channel)")
        }
      }
    }
  }

  /// sRGB over white in linear light (IEC 61966-2-1), 0 to 255.
  private func overWhite(_ value: Double, _ alpha: Double) -> Double {
    if alpha == 1 { return value }
    let encoded = value / 255
    let linear = encoded <= 0.04045 ? encoded / 12.92 : pow((encoded + 0.055) / 1.055, 2.4)
    let mixed = alpha * linear + 1 - alpha
    return 255 * (mixed <= 0.0031308 ? 12.92 * mixed : 1.055 * pow(mixed, 1 / 2.4) - 0.055)
  }

  @Test func transparentColorsBecomeWhite() throws {
    var grey = PNGMaker(colorType: 0, depth: 4)
    let hidden = grey.sample(3, 2, 0)
    grey.extra = PNGChunk.bytes(type: "tRNS", data: [0, UInt8(hidden)])
    let picture = try Picture(decoding: grey.file(), name: "grey")
    for y in 0..<7 {
      for x in 0..<9 {
        let value = grey.sample(x, y, 0)
        #expect(picture[x, y] == SIMD3(repeating: value == hidden ? 255 : UInt8(value * 17)))
      }
    }

    var indexed = PNGMaker(colorType: 3, depth: 1)
    indexed.extra =
      PNGChunk.bytes(type: "PLTE", data: [10, 20, 30, 40, 50, 60])
      + PNGChunk.bytes(type: "tRNS", data: [255, 0])
    let colors = try Picture(decoding: indexed.file(), name: "indexed")
    #expect(
      colors[1, 1] == (indexed.sample(1, 1, 0) == 0 ? SIMD3(10, 20, 30) : SIMD3(255, 255, 255)))
    #expect(Set(colors.pixels) == [10, 20, 30, 255])
  }

  @Test func gammaIsConverted() throws {
    var linear = PNGMaker(colorType: 0, depth: 8)
    // 100000: samples are linear light.
    linear.extra = PNGChunk.bytes(type: "gAMA", data: [0, 1, 0x86, 0xA0])
    let picture = try Picture(decoding: linear.file(), name: "linear")
    for x in 0..<9 {
      let light = Double(linear.sample(x, 0, 0)) / 255
      let encoded = light <= 0.0031308 ? 12.92 * light : 1.055 * pow(light, 1 / 2.4) - 0.055
      // libpng takes sRGB for a power of 1 / 2.2 here.
      #expect(abs(Double(picture[x, 0][0]) - 255 * encoded) <= 8)
      #expect(picture[x, 0][0] >= UInt8(255 * light))
    }
  }

  @Test func agreesWithPillow() throws {
    let scene = try reference("scene.png")
    let transparent = try reference("transparent.png")
    #expect(
      transparent.cropped(x: 0, y: 0, width: 22, height: 37)
        == scene.cropped(x: 0, y: 0, width: 22, height: 37))
    #expect(
      transparent.cropped(x: 23, y: 0, width: 22, height: 37)
        == Picture(width: 22, height: 37, color: SIMD3(255, 255, 255)))
  }

  @Test(arguments: [(1, 1), (1, 40), (33, 17), (64, 64)])
  func writtenPicturesComeBack(width: Int, height: Int) throws {
    let picture = pattern(width, height)
    let bytes = try picture.png()
    #expect(try Picture(decoding: bytes, name: "written") == picture)
    #expect(try picture.png() == bytes)
  }

  /// As PngSuite's damaged files: colour types and depths that are not in the standard, no data,
  /// and sizes of nothing.
  @Test func refusesWhatIsNotInTheStandard() {
    let bad = [
      (1, 8), (5, 8), (9, 8), (0, 0), (0, 3), (0, 99), (2, 4), (3, 16), (4, 4), (6, 2),
    ]
    for (colorType, depth) in bad {
      var bytes = PNGMaker(colorType: 0, depth: 8).file()
      let header: [UInt8] = bytes[16..<24] + [UInt8(depth), UInt8(colorType), 0, 0, 0]
      bytes.replaceSubrange(8..<33, with: PNGChunk.bytes(type: "IHDR", data: header))
      #expect(decodingError(bytes) != nil, "colour type \(colorType), depth \(depth)")
    }
    let whole = PNGMaker(colorType: 0, depth: 8).file()
    #expect(decodingError(whole[..<33] + PNGChunk.bytes(type: "IEND", data: [])) != nil)
    #expect(decodingError(PNGMaker(width: 0, colorType: 0, depth: 8).file()) != nil)
    #expect(decodingError(PNGMaker(height: 0, colorType: 0, depth: 8).file()) != nil)
  }

  /// A header of a large picture before a few bytes: refused before memory is taken for it.
  @Test func refusesMoreThanTheDataCanHold() {
    var bytes = PNGMaker(colorType: 6, depth: 16).file()
    let header: [UInt8] = [0, 0, 0x20, 0, 0, 0, 0x20, 0, 16, 6, 0, 0, 0]
    bytes.replaceSubrange(8..<33, with: PNGChunk.bytes(type: "IHDR", data: header))
    #expect(decodingError(bytes)?.description.contains("for a picture of 8192x8192") == true)
  }
}
