#pragma once

#include <cstddef>

#include "core/thread_pool.h"

namespace calo::infer {

/// body(i) for each i in [0, count): by the pool, or here, without an allocation, where there is none.
template <class Body>
void for_each(core::ThreadPool* pool, std::size_t count, const Body& body) {
  if (pool != nullptr && pool->size() > 1 && count > 1) {
    pool->for_each(count, body);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) body(i);
}

}  // namespace calo::infer
