#include "calo/io/layouts/opened_folder.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>

#include "calo/io/layouts/detail/mlfastsim_names.h"
#include "calo/io/layouts/detail/objects.h"
#include "calo/io/shower_files.h"

namespace calo::layouts {
namespace {

namespace fs = std::filesystem;
using hdf5::File;

constexpr std::size_t kMostRemarksOfAFile = 50;

// All files of a data set stay open; the limit of a process is often 1024.
void allow_open_files(std::size_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count + 256) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, count + 256);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// True if names of files give the same conditions: they distinguish showers of equal bytes.
bool same_conditions(const Content& a, const Content& b) {
  if (a.geometries != b.geometries || a.rows.size() != b.rows.size()) return false;
  for (std::size_t i = 0; i < a.rows.size(); ++i) {
    const auto &left = a.rows[i].conditions, &right = b.rows[i].conditions;
    if (left.size() != right.size()) return false;
    if (!left.empty() && left[0].theta_rad != right[0].theta_rad) return false;
  }
  return true;
}

// True if the names of two files have different geometries or angles.
bool named_differently(const fs::path& a, const fs::path& b) {
  const auto left = parse_file_name(a), right = parse_file_name(b);
  return left && right && (left->geometry != right->geometry || left->angle_deg != right->angle_deg);
}

class Opener {
 public:
  Opener(const fs::path& path, const ReadOptions& options) : options_(options), root_(path) {
    ShowerFiles found = shower_files(path, options.tolerant);
    result_.not_read = std::move(found.not_read);
    result_.other_files = std::move(found.others);
    allow_open_files(found.files.size());
    std::vector<std::optional<Twin>> twins(found.files.size());
    if (found.files.size() > 1) twins = find_twins(found.files);
    auto& files = result_.files;
    files.resize(found.files.size());
    for (std::size_t i = 0; i < files.size(); ++i)
      if (!twins[i]) files[i] = open(found.files[i]);
    for (std::size_t i = 0; i < files.size(); ++i)
      if (twins[i]) files[i] = open_twin(found.files[i], *files[twins[i]->first], twins[i]->same_file);
    std::erase(files, nullptr);
    for (const auto& file : files) look_at(*file);
    check_virtual_sources();
  }

  OpenedFolder result() { return std::move(result_); }

 private:
  std::unique_ptr<OpenedFile> open(const fs::path& path) {
    auto opened = std::make_unique<OpenedFile>(OpenedFile{.file = File::open(path)});
    opened->layout = &layout_of(opened->file);
    opened->content = opened->layout->open(opened->file, options_);
    return opened;
  }

  // Opens a file that repeats another, as a link or a copy: it is skipped or rejected, unless its name gives
  // other conditions.
  std::unique_ptr<OpenedFile> open_twin(const fs::path& path, const OpenedFile& first, bool same_file) {
    const std::string other = name_of(first.file);
    const Remark left_out{.file = path, .text = "is the same file as " + other};
    const bool by_name = first.layout->layout == Layout::kMlFastSim;
    if (same_file && !(by_name && named_differently(path, first.file.path()))) {
      result_.not_read.push_back(left_out);
      return nullptr;
    }
    auto opened = open(path);
    if (!same_conditions(opened->content, first.content)) {
      result_.notes.push_back(
          {.file = path,
           .text = fmt::format("has the same content as {}, but a name with other conditions", other)});
      aliases_.push_back(opened.get());
    } else if (same_file) {
      result_.not_read.push_back(left_out);
      return nullptr;
    } else {
      refuse({.message = fmt::format("is a copy of {}: each of its showers would count twice", other),
              .file = path,
              .hint = "move one of them out of the folder"},
             options_, result_.notes);
    }
    return opened;
  }

  void look_at(OpenedFile& opened) {
    Content& content = opened.content;
    const File& file = opened.file;
    if (std::find(aliases_.begin(), aliases_.end(), &opened) == aliases_.end())
      std::erase_if(content.rows,
                    [&](const Rows& rows) { return is_repeated(file, rows, content.geometries); });
    for (const Rows& rows : content.rows) {
      check_angles(file, rows, content.notes);
      if (rows.conditions.empty())
        content.notes.push_back({.file = file.path(), .object = rows.dataset, .text = "contains no showers"});
    }
    std::vector<Object> rest = objects_beside(file, content.used);
    for (std::size_t i = 0; i < std::min(rest.size(), kMostRemarksOfAFile); ++i)
      result_.not_read.push_back(
          {.file = file.path(), .object = rest[i].name, .text = description(file, rest[i])});
    if (rest.size() > kMostRemarksOfAFile)
      result_.not_read.push_back(
          {.file = file.path(),
           .text = fmt::format("contains {} more objects", rest.size() - kMostRemarksOfAFile)});
    result_.notes.insert(result_.notes.end(), content.notes.begin(), content.notes.end());
  }

