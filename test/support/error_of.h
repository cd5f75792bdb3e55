#pragma once

#include <gtest/gtest.h>

#include "core/error.h"

namespace test {

/// Details of the error that `body` throws; a failure of the test if it throws none.
template <class Error, class Body>
core::ErrorDetails error_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.details();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace test
