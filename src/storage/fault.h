#pragma once

#include <stdexcept>
#include <string>

namespace storage {

/// A failed operation of a server, before the URL and advice are added to it.
class Fault : public std::runtime_error {
 public:
  enum class Kind {
    kMissing,      ///< nothing exists at the URL
    kWrongKind,    ///< a folder instead of a file, or the reverse
    kLogin,        ///< no login, an expired one, or no permission
    kFull,         ///< the disk or the quota is full
    kUnreachable,  ///< no answer, or one that says to try again: a repetition may succeed
    kRefused,      ///< the server rejects the operation for another reason
    kDamaged,      ///< the file is shorter than it was, or its checksum is wrong
  };

  Fault(Kind kind, const std::string& reason) : std::runtime_error(reason), kind_(kind) {}

  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

}  // namespace storage