  std::string description(const File& file, const Object& object) const {
    if (object.kind == Object::Kind::kDataset)
      if (const auto id = id_of(file, object.name))
        if (const auto met = met_.find(*id); met != met_.end())
          return "is the same dataset as " + met->second.place;
    return object.to_string();
  }

  // True if a link in this file or another led to the dataset before.
  bool is_repeated(const File& file, const Rows& rows, const std::vector<std::string>& geometries) {
    const auto id = id_of(file, rows.dataset);
    if (!id || rows.conditions.empty()) return false;
    const Conditions& condition = rows.conditions[0];
    const std::string place = name_of(file) + ": " + rows.dataset;
    const Met met{.place = place,
                  .conditions = fmt::format("{}, {} MeV, {} rad", geometries.at(condition.geometry),
                                            condition.incident_energy_mev, condition.theta_rad)};
    const auto [first, fresh] = met_.try_emplace(*id, met);
    if (fresh) return false;
    if (first->second.conditions != met.conditions)
      refuse({.message =
                  fmt::format("is a link to the dataset of {}, but has other conditions ({} instead of {})",
                              first->second.place, met.conditions, first->second.conditions),
              .file = file.path(),
              .field = rows.dataset,
              .hint = "delete one of the links"},
             options_, result_.notes);
    result_.not_read.push_back({.file = file.path(),
                                .object = rows.dataset,
                                .text = "is the same dataset as " + first->second.place});
    return true;
  }

  void check_angles(const File& file, const Rows& rows, std::vector<Remark>& notes) const {
    constexpr double kRounding = 1e-5;
    std::size_t bad_theta = 0, bad_phi = 0;
    float theta = 0, phi = 0;  // first invalid values
    for (const Conditions& condition : rows.conditions) {
      if (!(condition.theta_rad >= -kRounding && condition.theta_rad <= std::numbers::pi + kRounding))
        if (bad_theta++ == 0) theta = condition.theta_rad;
      if (!(std::abs(condition.phi_rad) <= 2 * std::numbers::pi + kRounding))
        if (bad_phi++ == 0) phi = condition.phi_rad;
    }
    const auto text = [&](float value, std::size_t count, const char* range) {
      return fmt::format("is {}, which is not an angle in radians{} ({} of {} showers are outside {})", value,
                         value > 2 ? " (degrees?)" : "", count, rows.conditions.size(), range);
    };
    if (bad_theta > 0)
      refuse({.message = text(theta, bad_theta, "0 to pi"),
              .file = file.path(),
              .field = "incident_theta",
              .hint = "angles in files are in radians"},
             options_, notes);
    if (bad_phi > 0)
      notes.push_back(
          {.file = file.path(), .object = "incident_phi", .text = text(phi, bad_phi, "-2 pi to 2 pi")});
  }

  // A virtual dataset gathers showers of other files. If these are inputs too, they would be read twice.
  void check_virtual_sources() {
    std::map<fs::path, std::size_t> given;
    for (std::size_t i = 0; i < result_.files.size(); ++i)
      given.emplace(fs::weakly_canonical(result_.files[i]->file.path()), i);
    for (std::size_t i = 0; i < result_.files.size(); ++i) {
      const File& file = result_.files[i]->file;
      for (const Rows& rows : result_.files[i]->content.rows)
        for (const std::string& source : virtual_sources(file, rows.dataset)) {
          if (source == ".") continue;
          std::error_code ignored;
          const auto found =
              given.find(fs::weakly_canonical(file.path().parent_path() / fs::path(source), ignored));
          if (found == given.end() || found->second == i) continue;
          refuse({.message =
                      fmt::format("gathers the showers of {}, which is also an input: each would count twice",
                                  name_of(result_.files[found->second]->file)),
                  .file = file.path(),
                  .field = rows.dataset,
                  .hint = "give only this file, or only the others"},
                 options_, result_.notes);
        }
    }
  }

  struct Met {
    std::string place, conditions;
  };

  // Name of a file in remarks, independent of the folder's location.
  std::string name_of(const File& file) const {
    const fs::path inside = file.path().lexically_relative(root_);
    return (inside.empty() || inside == "." ? file.path().filename() : inside).string();
  }

  const ReadOptions& options_;
  const fs::path& root_;
  OpenedFolder result_;
  std::vector<const OpenedFile*> aliases_;  // files read again on purpose
  std::map<ObjectId, Met> met_;
};

}  // namespace

OpenedFolder open_folder(const fs::path& path, const ReadOptions& options) {
  return Opener(path, options).result();
}

}  // namespace calo::layouts
