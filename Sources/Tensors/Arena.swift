// One range of addresses that large buffers are cut from.

import Glibc

/// A range of addresses, far larger than the memory behind it, from which blocks are taken where they fit best. What goes
/// back joins its free neighbours, so that one large tensor can take the place of several small ones: the memory held is
/// little more than what tensors hold at their most.
///
/// Not safe to use from several threads at once.
struct Arena: ~Copyable {
  private static let page = 4096
  /// What blocks have beyond whole pages, so that they begin at different places of a page: a processor takes loads and
  /// stores whose addresses agree in the last twelve bits for the same place at first, and waits.
  private static let shift = 320

  /// A range of bytes that no tensor has.
  private struct FreeBlock {
    var start: Int
    var length: Int
    /// How much of it was used before and has not been given back to the system.
    var held: Int

    var end: Int { start + length }
  }

  private let base: UInt
  /// How many bytes of addresses there are.
  private let capacity: Int
  /// Up to where the addresses may be written to.
  private var writable = 0
  /// Up to where blocks were ever taken.
  private var top = 0
  /// In the order of their addresses, none next to another.
  private var free: [FreeBlock] = []

  init() {
    // As much as a process may have, and no more than any machine has use for.
    var size = 1 << 40
    var start: UnsafeMutableRawPointer?
    while true {
      start = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      if start != MAP_FAILED || size <= 1 << 30 { break }
      size /= 2
    }
    guard let start, start != MAP_FAILED else {
      endWithoutMemory("found no addresses for tensors")
    }
    // Pages of 2 MB where the system has them: fewer faults, fewer entries in the processor's table.
    madvise(start, size, MADV_HUGEPAGE)
    base = UInt(bitPattern: start)
    capacity = size
  }

  deinit { munmap(UnsafeMutableRawPointer(bitPattern: base), capacity) }

  /// How many bytes a block for so many has.
  static func rounded(_ bytes: Int) -> Int {
    (bytes - shift + page - 1) / page * page + shift
  }

  /// Takes a block.
  /// - Parameter bytes: as ``rounded(_:)`` gives them.
  /// - Returns: its address, and how many of its bytes have to come from the system.
  mutating func take(_ bytes: Int) -> (address: UInt, fresh: Int) {
    var best: Int?
    for (index, block) in free.enumerated() where block.length >= bytes {
      if best.map({ block.length < free[$0].length }) ?? true { best = index }
    }
    if let best {
      let block = free[best]
      let held = min(block.held, bytes)
      if block.length == bytes {
        free.remove(at: best)
      } else {
        free[best] = FreeBlock(
          start: block.start + bytes, length: block.length - bytes, held: block.held - held)
      }
      return (base + UInt(block.start), bytes - held)
    }
    // Nothing is large enough: what is free at the end grows.
    var start = top
    var held = 0
    if let last = free.last, last.end == top {
      (start, held) = (last.start, last.held)
      free.removeLast()
    }
    top = start + bytes
    if top > writable { makeWritable(top) }
    return (base + UInt(start), bytes - held)
  }

  private mutating func makeWritable(_ end: Int) {
    let step = 64 << 20
    let wanted = min(capacity, (end + step - 1) / step * step)
    let start = UnsafeMutableRawPointer(bitPattern: base + UInt(writable))
    guard wanted >= end, mprotect(start, wanted - writable, PROT_READ | PROT_WRITE) == 0 else {
      endWithoutMemory("found no \(end) bytes for tensors")
    }
    writable = wanted
  }

  /// Takes a block back.
  mutating func giveBack(_ address: UInt, _ bytes: Int) {
    var block = FreeBlock(start: Int(address - base), length: bytes, held: bytes)
    // The first free block that lies behind it.
    var (low, high) = (0, free.count)
    while low < high {
      let middle = (low + high) / 2
      if free[middle].start < block.start { low = middle + 1 } else { high = middle }
    }
    let joinsNext = low < free.count && free[low].start == block.end
    let joinsLast = low > 0 && free[low - 1].end == block.start
    if joinsNext {
      block.length += free[low].length
      block.held += free[low].held
    }
    if joinsLast {
      block.start = free[low - 1].start
      block.length += free[low - 1].length
      block.held += free[low - 1].held
    }
    switch (joinsLast, joinsNext) {
    case (true, true):
      free[low - 1] = block
      free.remove(at: low)
    case (true, false): free[low - 1] = block
    case (false, true): free[low] = block
    case (false, false): free.insert(block, at: low)
    }
  }

  /// Gives the memory of all free blocks back to the system; they stay free.
  mutating func trim() {
    for index in free.indices where free[index].held > 0 {
      // Pages that are free as a whole; the edges of others are too little to count.
      let first = (free[index].start + Self.page - 1) / Self.page * Self.page
      let last = free[index].end / Self.page * Self.page
      if last > first {
        madvise(
          UnsafeMutableRawPointer(bitPattern: base + UInt(first)), last - first, MADV_DONTNEED)
      }
      free[index].held = 0
    }
  }
}

/// Ends the process with a line on standard error and the exit code of an internal error (`EX_SOFTWARE`). Running out of memory
/// can't be undone where a tensor is made; the estimate before a run is what prevents it. Files are replaced whole, so none is
/// half written.
private func endWithoutMemory(_ what: String) -> Never {
  let program = CommandLine.arguments.first?.split(separator: "/").last ?? "imagic"
  let line = Array("\(program): out of memory: \(what)\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
  _exit(70)
}
