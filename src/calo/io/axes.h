#pragma once

#include <array>
#include <string>

namespace calo {

enum class Axis { kR, kPhi, kZ };

/// Order of the three axes of a dense array of cells, the slowest first.
using Axes = std::array<Axis, 3>;

/// Order of the layouts mlfastsim and par04, and of the cells of a regular mesh.
inline constexpr Axes kRPhiZ{Axis::kR, Axis::kPhi, Axis::kZ};
/// Order of the layout calochallenge, and of the cells of a layered mesh.
inline constexpr Axes kZPhiR{Axis::kZ, Axis::kPhi, Axis::kR};

/// Parses "layer,phi,r": the names r, phi (or alpha) and z (or layer), each once, in any order and case,
/// separated by commas.
/// @throws core::UsageError if the string is not an order of axes
Axes parse_axes(const std::string& text);

/// "r,phi,z", "layer,phi,r": z is called layer if it comes first.
std::string to_string(const Axes& axes);

}  // namespace calo
