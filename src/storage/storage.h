#pragma once

namespace storage {

/// Longest time in seconds that a server may be silent, and for which failed requests are repeated (60).
constexpr const char* kTimeoutVariable = "CALOPIPE_REMOTE_TIMEOUT_S";

/// Makes files at URLs available to this process (core::remote_storage()): root:// (XRootD, EOS), https://
/// (WebDAV, signed URLs; only for reading) and s3://. The library of a protocol is loaded with the first URL
/// of this protocol.
void provide();

}  // namespace storage
