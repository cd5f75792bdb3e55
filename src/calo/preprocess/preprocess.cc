#include "calo/preprocess/preprocess.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "calo/io/repeated_showers.h"
#include "calo/io/response_check.h"
#include "calo/io/shower_writer.h"
#include "calo/shower/energy.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/json_file.h"
#include "core/philox.h"
#include "core/progress.h"
#include "core/remote.h"
#include "core/staged_output.h"

namespace calo {
namespace {

using nlohmann::json;

constexpr std::uint32_t kSplitStream = 0x73706c69;
constexpr std::size_t kBatchBytes = std::size_t{64} << 20;

double degrees(double rad) {
  return rad * 180 / std::numbers::pi;
}

// Selects every k-th shower of a group after a random start, so that each group gives exactly its share.
class Splitter {
 public:
  Splitter(double fraction, std::uint64_t seed) : fraction_(fraction), seed_(seed) {}

  bool hold_out(const std::string& group) {
    if (fraction_ <= 0) return false;
    auto [it, fresh] = groups_.try_emplace(group);
    if (fresh) {
      std::uint64_t key = 1469598103934665603ull;  // FNV-1a: the same on every machine
      for (const char c : group) key = (key ^ static_cast<unsigned char>(c)) * 1099511628211ull;
      it->second = core::Philox(seed_, key, kSplitStream).uniform();
    }
    it->second += fraction_;
    if (it->second < 1) return false;
    it->second -= 1;
    return true;
  }

