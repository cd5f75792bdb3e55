#pragma once

#include <cstdint>

namespace test {

/// Number of allocations of this program; for programs that are linked with counting_new.cc.
std::int64_t allocations();

}  // namespace test
