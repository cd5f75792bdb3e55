#include "calo/io/simulation_time.h"

#include <cmath>

#include "calo/io/hdf5.h"

namespace calo {
namespace {

constexpr const char* kName = "sim_time_s";

std::vector<float> times_of(const hdf5::File& file) {
  if (file.has(kName)) return file.read_floats(kName);
  std::vector<float> times;
  for (const std::string& name : file.names()) {
    const std::vector<float> some = file.attribute_floats(kName, name);
    if (some.empty()) return {};
    times.insert(times.end(), some.begin(), some.end());
  }
  return times;
}

}  // namespace

std::optional<double> mean_simulation_time_s(const std::vector<std::filesystem::path>& files) {
  double sum = 0;
  std::size_t count = 0;
  for (const std::filesystem::path& path : files) {
    const std::vector<float> times = times_of(hdf5::File::open(path));
    if (times.empty()) return std::nullopt;
    for (const float time : times)
      if (std::isfinite(time) && time >= 0) {
        sum += time;
        ++count;
      }
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

}  // namespace calo
