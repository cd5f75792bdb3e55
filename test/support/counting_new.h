#pragma once

#include <cstdint>

namespace test {

/// How often this program has allocated; for programs that are linked with counting_new.cc.
std::int64_t allocations();

}  // namespace test