 private:
  double fraction_;
  std::uint64_t seed_;
  std::map<std::string, double> groups_;
};

void check_limit(const char* field, std::int64_t count, std::int64_t total, double limit) {
  const double share = total > 0 ? static_cast<double>(count) / static_cast<double>(total) : 0;
  if (share > limit)
    throw core::InputError({.message = fmt::format("{} of {} showers ({:.3g}) exceed the limit of {}", count,
                                                   total, share, limit),
                            .field = field,
                            .hint = "look at the data with calopipe inspect, or raise the limit"});
}

json to_list(const std::vector<Remark>& remarks) {
  json list = json::array();
  for (const Remark& remark : remarks)
    list.push_back(
        {{"file", remark.file.generic_string()}, {"object", remark.object}, {"text", remark.text}});
  return list;
}

// @param trained geometries of the training showers; one or more
void set_trained(Transform& transform, const std::map<std::string, TrainedGeometry>& trained) {
  const TrainedGeometry& first = trained.begin()->second;
  transform.min_trained_energy_mev = first.min_energy_mev;
  transform.min_trained_theta_deg = first.min_theta_deg;
  for (const auto& [name, range] : trained) {
    transform.trained_geometries.push_back(name);
    transform.min_trained_energy_mev = std::min(transform.min_trained_energy_mev, range.min_energy_mev);
    transform.max_trained_energy_mev = std::max(transform.max_trained_energy_mev, range.max_energy_mev);
    transform.min_trained_theta_deg = std::min(transform.min_trained_theta_deg, range.min_theta_deg);
    transform.max_trained_theta_deg = std::max(transform.max_trained_theta_deg, range.max_theta_deg);
    if (trained.size() > 1) transform.trained_by_geometry.push_back(range);
  }
  if (trained.size() == 1) transform.mesh = first.mesh;
}

// Remarks with file names relative to the data, so that the report does not depend on their location.
std::vector<Remark> relative_to(const std::filesystem::path& data, std::vector<Remark> remarks) {
  for (Remark& remark : remarks) {
    if (remark.file.empty()) continue;
    const auto inside = remark.file.lexically_relative(data);
    remark.file = inside.empty() || inside == "." ? remark.file.filename() : inside;
  }
  return remarks;
}

}  // namespace

bool has_discrete_energies(const std::vector<Conditions>& conditions) {
  std::set<float> energies;
  for (const Conditions& condition : conditions) {
    if (!std::isfinite(condition.incident_energy_mev)) continue;  // NaN cannot be in a set
    energies.insert(condition.incident_energy_mev);
    if (energies.size() > 64) return false;
  }
  return true;
}

std::string condition_group(const Conditions& condition, const std::string& geometry, bool discrete) {
  const double gev = condition.incident_energy_mev / 1000.0;
  const double angle_deg = std::round(degrees(condition.theta_rad) * 100) / 100;
  if (discrete) return fmt::format("{}, {} GeV, {:.6g} deg", geometry, energy_text(gev), angle_deg);
  const double bin = std::floor(std::log10(std::max(gev, 1e-30)) * 10);
  return fmt::format("{}, {:.4g}-{:.4g} GeV, {:.6g} deg", geometry, std::pow(10, bin / 10),
                     std::pow(10, (bin + 1) / 10), angle_deg);
}

json PreprocessReport::to_json() const {
  json list = json::array();
  for (const Group& group : groups)
    list.push_back({{"group", group.name}, {"showers", group.showers}, {"response", group.response}});
  json others = json::array();
  for (const auto& file : other_files) others.push_back(file.generic_string());
  return {{"cleaning", cleaning.to_json()},
          {"training_showers", training_showers},
          {"holdout_showers", holdout_showers},
          {"hits", num_hits},
          {"cells_per_shower", num_cells},
          {"groups", list},
          {"bad_incident_energies", bad_energies},
          {"repeated_showers", repeated_showers},
          {"notes", to_list(notes)},
          {"not_read", to_list(not_read)},
          {"other_files", others}};
}

std::string PreprocessReport::to_markdown() const {
  std::string text = "# Prepared showers\n\n| | |\n|---|---:|\n";
  const auto row = [&](const char* what, std::int64_t count) {
    text += fmt::format("| {} | {} |\n", what, count);
  };
  row("showers read", cleaning.showers_read);
  row("kept for training", training_showers);
  row("held out", holdout_showers);
  row("dropped: incident energy out of range", cleaning.out_of_energy_range);
  row("dropped: angle out of range", cleaning.out_of_angle_range);
  row("dropped: cells that are NaN or infinite", cleaning.non_finite_showers);
  row("dropped: negative cells", cleaning.negative_showers);
  row("dropped: empty", cleaning.empty_showers);
  row("cells set to zero (below the threshold)", cleaning.cells_below_threshold);
  const double cells =
      static_cast<double>(num_cells) * static_cast<double>(training_showers + holdout_showers);
  text += fmt::format("| cells with energy | {:.3g} % |\n",
                      cells > 0 ? 100 * static_cast<double>(num_hits) / cells : 0);
  text += "\n| group | showers | total / incident energy |\n|---|---:|---:|\n";
  for (const Group& group : groups)
    text += fmt::format("| {} | {} | {:.4f} |\n", group.name, group.showers, group.response);
  const auto section = [&](const char* title, const std::vector<Remark>& remarks) {
    if (remarks.empty()) return;
    text += fmt::format("\n## {}\n\n", title);
    for (const Remark& remark : remarks) text += "- " + remark.to_string() + "\n";
  };
  section("Notes", notes);
  section("Not read", not_read);
  if (!other_files.empty()) text += "\n" + other_files_text(other_files) + "\n";
  return text;
}

PreprocessReport preprocess(ShowerReader& reader, const PreprocessOptions& options,
                            const std::filesystem::path& folder, core::ThreadPool& pool) {
  const DatasetInfo& info = reader.info();
  warn_of_remarks(info);
  const bool discrete = has_discrete_energies(reader.conditions());
  Transform transform{.mesh = info.mesh,
                      .max_energy_mev = options.max_energy_mev,
                      .max_theta_deg = options.max_theta_deg,
                      .one_hot_order = options.one_hot_order,
                      .readout_threshold_mev = options.cleaning.readout_threshold_mev};
  std::vector<float> unused(static_cast<std::size_t>(transform.condition_dim()));
  for (const std::string& geometry : info.geometries) transform.encode({}, geometry, unused);

  WriteOptions write{.layout = Layout::kCalopipe,
                     .mesh = info.mesh,
                     .geometries = info.geometries,
                     .provenance = options.provenance,
                     .geometry_meshes = info.geometry_meshes};
  if (info.peak_memory_bytes > 0) write.attributes["peak_memory_bytes"] = info.peak_memory_bytes;
  const auto training = ShowerWriter::create(folder / "train.h5", write, pool);
  std::unique_ptr<ShowerWriter> holdout;
  if (options.holdout_fraction > 0) holdout = ShowerWriter::create(folder / "holdout.h5", write, pool);

  PreprocessReport report{.num_cells = info.mesh.num_cells()};
  Splitter splitter(options.holdout_fraction, options.seed);
  struct GroupKey {
    std::uint16_t geometry;
    double theta, energy;
    auto operator<=>(const GroupKey&) const = default;  // NOLINT(modernize-use-nullptr): as in inspect
  };
  std::map<GroupKey, PreprocessReport::Group> groups;
  double largest_mev = 0;
  std::map<std::string, TrainedGeometry> trained;
  RepeatedShowers repeated;
  ResponseCheck response_check(info);
  const std::int64_t step = reader.batch_within(kBatchBytes);
  core::Progress progress("preprocess", info.num_showers, "showers");
  for (std::int64_t begin = 0; begin < info.num_showers; begin += step) {
    if (core::interrupt_requested())
      throw core::Interrupted({.message = "preprocess was interrupted; nothing was written"});
    const Showers read = reader.read(begin, step);
    for (std::size_t i = 0; i < read.size(); ++i) {
      const Conditions& condition = read.conditions[i];
      if (!(condition.incident_energy_mev > 0) || !std::isfinite(condition.incident_energy_mev))
        ++report.bad_energies;
      repeated.add(condition, read.cells_of(i), read.energies_of(i));
      response_check.add(begin + static_cast<std::int64_t>(i), condition.incident_energy_mev,
                         read.total_energy_mev(i));
    }
    const Showers kept = clean(read, options.cleaning, report.cleaning);
    Showers to_train(kept.num_cells(), kept.geometries), to_hold(kept.num_cells(), kept.geometries);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const Conditions& condition = kept.conditions[i];
      const std::string& geometry = kept.geometries[condition.geometry];
      const std::string name = condition_group(condition, geometry, discrete);
      const double energy_mev = condition.incident_energy_mev;
      const double bin = discrete ? energy_mev : std::floor(std::log10(energy_mev) * 10);
      auto& group = groups[{condition.geometry, condition.theta_rad, bin}];
      group.name = name;
      ++group.showers;
      group.response += kept.total_energy_mev(i) / energy_mev;
      largest_mev = std::max(largest_mev, energy_mev);
      if (splitter.hold_out(name)) {
        to_hold.append(condition, kept.cells_of(i), kept.energies_of(i));
        continue;
      }
      to_train.append(condition, kept.cells_of(i), kept.energies_of(i));
      const double theta_deg = degrees(condition.theta_rad);
      auto [place, is_new] = trained.try_emplace(geometry);
      TrainedGeometry& range = place->second;
      if (is_new)
        range = {.geometry = geometry,
                 .mesh = info.mesh_of(geometry),
                 .min_energy_mev = energy_mev,
                 .max_energy_mev = energy_mev,
                 .min_theta_deg = theta_deg,
                 .max_theta_deg = theta_deg};
      range.min_energy_mev = std::min(range.min_energy_mev, energy_mev);
      range.max_energy_mev = std::max(range.max_energy_mev, energy_mev);
      range.min_theta_deg = std::min(range.min_theta_deg, theta_deg);
      range.max_theta_deg = std::max(range.max_theta_deg, theta_deg);
    }
    report.num_hits += static_cast<std::int64_t>(kept.num_hits());
    report.training_showers += static_cast<std::int64_t>(to_train.size());
    report.holdout_showers += static_cast<std::int64_t>(to_hold.size());
    training->append(to_train);
    if (holdout) holdout->append(to_hold);
    progress.update(std::min(begin + step, info.num_showers));
  }
  if (const auto error = response_check.error()) throw core::InputError(*error);
  std::vector<Remark> found = response_check.notes();
  report.repeated_showers = repeated.count();
  if (const auto remark = repeated.remark(info)) found.push_back(*remark);
  if (report.bad_energies > 0)
    found.push_back(
        {.text = fmt::format("{} incident energies are not positive numbers: their showers are dropped",
                             report.bad_energies)});
  for (const Remark& note : found) spdlog::warn("{}", note.to_string());
  report.notes = relative_to(info.path, info.notes);
  for (const Remark& note : relative_to(info.path, found)) report.notes.push_back(note);
  report.not_read = relative_to(info.path, info.not_read);
  for (const auto& file : info.other_files) report.other_files.push_back(file.lexically_relative(info.path));
  check_limit("max_bad_fraction", report.cleaning.bad() + report.bad_energies, report.cleaning.showers_read,
              options.max_bad_fraction);
  check_limit("max_dropped_fraction", report.cleaning.dropped(), report.cleaning.showers_read,
              options.max_dropped_fraction);
  if (report.training_showers == 0)
    throw core::InputError(
        {.message = "no shower is left for training",
         .file = info.files.front(),
         .hint = "see the data with calopipe inspect; widen the ranges or lower the threshold"});
  for (auto& [key, group] : groups) {
    group.response /= static_cast<double>(group.showers);
    report.groups.push_back(group);
  }
  if (transform.max_energy_mev <= 0) transform.max_energy_mev = largest_mev;
  set_trained(transform, trained);
  training->commit();
  if (holdout) holdout->commit();
  core::write_file(folder / "transform.json", transform.to_json().dump(2) + "\n");
  core::write_file(folder / "report.json", report.to_json().dump(2) + "\n");
  core::write_file(folder / "report.md", report.to_markdown());
  core::write_file(folder / "calopipe.json", options.provenance.dump(2) + "\n");
  return report;
}

