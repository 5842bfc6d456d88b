import Foundation
import Glibc
import Tensors
import Testing

@testable import Checkpoints

@Suite struct StoreWriterTests {
  @Test func everyTypeComesBack() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      let content = everything(step: 3)
      let digest = try content.save(to: path)
      #expect(try digest == SHA256Text.digest(ofFile: path))
      let read = try StoreFile.read(path, expectedDigest: digest)
      #expect(read.digest == digest)
      #expect(read.source == path)
      #expect(read.attributes == content.attributes)
      #expect(read.groupAttributes == content.groupAttributes.filter { !$0.value.isEmpty })
      #expect(read.datasets.keys.sorted() == content.datasets.keys.sorted())
      for (name, dataset) in content.datasets {
        #expect(bits(read.datasets[name]) == bits(dataset), "\(name)")
      }
      #expect(try names(in: folder) == ["embedding.h5"])
    }
  }

  /// Nothing of the time or the order of saving gets into a file.
  @Test func sameContentGivesSameBytes() throws {
    try withFolder { folder in
      let first = try everything(step: 3).save(to: "\(folder)/a.h5")
      usleep(1_100_000)
      #expect(try everything(step: 3).save(to: "\(folder)/b.h5") == first)
      #expect(try everything(step: 4).save(to: "\(folder)/b.h5") != first)
    }
  }

  @Test func deferredArraysAreWrittenAsThoseThatAreThere() throws {
    try withFolder { folder in
      let tensor = Philox(seed: 1, stream: .trainingNoise).normal([3, 5])
      let there = StoreFile(datasets: ["/a/b": .floats(tensor)])
      let deferred = StoreFile(
        datasets: ["/a/b": .deferredFloats(shape: [3, 5]) { tensor.copy() }])
      let digest = try there.save(to: "\(folder)/a.h5")
      #expect(try deferred.save(to: "\(folder)/b.h5") == digest)
    }
  }

  /// Several chunks, the last ones not full.
  @Test func largeArrays() throws {
    try withFolder { folder in
      let path = "\(folder)/weights.h5"
      var content = StoreFile()
      content.datasets["/unet/conv.weight"] = .floats(
        Philox(seed: 1, stream: .initialization).normal([1283, 7, 3, 101]))
      content.datasets["/wide"] = .floats(
        Philox(seed: 2, stream: .initialization).normal([1_500_007]))
      content.datasets["/bytes"] = .bytes(
        (0..<5_000_011).map { UInt8(truncatingIfNeeded: $0 &* 37) }, shape: [5_000_011])
      content.datasets["/integers"] = .integers(Array(0..<300_001), shape: [1, 300_001])
      for index in 0..<2000 {
        content.datasets["/adam/first.\(index)"] = .floats(Tensor(Float(index)))
        content.attributes["a\(index)"] = .integer(Int64(index))
      }
      content.attributes["settings"] = .string(String(repeating: "long ", count: 50_000))
      try content.save(to: path)
      let read = try StoreFile.read(path)
      #expect(read.attributes == content.attributes)
      #expect(read.datasets.count == content.datasets.count)
      for (name, dataset) in content.datasets {
        #expect(bits(read.datasets[name]) == bits(dataset), "\(name)")
      }
      let part = try StoreFile.read(path) { $0.hasPrefix("/adam/") }
      #expect(part.datasets.count == 2000)
    }
  }

  @Test(
    arguments: [
      ([1280, 1280, 3, 3], [45, 1280, 3, 3]),  // 2 MiB hold 45.5 rows: 29 parts of at most 45
      ([4, 4], [4, 4]), ([1_000_000], [500_000]), ([2, 3_000_000], [1, 500_000]),
    ] as [([Int], [Int])])
  func chunks(shape: [Int], chunk: [Int]) throws {
    let found = try #require(StoreWriter.chunk(of: Shape(shape), elementByteCount: 4))
    #expect(found.reduce(4, *) <= StoreWriter.chunkByteCount)
    #expect(found == chunk)
  }

  @Test func scalarsAndEmptyArraysHaveNoChunks() {
    #expect(StoreWriter.chunk(of: [], elementByteCount: 4) == nil)
    #expect(StoreWriter.chunk(of: [3, 0], elementByteCount: 4) == nil)
  }

  @Test(arguments: [
    StoreFile(datasets: ["x": .floats(Tensor(1))]), StoreFile(datasets: ["/": .floats(Tensor(1))]),
    StoreFile(datasets: ["/a//b": .floats(Tensor(1))]),
    StoreFile(datasets: ["/../b": .floats(Tensor(1))]),
    StoreFile(datasets: ["/b": .integers([1, 2], shape: [3])]),
    StoreFile(datasets: ["/b": .strings(["a\0b"], shape: [1])]),
    StoreFile(datasets: ["/b": .bytes([1], shape: [1, 1, 1, 1, 1])]),
    StoreFile(attributes: ["prompt": "a\0b"]), StoreFile(attributes: ["": 1]),
    StoreFile(datasets: ["/a": .floats(Tensor(1)), "/a/b": .floats(Tensor(1))]),
    StoreFile(groupAttributes: ["/a": ["x": 1]], datasets: ["/a": .floats(Tensor(1))]),
  ])
  func contentThatCantBeSaved(content: StoreFile) throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      try everything(step: 1).save(to: path)
      let error = #expect(throws: StoreError.self) { try content.save(to: path) }
      #expect(error?.kind == .badData)
      #expect(try names(in: folder) == ["embedding.h5"])
      #expect(try StoreFile.read(path).integer("step") == 1)
    }
  }

  /// A fault at every file operation of a save, until none is left. What is at the path afterwards is whole: the save
  /// before, or the new one where only the last steps failed; and the next save works.
  @Test(
    arguments: [
      .error(ENOSPC), .error(EIO), .error(EDQUOT), .error(EROFS), .error(EINTR), .short, .death,
    ] as [Fault])
  func faults(fault: Fault) throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      for index in 1... {
        try everything(step: 1).save(to: path)
        let system = FaultyCalls(fault, at: index)
        let error = failure { () throws(StoreError) in
          try everything(step: 2).save(to: path, system: system)
        }
        if case .error(EINTR) = fault { #expect(error == nil) }
        if case .short = fault { #expect(error == nil) }
        let step = try StoreFile.read(path).integer("step")
        if let error {
          #expect(step == 1 || step == 2)
          #expect([73, 74].contains(error.exitCode), "\(index): \(error)")
        } else {
          #expect(step == 2)
        }
        switch fault {
        case .death:
          try RunLock(folder: folder).release()
          #expect(try names(in: folder) == [".lock", "embedding.h5"])
        default: #expect(try names(in: folder) == ["embedding.h5"])
        }
        if !system.wasReached {
          #expect(error == nil && index > 20)
          break
        }
      }
    }
  }

  /// A process that is really killed, at the first and the last operations and some between.
  @Test(arguments: [1, 2, 9, 25])
  func kill(index: Int) async throws {
    let folder = NSTemporaryDirectory() + "checkpoints-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/embedding.h5"
    try everything(step: 1).save(to: path)
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, index = index as Int] in
      // From the second save on there is always a next operation.
      let system = DeadlyCalls(at: index)
      while true { try everything(step: 2).save(to: path, system: system) }
    }
    let step = try StoreFile.read(path).integer("step")
    #expect(step == 1 || step == 2)
    try everything(step: 3).save(to: path)
    #expect(try StoreFile.read(path).integer("step") == 3)
  }

  /// 20 limits on the size of files, from nothing to one byte too few.
  @Test func fileSizeLimit() async {
    await #expect(processExitsWith: .success) {
      try withFolder { folder in
        let path = "\(folder)/embedding.h5"
        try everything(step: 1).save(to: path)
        let size = try Data(contentsOf: URL(filePath: path)).count
        for part in 0..<20 {
          var limit = rlimit()
          getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
          limit.rlim_cur = rlim_t(part == 19 ? size - 1 : size * part / 20)
          setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
          let error = failure { () throws(StoreError) in
            try everything(step: 2).save(to: path)
          }
          limit.rlim_cur = limit.rlim_max
          setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
          #expect(error?.kind == .inputOutput)
          #expect(try names(in: folder) == ["embedding.h5"])
          #expect(try StoreFile.read(path).integer("step") == 1)
        }
      }
    }
  }

  @Test func folderThatIsMissing() {
    let error = #expect(throws: StoreError.self) {
      try everything(step: 1).save(to: "/nowhere/at/all.h5")
    }
    #expect(error?.exitCode == 73)
  }

  private static let h5dump = "/usr/bin/h5dump"

  /// HDF5's own tool opens what is saved, and sees the checksums.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: h5dump)))
  func opensInH5dump() throws {
    try withFolder { folder in
      let path = "\(folder)/embedding.h5"
      try everything(step: 3).save(to: path)
      let process = Process()
      process.executableURL = URL(filePath: Self.h5dump)
      process.arguments = ["-pB", path]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      for part in [
        "DATASET \"optimized\"", "H5T_IEEE_F32LE", "CHECKSUM FLETCHER32", "ATTRIBUTE \"prompt\"",
        "SUPERBLOCK_VERSION 2", "USERBLOCK_SIZE 512",
      ] { #expect(text.contains(part), "\(part)") }
    }
  }
}
