#include "calo/geometry/binning_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <pugixml.hpp>

#include "calo/geometry/detail/particle_names.h"
#include "core/error.h"
#include "core/json_reader.h"
#include "core/staged_output.h"

namespace calo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMostLayers = 10'000;

// A file can have many particles; messages name only the first few.
constexpr std::size_t kMostListed = 20;

std::string trimmed(const std::string& text) {
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// Parses a whole string as a number, with a decimal point in any locale.
template <class T>
std::optional<T> number_of(const std::string& text) {
  std::string number = trimmed(text);
  if (number.starts_with('+') && !number.starts_with("+-")) number.erase(0, 1);
  T value{};
  const char* end = number.data() + number.size();
  const auto [rest, error] = std::from_chars(number.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// Name without its namespace prefix.
std::string local_name(const char* name) {
  const char* colon = std::strrchr(name, ':');
  return colon == nullptr ? name : colon + 1;
}

bool is_element(const pugi::xml_node& node, const char* name) {
  return node.type() == pugi::node_element && local_name(node.name()) == name;
}

std::string joined(const std::vector<ParticleBinning>& bins, bool with_cells) {
  std::vector<std::string> names;
  for (const ParticleBinning& bin : bins) {
    if (names.size() == kMostListed) {
      names.emplace_back("…");
      break;
    }
    names.push_back(with_cells ? fmt::format("{}: {}", bin.to_string(), bin.mesh.num_cells())
                               : bin.to_string());
  }
  return fmt::format("{}", fmt::join(names, "; "));
}

// Compares names without regard to case.
bool equal_names(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_of(const ParticleBinning& bin, const std::string& particle) {
  if (equal_names(particle, bin.to_string()) || (!bin.name.empty() && equal_names(particle, bin.name)))
    return true;
  const auto wanted = particle_id(particle);
  return wanted && wanted == (bin.pid ? bin.pid : particle_id(bin.name));
}

class Reader {
 public:
  explicit Reader(const fs::path& file) : file_(file) {}

  std::vector<ParticleBinning> read(const std::string& particle) {
    pugi::xml_document document;
    const std::string text = core::read_file(file_);
    const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
    if (!parsed)
      fail("", fmt::format("is not a binning file: {} at byte {}", parsed.description(), parsed.offset));
    const pugi::xml_node root =
        document.find_node([](const pugi::xml_node& node) { return is_element(node, "Bins"); });
    if (!root) fail("", "is not a binning file: it has no element Bins");
    std::vector<ParticleBinning> all, chosen;
    for (const pugi::xml_node node : root.children()) {
      if (node.type() != pugi::node_element) continue;
      if (!is_element(node, "Bin")) fail("Bins", fmt::format("contains an unknown element {}", node.name()));
      ParticleBinning bin = head_of(node, fmt::format("Bin {}", all.size() + 1));
      all.push_back(bin);
      if (!particle.empty() && !is_of(bin, particle)) continue;
      bin.mesh = mesh_of(node, bin.to_string());
      chosen.push_back(std::move(bin));
    }
    if (all.empty()) fail("Bins", "has no element Bin");
    if (chosen.empty())
      throw core::InputError({.message = fmt::format("has no Bin for the particle \"{}\"", particle),
                              .file = file_,
                              .field = "particle",
                              .hint = "in the file: " + joined(all, false)});
    return chosen;
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& message) const {
    throw core::InputError({.message = message, .file = file_, .field = place});
  }

  // Warns of unknown attributes, since they may matter.
  void warn_of_others(const pugi::xml_node& node, const std::string& place,
                      std::initializer_list<const char*> known) const {
    for (const pugi::xml_attribute attribute : node.attributes()) {
      const std::string name = attribute.name();
      if (name.starts_with("xmlns") || name.find(':') != std::string::npos ||
          std::find(known.begin(), known.end(), name) != known.end())
        continue;
      spdlog::warn("{}: {}: the attribute {}=\"{}\" is unknown and ignored", file_.string(), place, name,
                   attribute.value());
    }
  }

  ParticleBinning head_of(const pugi::xml_node& node, const std::string& place) const {
    warn_of_others(node, place, {"pid", "name", "etaMin", "etaMax"});
    ParticleBinning bin{.name = trimmed(node.attribute("name").value())};
    if (const pugi::xml_attribute pid = node.attribute("pid")) {
      bin.pid = number_of<int>(pid.value());
      if (!bin.pid) fail(place, fmt::format("pid=\"{}\" is not a whole number", pid.value()));
    }
    const std::string low = trimmed(node.attribute("etaMin").value()),
                      high = trimmed(node.attribute("etaMax").value());
    if (!low.empty() || !high.empty())
      bin.eta = fmt::format("{} to {}", low.empty() ? "?" : low, high.empty() ? "?" : high);
    return bin;
  }

  VoxelMesh mesh_of(const pugi::xml_node& node, const std::string& particle) const {
    std::map<int, LayerBinning> by_id;
    std::vector<LayerBinning> in_order;
    for (const pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      if (!is_element(child, "Layer"))
        fail(particle, fmt::format("contains an unknown element {}", child.name()));
      const pugi::xml_attribute id = child.attribute("id");
      std::string place =
          fmt::format("{}, Layer {}", particle, id ? id.value() : std::to_string(in_order.size()));
      warn_of_others(child, place, {"id", "r_edges", "n_bin_alpha"});
      const LayerBinning layer = layer_of(child, place);
      if (id) {
        const auto number = number_of<int>(id.value());
        if (!number || *number < 0 || *number >= kMostLayers)
          fail(place, fmt::format("id=\"{}\" is not a layer number", id.value()));
        if (!by_id.emplace(*number, layer).second) fail(place, "there are two layers with this id");
      }
      in_order.push_back(layer);
    }
    if (in_order.empty()) fail(particle, "has no element Layer");
    if (!by_id.empty()) {
      if (by_id.size() != in_order.size()) fail(particle, "some of its layers have an id, and others do not");
      in_order.clear();
      for (const auto& [id, layer] : by_id) in_order.push_back(layer);
    }
    const bool gaps =
        !by_id.empty() && by_id.rbegin()->first - by_id.begin()->first + 1 != static_cast<int>(by_id.size());
    try {
      if (!gaps)
        if (const auto cylinder = cylinder_of(in_order)) return VoxelMesh(*cylinder);
      if (by_id.empty()) return VoxelMesh(std::move(in_order));
      // A layer's number is its id.
      std::vector<LayerBinning> layers(static_cast<std::size_t>(by_id.rbegin()->first) + 1,
                                       LayerBinning{.r_edges_mm = {0}, .n_phi = 1});
      for (const auto& [id, layer] : by_id) layers[static_cast<std::size_t>(id)] = layer;
      return VoxelMesh(std::move(layers));
    } catch (const core::Error& error) {
      fail(particle, error.what());
    }
  }

  LayerBinning layer_of(const pugi::xml_node& node, const std::string& place) const {
    LayerBinning layer;
    const pugi::xml_attribute edges = node.attribute("r_edges"), n_phi = node.attribute("n_bin_alpha");
    if (!edges) fail(place, "r_edges is missing");
    const std::string text = edges.value();
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string item = text.substr(begin, end - begin);
      const auto number = number_of<double>(item);
      if (!number || !std::isfinite(*number))
        fail(place, fmt::format("r_edges contains \"{}\", which is not a number, in \"{}\"", item, text));
      layer.r_edges_mm.push_back(*number);
      begin = end + 1;
    }
    if (!n_phi) fail(place, "n_bin_alpha is missing");
    const auto number = number_of<int>(n_phi.value());
    if (!number || *number < 1)
      fail(place, fmt::format("n_bin_alpha=\"{}\" is not a whole number of 1 or more", n_phi.value()));
    layer.n_phi = *number;
    return layer;
  }

  static std::optional<VoxelMesh::Cylinder> cylinder_of(const std::vector<LayerBinning>& layers) {
    const LayerBinning& first = layers.front();
    if (!std::all_of(layers.begin(), layers.end(), [&](const LayerBinning& layer) { return layer == first; }))
      return std::nullopt;
    if (first.n_r() == 0 || first.r_edges_mm[0] != 0) return std::nullopt;
    const auto& edges = first.r_edges_mm;
    const double step = edges.back() / first.n_r();
    for (std::size_t i = 0; i < edges.size(); ++i)
      if (!(std::abs(edges[i] - static_cast<double>(i) * step) < 1e-6 * edges.back())) return std::nullopt;
    return VoxelMesh::Cylinder{
        .n_r = first.n_r(), .n_phi = first.n_phi, .n_z = static_cast<int>(layers.size()), .size_r_mm = step};
  }

  fs::path file_;
};

}  // namespace

std::string ParticleBinning::to_string() const {
  std::string text = name;
  if (pid) text = name.empty() ? fmt::format("pid {}", *pid) : fmt::format("{} (pid {})", name, *pid);
  if (text.empty()) text = "no name";
  return eta.empty() ? text : fmt::format("{}, eta {}", text, eta);
}

Binning Binning::read(const fs::path& file, const std::string& particle) {
  Binning result;
  result.file_ = file;
  result.bins_ = Reader(file).read(particle);
  return result;
}

json Binning::to_json() const {
  json list = json::array();
  for (const ParticleBinning& bin : bins_) {
    json entry = {{"mesh", bin.mesh.to_json()}};
    if (!bin.name.empty()) entry["name"] = bin.name;
    if (bin.pid) entry["pid"] = *bin.pid;
    if (!bin.eta.empty()) entry["eta"] = bin.eta;
    list.push_back(std::move(entry));
  }
  return {{"file", file_.filename().string()}, {"bins", list}};
}

Binning Binning::from_json(const json& object) {
  Binning result;
  core::JsonPlace place({}, "binning");
  core::JsonFields fields(object, place);
  std::string file;
  fields("file", file, {.required = true});
  fields("bins", result.bins_, {.required = true});
  fields.done();
  result.file_ = file;
  return result;
}

const VoxelMesh& Binning::mesh(std::uint64_t num_cells, const fs::path& data,
                               const std::string& dataset) const {
  std::vector<ParticleBinning> fitting;
  const VoxelMesh* found = nullptr;
  bool equal = true;
  for (const ParticleBinning& bin : bins_) {
    if (static_cast<std::uint64_t>(bin.mesh.num_cells()) != num_cells) continue;
    equal = equal && (found == nullptr || *found == bin.mesh);
    if (found == nullptr) found = &bin.mesh;
    fitting.push_back(bin);
  }
  if (found == nullptr)
    throw core::InputError({.message = fmt::format("has {} cells per shower, but no mesh of {} has",
                                                   num_cells, file_.filename().string()),
                            .file = data,
                            .field = dataset,
                            .hint = "numbers of cells in the binning file: " + joined(bins_, true)});
  if (!equal)
    throw core::InputError({.message = fmt::format("has {} cells per shower, like several particles of {}",
                                                   num_cells, file_.filename().string()),
                            .file = data,
                            .field = dataset,
                            .hint = fmt::format("choose with --particle: {}", joined(fitting, false))});
  return *found;
}

}  // namespace calo
