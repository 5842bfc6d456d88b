// The HDF5 library as the store uses it: one caller at a time, silent, without plugins, and identifiers that close
// themselves.

import CHDF5
import Synchronization

enum HDF5 {
  private static let lock = Mutex(())

  /// Runs `body` while no other thread is in the library, which is not made for threads.
  static func exclusively<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError)
    -> Result
  {
    let attempt = lock.withLock { _ in
      _ = prepared
      // The library writes its errors to standard error unless each thread tells it not to.
      H5Eset_auto2(hid_t(H5E_DEFAULT), nil, nil)
      return UncheckedResult(catching: body)
    }
    return try attempt.result.get()
  }

  /// Carries a result out of the lock; nothing in it is shared.
  private struct UncheckedResult<Success>: @unchecked Sendable {
    let result: Result<Success, StoreError>
    init(catching body: () throws(StoreError) -> Success) { result = Result(catching: body) }
  }

  private static let prepared: Void = {
    H5open()
    // A file can name a filter that the library would look for in plugins, which are programs.
    H5PLset_loading_state(0)
  }()

  /// What the library said last, from where it went wrong; empty if it said nothing.
  static func lastMessage() -> String {
    var message = ""
    withUnsafeMutablePointer(to: &message) { pointer in
      _ = H5Ewalk2(
        hid_t(H5E_DEFAULT), H5E_WALK_UPWARD,
        { index, error, context in
          if index == 0, let text = error?.pointee.desc {
            context?.assumingMemoryBound(to: String.self).pointee = String(cString: text)
          }
          return 0
        }, pointer)
    }
    H5Eclear2(hid_t(H5E_DEFAULT))
    return message
  }
}

/// An open HDF5 object. Closes itself; `close()` is for where the outcome matters.
final class Identifier {
  let id: hid_t
  private var closer: (@convention(c) (hid_t) -> herr_t)?

  /// Nil where the library gave no valid identifier.
  init?(_ id: hid_t, _ closer: @escaping @convention(c) (hid_t) -> herr_t) {
    guard id >= 0 else { return nil }
    self.id = id
    self.closer = closer
  }

  deinit { if let closer { _ = closer(id) } }

  /// False where closing failed.
  func close() -> Bool {
    guard let closer else { return true }
    self.closer = nil
    return closer(id) >= 0
  }
}
