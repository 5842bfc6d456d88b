import CHDF5
import Glibc
import Tensors
import Testing

@testable import Checkpoints

@Suite struct HDF5DriverTests {
  /// The first failure is kept, and the library winds up without noticing.
  @Test func failureSticks() throws {
    try withFolder { folder in
      let system = FaultyCalls(.error(ENOSPC), at: 1) { $0 == "write" }
      let file = try OpenFile(creating: "\(folder)/file.h5", system: system)
      defer { file.abandon() }
      let target = DriverFile(writing: file)
      try HDF5.exclusively { () throws(StoreError) in
        try HDF5Driver.withAccess(to: target) { access throws(StoreError) in
          let created = Identifier(
            H5Fcreate("name", hdf5_truncate(), hdf5_defaults(), access.id), H5Fclose)
          let isClosed = created?.close()
          #expect(isClosed == true)
        }
      }
      #expect(target.failure?.kind == .inputOutput)
      #expect(target.failure?.description.hasSuffix("No space left on device") == true)
    }
  }

  /// What dropping writes rests on: while a file is written, nothing of it is read back through the library. Only then
  /// is it read, to be hashed and proved.
  @Test func nothingIsReadWhileWriting() throws {
    try withFolder { folder in
      let path = "\(folder)/file.h5"
      var content = everything(step: 1)
      for index in 0..<3000 {
        content.datasets["/unet/block.\(index).weight"] = .floats(Tensor(zeros: [2, 3]))
      }
      let system = FaultyCalls(.error(EIO), at: 1) { $0 == "read" }
      let file = try OpenFile(creating: path, system: system)
      defer { file.abandon() }
      let target = DriverFile(writing: file)
      try HDF5.exclusively { () throws(StoreError) in
        try HDF5Driver.withAccess(to: target) { access throws(StoreError) in
          try StoreWriter(target: target, path: path).write(content, access: access)
        }
      }
      #expect(!system.wasReached)
    }
  }

  /// A failure in the data of a file too large to be held whole: said, and hidden from the library.
  @Test func failureInLargeFile() throws {
    try withFolder { folder in
      let path = "\(folder)/file.h5"
      var content = StoreFile()
      content.datasets["/data"] = .floats(Tensor(zeros: [20_000_000]))
      try content.save(to: path)
      // Proving the file takes one read for each of its 77 MiB and one each for two looks at the header.
      for index in [82, 95, 110] {
        let system = FaultyCalls(.error(EIO), at: index) { $0 == "read" }
        let error = failure { () throws(StoreError) in
          _ = try StoreFile.read(path, system: system)
        }
        #expect(error?.kind == .inputOutput, "\(index)")
      }
    }
  }
}
