import Foundation
import Glibc
import Testing

@testable import Checkpoints

@Suite struct AtomicFileTests {
  @Test func replacesAndGivesDigest() throws {
    try withFolder { folder in
      let path = "\(folder)/manifest.json"
      for text in ["", "{}", String(repeating: "long ", count: 100_000)] {
        let digest = try AtomicFile.write(Data(text.utf8), to: path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        #expect(try digest == SHA256Text.digest(ofFile: path))
      }
      #expect(try names(in: folder) == ["manifest.json"])
    }
  }

  /// A fault at every operation, until none is left: the old or the new content, and no error unsaid.
  @Test(
    arguments: [
      .error(ENOSPC), .error(EIO), .error(EDQUOT), .error(EROFS), .error(EINTR), .short, .death,
    ] as [Fault])
  func faults(fault: Fault) throws {
    try withFolder { folder in
      let path = "\(folder)/manifest.json"
      for index in 1... {
        try AtomicFile.write(Array("old".utf8), to: path)
        let system = FaultyCalls(fault, at: index)
        let error = failure { () throws(StoreError) in
          try AtomicFile.write(Array("new".utf8), to: path, system: system)
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        switch fault {
        // Interrupted and short transfers go on.
        case .error(EINTR), .short: #expect(error == nil, "\(index)")
        default: break
        }
        if let error {
          #expect(text == "old" || text == "new")
          #expect([73, 74].contains(error.exitCode), "\(index): \(error)")
        } else {
          #expect(text == "new")
        }
        if case .death = fault {} else { #expect(try names(in: folder) == ["manifest.json"]) }
        if !system.wasReached {
          #expect(error == nil && index > 8)
          break
        }
      }
    }
  }

  /// A failed sync means that the bytes may be lost though the kernel shows them: the file beside is given up.
  @Test func failedSyncIsNotTriedAgain() throws {
    try withFolder { folder in
      let path = "\(folder)/manifest.json"
      try AtomicFile.write(Array("old".utf8), to: path)
      let system = FaultyCalls(.error(EIO), at: 1) { $0 == "sync" }
      let error = #expect(throws: StoreError.self) {
        try AtomicFile.write(Array("new".utf8), to: path, system: system)
      }
      #expect(error?.kind == .inputOutput)
      #expect(error?.description.hasSuffix("can't be synced: Input/output error") == true)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    }
  }

  @Test func keepPrevious() throws {
    try withFolder { folder in
      let path = "\(folder)/weights.h5"
      try AtomicFile.keepPrevious(path)
      #expect(try names(in: folder).isEmpty)
      for text in ["one", "two"] {
        try AtomicFile.write(Array(text.utf8), to: path)
        try AtomicFile.keepPrevious(path)
        #expect(try names(in: folder) == ["weights.h5.previous"])
        #expect(try String(contentsOfFile: path + ".previous", encoding: .utf8) == text)
      }
      try AtomicFile.write([1], to: path)
      let error = #expect(throws: StoreError.self) {
        try AtomicFile.keepPrevious(path, system: FaultyCalls(.error(EROFS), at: 1))
      }
      #expect(error?.kind == .inputOutput)
      #expect(FileManager.default.fileExists(atPath: path))
    }
  }

  /// At every fault the file is still there, under one of its names at least.
  @Test func linkPrevious() throws {
    try withFolder { folder in
      let path = "\(folder)/weights.h5"
      try AtomicFile.linkPrevious(path)
      #expect(try names(in: folder).isEmpty)
      for text in ["one", "two"] {
        try AtomicFile.write(Array(text.utf8), to: path)
        // Twice, as by a run that was killed before it wrote.
        for _ in 0..<2 { try AtomicFile.linkPrevious(path) }
        #expect(try names(in: folder) == ["weights.h5", "weights.h5.previous"])
        try AtomicFile.write(Array("next".utf8), to: path)
        #expect(try String(contentsOfFile: path + ".previous", encoding: .utf8) == text)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "next")
      }
      for index in 1...3 {
        let error = #expect(throws: StoreError.self) {
          try AtomicFile.linkPrevious(
            path, system: FaultyCalls(.error(EIO), at: index) { $0 != "remove" })
        }
        #expect(error?.kind == .inputOutput)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "next")
        #expect(try names(in: folder) == ["weights.h5", "weights.h5.previous"])
      }
      // A file system without second names.
      try AtomicFile.write(Array("next".utf8), to: path)
      try AtomicFile.linkPrevious(path, system: FaultyCalls(.error(EPERM), at: 1))
      #expect(try names(in: folder) == ["weights.h5.previous"])
      #expect(try String(contentsOfFile: path + ".previous", encoding: .utf8) == "next")
    }
  }

  /// Names have at most 255 bytes, which few characters may be.
  @Test func aLongName() throws {
    try withFolder { folder in
      let path = "\(folder)/" + String(repeating: "\u{1f1e9}\u{1f1ea}", count: 30)
      try AtomicFile.write(Array("flags".utf8), to: path)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "flags")
    }
  }

  @Test func folderThatIsMissing() {
    let error = #expect(throws: StoreError.self) {
      try AtomicFile.write([1], to: "/nowhere/at/all.json")
    }
    #expect(error?.exitCode == 73)
  }

  @Test func relativePaths() {
    #expect(PartialFile.folder(of: "name") == ".")
    #expect(PartialFile.folder(of: "/name") == "/")
    #expect(PartialFile.folder(of: "a/b/name") == "a/b")
  }

  @Test(arguments: [
    (".embedding.h5.partial-12-3", true), (".a.partial-b.partial-1", true),
    ("embedding.h5.partial-12-3", false), (".embedding.h5.partial-", false),
    (".embedding.h5.partial-x", false), (".lock", false),
  ])
  func partialNames(name: String, isOne: Bool) {
    #expect(PartialFile.isName(name) == isOne)
  }
}
