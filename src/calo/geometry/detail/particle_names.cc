#include "calo/geometry/detail/particle_names.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace calo {
namespace {

struct Name {
  const char* name;
  int id;
};

constexpr Name kNames[] = {
    {"photon", 22},
    {"gamma", 22},
    {"electron", 11},
    {"e-", 11},
    {"e", 11},
    {"positron", -11},
    {"e+", -11},
    {"muon", 13},
    {"mu-", 13},
    {"antimuon", -13},
    {"mu+", -13},
    {"pion", 211},
    {"pi", 211},
    {"pi+", 211},
    {"piplus", 211},
    {"pi-", -211},
    {"piminus", -211},
    {"pi0", 111},
    {"pizero", 111},
    {"kaon", 321},
    {"k+", 321},
    {"kaon+", 321},
    {"k-", -321},
    {"kaon-", -321},
    {"k0l", 130},
    {"kaon0l", 130},
    {"proton", 2212},
    {"p", 2212},
    {"antiproton", -2212},
    {"neutron", 2112},
    {"n", 2112},
};

}  // namespace

std::optional<int> particle_id(const std::string& particle) {
  int id = 0;
  const char* begin = particle.c_str() + (particle.starts_with('+') ? 1 : 0);
  const char* end = particle.c_str() + particle.size();
  if (const auto [rest, error] = std::from_chars(begin, end, id); error == std::errc() && rest == end)
    return id;
  std::string lower = particle;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Name& known : kNames)
    if (lower == known.name) return known.id;
  return std::nullopt;
}

}  // namespace calo
