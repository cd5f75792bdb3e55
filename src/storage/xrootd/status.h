#pragma once

#include <XrdCl/XrdClXRootDResponses.hh>
#include <cstdint>

#include "storage/backend.h"

namespace storage {

/// True if the server says that nothing is there.
bool is_missing(const XrdCl::XRootDStatus& status);

/// @throws Fault if it is a failure
void check(const XrdCl::XRootDStatus& status);

/// Time limit of a request, in the type of XRootD's client.
std::uint16_t limit_s(const Settings& settings);

}  // namespace storage
