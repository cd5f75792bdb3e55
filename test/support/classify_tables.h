#pragma once

#include "calo/validate/classifier.h"

namespace test {

/// Trains and tests a classifier that only uses tables.
inline calo::Classification classify_tables(const calo::Classifier& classifier,
                                            const calo::FeatureTable& full, const calo::FeatureTable& fast,
                                            core::ThreadPool& pool) {
  const calo::Showers no_cells;
  const calo::VoxelMesh mesh;
  return classifier.classify({.full = {full, no_cells}, .fast = {fast, no_cells}, .mesh = mesh}, pool);
}

}  // namespace test
