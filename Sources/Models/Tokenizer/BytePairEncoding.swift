// Byte-level byte-pair encoding: a word becomes its bytes, and neighbours merge, the earliest learnt pair first
// (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016).

import Weights

/// A vocabulary and the merges that lead to it.
struct BytePairEncoding: Sendable {
  /// What ends the last part of a word.
  static let wordEnd = "</w>"

  let vocabulary: [String: Int]
  private let merges: [UInt64: Merge]
  /// The entry of each byte, and the same at the end of a word.
  private let bytes: [Int]
  private let finalBytes: [Int]

  private struct Merge {
    let rank: Int
    let result: Int
  }

  /// - Parameters:
  ///   - merges: pairs in the order in which they were learnt.
  ///   - unknown: stands for bytes that the vocabulary does not have.
  ///   - file: the file of the merges, for errors.
  /// - Throws: `LoadingError` for a merge whose parts or result are not in the vocabulary.
  init(
    vocabulary: [String: Int], merges: [(String, String)], unknown: Int, file: String
  ) throws {
    self.vocabulary = vocabulary
    var table: [UInt64: Merge] = [:]
    table.reserveCapacity(merges.count)
    for (rank, (left, right)) in merges.enumerated() {
      func entry(_ token: String) throws -> Int {
        guard let entry = vocabulary[token] else {
          throw LoadingError(
            file: file,
            "merge \(rank + 1), \(JSON.string(left + " " + right)), needs \(JSON.string(token)),"
              + " which the vocabulary does not have")
        }
        return entry
      }
      let pair = Self.pair(try entry(left), try entry(right))
      table[pair] = Merge(rank: rank, result: try entry(left + right))
    }
    self.merges = table
    bytes = Self.alphabet.map { vocabulary[String($0)] ?? unknown }
    finalBytes = Self.alphabet.map { vocabulary[String($0) + Self.wordEnd] ?? unknown }
  }

  private static func pair(_ left: Int, _ right: Int) -> UInt64 {
    UInt64(UInt32(truncatingIfNeeded: left)) << 32 | UInt64(UInt32(truncatingIfNeeded: right))
  }

  /// The character that stands for each byte in the files: printable ones of Latin-1 for themselves, the others, in
  /// order, for those from U+0100 on.
  static let alphabet: [Character] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      if (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174 {
        return Character(UnicodeScalar(UInt8(byte)))
      }
      defer { next += 1 }
      return UnicodeScalar(next).map(Character.init) ?? " "
    }
  }()

  /// The entries of a word.
  ///
  /// Of all neighbours that can merge, the pair of the lowest rank does, the leftmost of equals, until none can. A queue
  /// of candidates makes this O(n log n) in the bytes of the word.
  /// - Parameter word: UTF-8.
  func encode(_ word: [UInt8]) -> [Int] {
    guard let last = word.last else { return [] }
    var parts = word.dropLast().map { bytes[Int($0)] }
    parts.append(finalBytes[Int(last)])
    // A linked list over positions; a part that was merged into its left neighbour has no entry.
    var next = Array(1...parts.count)
    var previous = Array(-1..<(parts.count - 1))
    var isAlive = Array(repeating: true, count: parts.count)
    var queue = MergeQueue()

    func offer(_ position: Int) {
      guard position >= 0, next[position] < parts.count,
        let merge = merges[Self.pair(parts[position], parts[next[position]])]
      else { return }
      queue.push(.init(rank: merge.rank, position: position, result: merge.result))
    }

    for position in parts.indices { offer(position) }
    while let candidate = queue.pop() {
      let left = candidate.position
      let right = next[left]
      // What stood here when the candidate was found may have been merged since.
      guard isAlive[left], right < parts.count,
        merges[Self.pair(parts[left], parts[right])]?.result == candidate.result
      else { continue }
      parts[left] = candidate.result
      isAlive[right] = false
      next[left] = next[right]
      if next[left] < parts.count { previous[next[left]] = left }
      offer(previous[left])
      offer(left)
    }
    return parts.indices.compactMap { isAlive[$0] ? parts[$0] : nil }
  }
}

/// Candidates for a merge, a binary heap with the one to take first at its top.
private struct MergeQueue {
  struct Candidate {
    let rank: Int
    let position: Int
    let result: Int

    func goesBefore(_ other: Candidate) -> Bool {
      (rank, position) < (other.rank, other.position)
    }
  }

  private var heap: [Candidate] = []

  mutating func push(_ candidate: Candidate) {
    heap.append(candidate)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].goesBefore(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Candidate? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].goesBefore(heap[least]) {
        least = child
      }
      guard least != parent else { return first }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
