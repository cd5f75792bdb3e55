#pragma once

#include <array>
#include <string>

namespace calo {

enum class Axis { kR, kPhi, kZ };

/// Order of the three axes of a dense array of cells, the slowest first.
using Axes = std::array<Axis, 3>;

/// The order of the layouts mlfastsim and par04, and of a regular mesh's cells.
inline constexpr Axes kRPhiZ{Axis::kR, Axis::kPhi, Axis::kZ};
/// The order of the layout calochallenge, and of a layered mesh's cells.
inline constexpr Axes kZPhiR{Axis::kZ, Axis::kPhi, Axis::kR};

/// Reads "layer,phi,r": the names r, phi (or alpha) and z (or layer), each once, in any order and case,
/// with commas between them.
/// @throws core::UsageError if it is none
Axes parse_axes(const std::string& text);

/// "r,phi,z", "layer,phi,r": z is called layer where it comes first.
std::string to_string(const Axes& axes);

}  // namespace calo
