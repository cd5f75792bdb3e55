#include "app/compare_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "calo/report/html_report.h"
#include "calo/report/page_data.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/json_file.h"
#include "core/provenance.h"
#include "core/remote.h"
#include "core/staged_output.h"

namespace app {
namespace {

using nlohmann::json;

// Path of a validation's plots: `path` itself, or plots.json in the folder of a validation or a run.
std::filesystem::path plots_file(const std::filesystem::path& path) {
  if (!core::path_exists(path)) throw core::InputError({.message = "does not exist", .file = path});
  if (!core::is_folder(path)) return path;
  std::filesystem::path file = path / "plots.json";
  if (!core::path_exists(file))
    throw core::InputError(
        {.message = "contains no plots.json",
         .file = path,
         .hint = "give the folder that `calopipe validate --out` or `calopipe run --out` wrote"});
  return file;
}

// Name of the given folder or file: "a" for "runs/a/".
std::string name_of(const std::filesystem::path& path) {
  const std::filesystem::path clean = path.has_filename() ? path : path.parent_path();
  return clean.filename() == "plots.json" && clean.has_parent_path() ? name_of(clean.parent_path())
                                                                     : clean.filename().string();
}

}  // namespace

CompareCommand::CompareCommand(CLI::App& app)
    : subcommand_(app.add_subcommand(
          "compare", "Compares several models with one full simulation: a table and a report")) {
  subcommand_->group("Tools");
  subcommand_
      ->add_option("runs", paths_, "Folders of `calopipe validate` or `calopipe run`, or their plots.json")
      ->required()
      ->type_name("PATH …");
  subcommand_
      ->add_option("--label", labels_,
                   "Names of the models, in the same order; default: the names of the folders")
      ->delimiter(',')
      ->type_name("NAME,…");
  subcommand_->add_option("--out", out_, "Folder for report.html, compare.json and table.md")
      ->type_name("PATH")
      ->capture_default_str();
  subcommand_->footer(
      "Examples:\n  calopipe compare run-a run-b --out comparison\n"
      "  calopipe compare a/plots.json b/plots.json --label 'VAE,diffusion'");
}

void CompareCommand::run(bool as_json) {
  if (!labels_.empty() && labels_.size() != paths_.size())
    throw core::UsageError(
        {.message = fmt::format("{} names for {} models", labels_.size(), paths_.size()), .field = "label"});
  std::vector<json> plots;
  std::vector<std::string> names;
  json inputs = json::array();
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const std::filesystem::path file = plots_file(paths_[i]);
    json one = core::read_json(file);
    inputs.push_back({{"sha256", core::sha256_of_path(file)}, {"calopipe", one.value("calopipe", json())}});
    if (one.is_object() && one.contains("models") && one.at("models").size() == 1)
      one["models"][0]["label"] = labels_.empty() ? name_of(paths_[i]) : labels_[i];
    plots.push_back(std::move(one));
    names.push_back(file.string());
  }
  json merged;
  try {
    merged = calo::merge_plots(plots, names);
  } catch (const json::exception& error) {
    throw core::InputError({.message = fmt::format("the plots are incomplete: {}", error.what()),
                            .file = fmt::format("{}", fmt::join(names, ", ")),
                            .hint = "run `calopipe validate` again"});
  }
  merged.erase("calopipe");
  const json provenance = {{"version", core::version()}, {"inputs", inputs}};
  const std::string table = calo::comparison_table(merged);
  core::StagedOutput folder(out_, core::StagedOutput::Kind::kFolder);
  calo::write_comparison_report(folder.path() / "report.html", merged, provenance);
  core::write_file(folder.path() / "table.md", table);
  const json numbers = {
      {"models", merged.at("models")}, {"scores", merged.at("scores")}, {"calopipe", provenance}};
  core::write_file(folder.path() / "compare.json", numbers.dump(2) + "\n");
  folder.commit();
  fmt::print("{}", as_json ? numbers.dump(2) + "\n" : table);
  if (!as_json) fmt::print("report: {}\n", (std::filesystem::path(out_) / "report.html").string());
}

}  // namespace app
