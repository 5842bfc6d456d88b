import CHDF5
import Testing

@testable import Checkpoints

@Suite struct HDF5Tests {
  /// An error of the library is silent, and its innermost message can be had once.
  @Test func lastMessage() throws {
    try HDF5.exclusively { () throws(StoreError) in
      #expect(Identifier(H5Gopen2(hid_t(-1), "/", hdf5_defaults()), H5Gclose) == nil)
      #expect(!HDF5.lastMessage().isEmpty)
      #expect(HDF5.lastMessage().isEmpty)
    }
  }

  @Test func identifierClosesOnce() throws {
    try HDF5.exclusively { () throws(StoreError) in
      guard let space = Identifier(H5Screate(H5S_SCALAR), H5Sclose) else {
        throw StoreError(.badData, "no space")
      }
      let id = space.id
      #expect(H5Iis_valid(id) > 0)
      #expect(space.close())
      #expect(H5Iis_valid(id) <= 0)
      #expect(space.close())
    }
  }
}
