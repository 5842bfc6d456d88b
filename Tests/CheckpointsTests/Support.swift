// What the tests of this module share: folders of their own, a content with everything in it, and system calls that fail.

import Foundation
import Glibc
import Synchronization
import Tensors

@testable import Checkpoints

/// A new folder, which `body` has for itself and which is removed after it.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = NSTemporaryDirectory() + "checkpoints-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// The names in a folder, hidden ones too.
func names(in folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// A small content with each type in it. `step` tells one from another.
func everything(step: Int64) -> StoreFile {
  StoreFile(
    attributes: [
      "format": "imagic embedding", "format_version": 1, "complete": 0, "step": .integer(step),
      "steps": 500, "settings": #"{"learning-rate": 0.001}"#, "base_digest": "ba5e",
      "image_digest": "1ma9e", "prompt": "a photo of a caf\u{e9} \u{1f40e}", "seed": -7,
      "rate": 0.001, "empty": "",
    ],
    groupAttributes: ["/sampler": ["steps": 50, "guidance_scale": 7.5], "/nothing": [:]],
    datasets: [
      "/embedding/optimized": .floats(
        Tensor((0..<12).map { Float($0) + Float(step) / 8 }, [3, 4])),
      "/history/loss": .floats(Tensor([0.5, .infinity, -0.0, .leastNonzeroMagnitude], [4])),
      "/scalar": .floats(Tensor(3.25)),
      "/four": .floats(Tensor(zeros: [2, 1, 3, 2])),
      "/none": .floats(Tensor(zeros: [0, 5])),
      "/image/pixels": .bytes(Array(0..<12), shape: [2, 2, 3]),
      "/ids": .integers([.min, -1, .max], shape: [3]),
      "/step": .integers([step], shape: []),
      "/texts": .strings(["", "plain", "caf\u{e9} \u{1f697}"], shape: [3]),
      "/no/texts": .strings([], shape: [0]),
    ])
}

/// What `body` throws; nil where it doesn't.
func failure(of body: () throws(StoreError) -> Void) -> StoreError? {
  do throws(StoreError) {
    try body()
    return nil
  } catch {
    return error
  }
}

/// Bits of a dataset, so that zeros of either sign and NaN count too.
func bits(_ dataset: Dataset?) -> String {
  guard let dataset else { return "nothing" }
  let values: String
  switch dataset {
  case .floats(let tensor): values = "\(tensor.array.map(\.bitPattern))"
  case .deferredFloats(_, let make): values = "\(make().array.map(\.bitPattern))"
  case .bytes(let bytes, _): values = "\(bytes)"
  case .integers(let integers, _): values = "\(integers)"
  case .strings(let strings, _): values = "\(strings)"
  }
  return "\(dataset.elementName) \(dataset.shape) \(values)"
}

/// What happens at one operation.
enum Fault: Sendable, CustomStringConvertible {
  /// It fails with this `errno` and does nothing.
  case error(Int32)
  /// Half of a transfer is done; other operations are as always.
  case short
  /// It is done by half, and from then on nothing is done any more: what a killed process leaves.
  case death

  var description: String {
    switch self {
    case .error(let code): String(cString: strerror(code))
    case .short: "short"
    case .death: "death"
    }
  }
}

/// System calls with a fault at the `index`th operation, counted from 1.
final class FaultyCalls: SystemCalls {
  private let fault: Fault
  private let index: Int
  private let isHit: @Sendable (String) -> Bool
  private let done = Mutex(0)
  private let real = PosixCalls()

  /// - Parameter isHit: which operations count.
  init(
    _ fault: Fault, at index: Int, where isHit: @escaping @Sendable (String) -> Bool = { _ in true }
  ) {
    self.fault = fault
    self.index = index
    self.isHit = isHit
  }

  /// Whether the faulty operation was reached.
  var wasReached: Bool { done.withLock { $0 } >= index }

  private enum Outcome { case real, fails, half, dead }

  private func next(_ name: String) -> Outcome {
    guard isHit(name) else { return .real }
    let count = done.withLock { done in
      done += 1
      return done
    }
    switch fault {
    case .error(let code) where count == index:
      errno = code
      return .fails
    case .short where count == index: return .half
    case .death where count == index: return .half
    case .death where count > index:
      errno = EIO
      return .dead
    default: return .real
    }
  }

  private func simple(_ name: String, _ body: () -> Int) -> Int {
    let outcome = next(name)
    if case .death = fault, outcome == .half {
      errno = EIO
      return -1
    }
    return outcome == .fails || outcome == .dead ? -1 : body()
  }

  func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
    Int32(simple("open") { Int(real.open(path, flags, mode)) })
  }

  func close(_ descriptor: Int32) -> Int32 {
    let outcome = next("close")
    let code = errno
    // The descriptor goes in any case, as in Linux.
    let status = real.close(descriptor)
    guard outcome == .fails || outcome == .dead else { return status }
    errno = code
    return -1
  }

  func read(_ descriptor: Int32, _ target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    let outcome = next("read")
    guard outcome == .real || outcome == .half else { return -1 }
    let count = outcome == .half ? max(1, target.count / 2) : target.count
    return real.read(
      descriptor, UnsafeMutableRawBufferPointer(rebasing: target[..<count]), at: offset)
  }

  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    let outcome = next("write")
    guard outcome == .real || outcome == .half else { return -1 }
    let count = outcome == .half ? max(1, bytes.count / 2) : bytes.count
    return real.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
  }

  func truncate(_ descriptor: Int32, to size: Int) -> Int32 {
    Int32(simple("truncate") { Int(real.truncate(descriptor, to: size)) })
  }

  func sync(_ descriptor: Int32) -> Int32 {
    Int32(simple("sync") { Int(real.sync(descriptor)) })
  }

  func size(_ descriptor: Int32) -> Int { simple("size") { real.size(descriptor) } }

  func rename(_ old: String, _ new: String) -> Int32 {
    Int32(simple("rename") { Int(real.rename(old, new)) })
  }

  func link(_ old: String, _ new: String) -> Int32 {
    Int32(simple("link") { Int(real.link(old, new)) })
  }

  func remove(_ path: String) -> Int32 {
    Int32(simple("remove") { Int(real.remove(path)) })
  }
}

/// System calls that end the process by SIGKILL before the `index`th operation.
final class DeadlyCalls: SystemCalls {
  private let index: Int
  private let done = Mutex(0)
  private let real = PosixCalls()

  init(at index: Int) { self.index = index }

  private func count() {
    let count = done.withLock { done in
      done += 1
      return done
    }
    if count == index { kill(getpid(), SIGKILL) }
  }

  func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
    count()
    return real.open(path, flags, mode)
  }
  func close(_ descriptor: Int32) -> Int32 {
    count()
    return real.close(descriptor)
  }
  func read(_ descriptor: Int32, _ target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    count()
    return real.read(descriptor, target, at: offset)
  }
  func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
    count()
    return real.write(descriptor, bytes, at: offset)
  }
  func truncate(_ descriptor: Int32, to size: Int) -> Int32 {
    count()
    return real.truncate(descriptor, to: size)
  }
  func sync(_ descriptor: Int32) -> Int32 {
    count()
    return real.sync(descriptor)
  }
  func size(_ descriptor: Int32) -> Int {
    count()
    return real.size(descriptor)
  }
  func rename(_ old: String, _ new: String) -> Int32 {
    count()
    return real.rename(old, new)
  }
  func link(_ old: String, _ new: String) -> Int32 {
    count()
    return real.link(old, new)
  }
  func remove(_ path: String) -> Int32 {
    count()
    return real.remove(path)
  }
}
