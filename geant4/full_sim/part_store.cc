#include "geant4/full_sim/part_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "calo/io/shower_reader.h"
#include "core/error.h"
#include "core/json_file.h"
#include "core/staged_output.h"

namespace geant4 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPlanFile = "plan.json";

// Description of the first entry that differs; empty if none does.
std::string difference(const json& before, const json& now, const std::string& path = "") {
  if (before.is_object() && now.is_object()) {
    for (const auto& [key, value] : now.items()) {
      std::string found = difference(before.contains(key) ? before.at(key) : json(), value,
                                     path.empty() ? key : path + "." + key);
      if (!found.empty()) return found;
    }
    for (const auto& [key, value] : before.items())
      if (!now.contains(key)) return difference(value, json(), path.empty() ? key : path + "." + key);
    return "";
  }
  return before == now ? "" : fmt::format("{} was {} and is now {}", path, before.dump(), now.dump());
}

// True if the folder has only the plan and stored numbers: no parts, and no other files.
bool is_only_begun(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name != kPlanFile && name != "sampling_fraction.json") return false;
  }
  return true;
}

}  // namespace

PartStore::PartStore(Options options) : options_(std::move(options)) {
  const fs::path plan_file = options_.folder / kPlanFile;
  // Which events a file holds depends on the number of events in a part.
  options_.plan["events_per_part"] = options_.events_per_part;
  if (fs::exists(plan_file) && is_only_begun(options_.folder)) {
    // No part was finished: start again.
    std::error_code ignored;
    fs::remove_all(options_.folder, ignored);
  }
  if (fs::exists(plan_file)) {
    const json before = core::read_json(plan_file);
    if (!options_.resume)
      throw core::UsageError(
          {.message = fmt::format("contains {} events of an unfinished simulation", events_done()),
           .file = options_.folder,
           .hint = "continue with --resume, or delete the folder"});
    const std::string found = difference(before, options_.plan);
    if (!found.empty())
      throw core::UsageError({.message = fmt::format("was started with other options: {}", found),
                              .file = options_.folder,
                              .hint = "resume with the same options, or delete the folder"});
    return;
  }
  std::error_code problem;
  if (fs::exists(options_.folder) && !(fs::is_directory(options_.folder) && fs::is_empty(options_.folder)))
    throw core::UsageError({.message = "exists, but has no parts of a simulation",
                            .file = options_.folder,
                            .hint = "name another folder with --parts"});
  fs::create_directories(options_.folder, problem);
  if (problem)
    throw core::UnavailableError(
        {.message = fmt::format("cannot be created: {}", problem.message()), .file = options_.folder});
  core::write_file(plan_file, options_.plan.dump(2) + "\n");
}

std::int64_t PartStore::num_parts() const {
  return (options_.num_events + options_.events_per_part - 1) / options_.events_per_part;
}

std::int64_t PartStore::end_event(std::int64_t part) const {
  return std::min(options_.num_events, (part + 1) * options_.events_per_part);
}

std::filesystem::path PartStore::file(std::int64_t part) const {
  return options_.folder / fmt::format("part-{:08}.h5", part);
}

bool PartStore::has(std::int64_t part) const {
  return fs::exists(file(part));
}

std::int64_t PartStore::events_done() const {
  std::int64_t done = 0;
  for (std::int64_t part = 0; part < num_parts(); ++part)
    if (has(part)) done += end_event(part) - first_event(part);
  return done;
}

void PartStore::write(std::int64_t part, const calo::Showers& showers, core::ThreadPool& pool) {
  const auto writer = calo::ShowerWriter::create(
      file(part),
      {.layout = calo::Layout::kCalopipe, .mesh = options_.mesh, .geometries = {options_.geometry}}, pool);
  writer->append(showers);
  writer->commit();
}

std::optional<double> PartStore::number(const std::string& name) const {
  const fs::path path = options_.folder / (name + ".json");
  if (!fs::exists(path)) return std::nullopt;
  const json value = core::read_json(path);
  if (!value.is_number())
    throw core::InputError({.message = "must be a number", .file = path, .hint = "delete it"});
  return value.get<double>();
}

void PartStore::keep_number(const std::string& name, double value) {
  core::write_file(options_.folder / (name + ".json"), json(value).dump() + "\n");
}

void PartStore::append_all(calo::ShowerWriter& writer, core::ThreadPool& pool,
                           const std::function<void(std::int64_t)>& progress) const {
  for (std::int64_t part = 0; part < num_parts(); ++part) {
    const auto reader = calo::ShowerReader::open(file(part), {}, pool);
    const calo::Showers showers = calo::read_all(*reader);
    if (static_cast<std::int64_t>(showers.size()) != end_event(part) - first_event(part))
      throw core::InputError({.message = fmt::format("has {} showers instead of {}", showers.size(),
                                                     end_event(part) - first_event(part)),
                              .file = file(part),
                              .hint = "delete the file and resume"});
    writer.append(showers);
    progress(end_event(part));
  }
}

void PartStore::remove() {
  std::error_code ignored;
  fs::remove_all(options_.folder, ignored);
}

}  // namespace geant4
