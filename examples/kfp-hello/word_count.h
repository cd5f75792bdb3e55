#pragma once

#include <cstdint>

#include "kfp/component/component.h"

/// Counts the words of a text: a component from outside calorimetry.
struct WordCount {
  kfp::InputArtifact text;
  std::int64_t shortest = 1;
  std::int64_t words = 0;
  kfp::OutputArtifact counts;

  static kfp::ComponentInfo info();
  void describe(kfp::Visitor& v);
  void run(kfp::RunContext& context);
};
