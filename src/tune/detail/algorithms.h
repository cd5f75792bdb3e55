#pragma once

#include <memory>

#include "tune/algorithm.h"

namespace tune {

// One function for each algorithm of the table in algorithms.cc.
std::unique_ptr<Algorithm> make_grid(const Space& space, const AlgorithmOptions& options);
std::unique_ptr<Algorithm> make_random(const Space& space, const AlgorithmOptions& options);
std::unique_ptr<Algorithm> make_sobol(const Space& space, const AlgorithmOptions& options);
std::unique_ptr<Algorithm> make_tpe(const Space& space, const AlgorithmOptions& options);
std::unique_ptr<Algorithm> make_cma_es(const Space& space, const AlgorithmOptions& options);
std::unique_ptr<Algorithm> make_gaussian_process(const Space& space, const AlgorithmOptions& options);

}  // namespace tune
