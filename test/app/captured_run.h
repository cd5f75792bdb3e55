#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace test {

/// What a command printed to the standard output, and its exit code.
struct CapturedRun {
  int code = 0;
  std::string out;
};

/// Runs a command, a function that gives its exit code.
template <class Command>
CapturedRun captured(const Command& command) {
  testing::internal::CaptureStdout();
  CapturedRun result;
  try {
    result.code = command();
  } catch (...) {
    std::fflush(stdout);
    testing::internal::GetCapturedStdout();
    throw;
  }
  std::fflush(stdout);
  result.out = testing::internal::GetCapturedStdout();
  return result;
}

}  // namespace test
