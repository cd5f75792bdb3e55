#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "calo/io/hdf5.h"
#include "calo/io/shower_reader.h"
#include "core/error.h"
#include "core/philox.h"

namespace test {

/// Cells of showers on the mesh 9 x 16 x 45 in the order (layer, alpha, r): energies differ from cell to cell
/// and are 3 GeV per shower on average.
inline std::vector<float> flat_showers(std::size_t count, std::uint64_t seed) {
  std::vector<float> cells(count * 6480);
  core::Philox random(seed, 0);
  for (float& cell : cells)
    if (random.below(10) == 0) cell = static_cast<float>(random.uniform()) * 9.26f;
  return cells;
}

/// The same cells with the axes (layer, alpha, r) in another order, given by their indices.
inline std::vector<float> transposed(const std::vector<float>& flat, const std::array<int, 3>& order) {
  constexpr std::array<std::size_t, 3> kExtent{45, 16, 9};
  std::vector<float> out(flat.size());
  std::array<std::size_t, 3> at{};
  const auto axis = [&](int i) { return static_cast<std::size_t>(order[static_cast<std::size_t>(i)]); };
  std::size_t place = 0;
  for (std::size_t shower = 0; shower < flat.size() / 6480; ++shower)
    for (at[axis(0)] = 0; at[axis(0)] < kExtent[axis(0)]; ++at[axis(0)])
      for (at[axis(1)] = 0; at[axis(1)] < kExtent[axis(1)]; ++at[axis(1)])
        for (at[axis(2)] = 0; at[axis(2)] < kExtent[axis(2)]; ++at[axis(2)])
          out[place++] = flat[shower * 6480 + (at[0] * 16 + at[1]) * 9 + at[2]];
  return out;
}

inline constexpr std::array<int, 3> kToRPhiZ{2, 1, 0};

struct Column {
  std::string name;
  std::vector<float> values;
  std::vector<hsize_t> shape;
};

inline void write_columns(const std::filesystem::path& path, const std::vector<Column>& columns) {
  std::filesystem::create_directories(path.parent_path());
  calo::hdf5::File file = calo::hdf5::File::create(path);
  for (const Column& column : columns) file.write(column.name, column.values, column.shape);
  file.close();
}

/// Writes a CaloChallenge file of these cells, with 3 GeV per shower.
inline void write_calochallenge(const std::filesystem::path& path, const std::vector<float>& cells,
                                std::vector<hsize_t> row = {6480}) {
  const hsize_t count = cells.size() / 6480;
  row.insert(row.begin(), count);
  write_columns(
      path, {{"incident_energies", std::vector<float>(count, 3000.0f), {count, 1}}, {"showers", cells, row}});
}

/// An MLFastSim dataset of `count` showers.
inline Column energy(const std::string& name, std::size_t count, std::uint64_t seed) {
  return {name, transposed(flat_showers(count, seed), kToRPhiZ), {count, 9, 16, 45}};
}

inline calo::Showers read(const std::filesystem::path& path, const calo::ReadOptions& options = {}) {
  core::ThreadPool pool(2);
  return calo::read_all(*calo::ShowerReader::open(path, options, pool));
}

inline calo::DatasetInfo info_of(const std::filesystem::path& path, const calo::ReadOptions& options = {}) {
  core::ThreadPool pool(1);
  return calo::ShowerReader::open(path, options, pool)->info();
}

/// Message of the error on opening a file; empty if there is no error.
inline std::string refusal(const std::filesystem::path& path, const calo::ReadOptions& options = {}) {
  try {
    read(path, options);
    return "";
  } catch (const core::Error& error) {
    return error.what();
  }
}

inline bool same_showers(const calo::Showers& a, const calo::Showers& b) {
  return a.offsets == b.offsets && a.cells == b.cells && a.energies_mev == b.energies_mev;
}

/// All remarks in one string.
inline std::string text_of(const std::vector<calo::Remark>& remarks) {
  std::string text;
  for (const calo::Remark& remark : remarks) text += remark.to_string() + "\n";
  return text;
}

}  // namespace test