std::vector<std::string> default_encoding(const DatasetInfo& info) {
  std::vector<std::string> par04 = PreprocessOptions{}.one_hot_order;
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const bool known = std::all_of(info.geometries.begin(), info.geometries.end(),
                                 [&](const std::string& name) { return has(par04, name); });
  if (known || (info.mesh.is_cylinder() && has(info.geometries, "unknown"))) return par04;
  std::vector<std::string> names = info.geometries;
  std::sort(names.begin(), names.end());
  spdlog::info("geometries are encoded in the order {}", fmt::join(names, ", "));
  return names;
}

Transform read_transform(const std::filesystem::path& prepared_folder) {
  const std::filesystem::path file = prepared_folder / "transform.json";
  if (!core::path_exists(file))
    throw core::InputError({.message = "is not a prepared data set: transform.json is missing",
                            .file = prepared_folder,
                            .hint = "make one with calopipe preprocess"});
  const json object = core::read_json(file);
  if (!object.is_object()) throw core::InputError({.message = "is not a JSON object", .file = file});
  return core::in_file(file, [&] { return Transform::from_json(object); });
}

std::filesystem::path held_out_showers(const std::filesystem::path& path) {
  const bool prepared = core::is_folder(path) && core::path_exists(path / "transform.json");
  return prepared ? path / "holdout.h5" : path;
}

}  // namespace calo
