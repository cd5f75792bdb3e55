#include "app/pictures_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "calo/report/page.h"
#include "core/error.h"
#include "core/remote.h"
#include "core/remote_copies.h"
#include "core/staged_output.h"
#include "core/temp_folder.h"
#include "kfp/local/process.h"

namespace app {
namespace {

namespace fs = std::filesystem;

fs::path find_browser(const std::string& wanted) {
  if (!wanted.empty()) return kfp::local::find_program(wanted, {}, {});
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    try {
      return kfp::local::find_program(name, {}, {});
    } catch (const core::InputError&) {
      continue;  // try the next name
    }
  }
  throw core::UnavailableError({.message = "Chromium, which draws the pictures, was not found",
                                .hint = "install the package chromium, or name the program with --browser"});
}

// URL of a file, with all special characters escaped.
std::string address_of(const fs::path& file) {
  std::string text = "file://";
  for (const char c : fs::absolute(file).string()) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("/._-~").find(c) != std::string_view::npos;
    text += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

// Chromium, started once for each picture, with its own profile.
class Browser {
 public:
  explicit Browser(const std::string& program) : program_(find_browser(program)) {}

  // @param output option that names `file`
  void draw(const std::string& address, const std::string& output, const fs::path& file,
            const std::vector<std::string>& options) const {
    std::vector<std::string> all{output + file.string()};
    all.insert(all.end(), options.begin(), options.end());
    const std::string said = open(address, all);
    if (!fs::exists(file) || fs::file_size(file) == 0)
      throw core::UnavailableError(
          {.message = fmt::format("did not draw a picture: {}", said), .file = program_});
  }

  // Names in the address for which the page has no figure, separated by commas.
  std::string unknown_figures(const std::string& address) const {
    const std::string said = open(address, {"--dump-dom"}), start = "data-unknown-figures=\"";
    const std::size_t begin = said.find(start);
    if (begin == std::string::npos)
      throw core::UnavailableError(
          {.message = fmt::format("did not show the report: {}", said.substr(0, 500)), .file = program_});
    return said.substr(begin + start.size(), said.find('"', begin + start.size()) - begin - start.size());
  }

 private:
  // Opens a page and returns what the browser printed.
  std::string open(const std::string& address, const std::vector<std::string>& options) const {
    std::vector<std::string> arguments{program_.string(),
                                       "--headless=new",
                                       "--hide-scrollbars",
                                       "--no-first-run",
                                       "--use-angle=swiftshader",
                                       "--enable-unsafe-swiftshader",
                                       "--virtual-time-budget=30000",
                                       "--user-data-dir=" + (work_ / "profile").string()};
    if (geteuid() == 0)
      arguments.emplace_back("--no-sandbox");  // Chromium refuses to run as root with its sandbox
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.push_back(address);
    kfp::local::Process process({.program = program_, .arguments = arguments, .log = work_ / "log"});
    constexpr int kLongestMs = 120'000, kStepMs = 20;
    for (int waited = 0; !process.poll(); waited += kStepMs) {
      if (waited > kLongestMs)
        throw core::UnavailableError({.message = "did not finish in two minutes", .file = program_});
      std::this_thread::sleep_for(std::chrono::milliseconds(kStepMs));
    }
    return core::read_file(work_ / "log");
  }

  fs::path program_;
  core::TempFolder work_{"pictures"};
};

}  // namespace

PicturesCommand::PicturesCommand(CLI::App& app)
    : subcommand_(
          app.add_subcommand("pictures", "Draws figures of a report as PNG and PDF, for papers and slides")) {
  subcommand_->group("Tools");
  subcommand_->add_option("report", report_, "report.html of validate, run or compare")
      ->required()
      ->type_name("FILE");
  subcommand_->add_option("--png", png_, "Folder for PNG files, one for each figure")->type_name("PATH");
  subcommand_->add_option("--pdf", pdf_, "PDF file for all figures, one below the other")->type_name("FILE");
  subcommand_
      ->add_option("--figures", figures_, "Names of figures; default: the main figures of the condition")
      ->delimiter(',')
      ->type_name("NAME,…");
  subcommand_->add_option("--condition", condition_, "Index of the condition, from 0")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  subcommand_->add_option("--theme", theme_, "Colours: light or dark")
      ->check(CLI::IsMember({"light", "dark"}))
      ->capture_default_str();
  subcommand_->add_option("--width", width_, "Width of each PNG in pixels")
      ->check(CLI::Range(200, 8000))
      ->capture_default_str();
  subcommand_->add_option("--height", height_, "Height of each PNG in pixels")
      ->check(CLI::Range(200, 8000))
      ->capture_default_str();
  subcommand_->add_option("--browser", browser_, "Path of Chromium")->type_name("PROGRAM");
  subcommand_->footer(
      "Examples:\n  calopipe pictures report.html --pdf figures.pdf\n"
      "  calopipe pictures report.html --png figures --figures response,longitudinal_profile --condition 3");
}

void PicturesCommand::run() {
  if (png_.empty() && pdf_.empty())
    throw core::UsageError(
        {.message = "no output is given", .hint = "give --png FOLDER, --pdf FILE or both"});
  core::RemoteCopies copies;
  const fs::path report = copies.local(report_);
  const nlohmann::json data = calo::page_data(report);
  const auto conditions = static_cast<int>(data.at("conditions").size());
  if (condition_ >= conditions)
    throw core::UsageError({.message = fmt::format("there are {} conditions, counted from 0", conditions),
                            .field = "condition"});
  const Browser browser(browser_);
  const auto address = [&](const std::string& figures) {
    return fmt::format("{}#only={}&condition={}&theme={}", address_of(report), figures, condition_, theme_);
  };
  std::vector<std::string> of_condition;
  for (const nlohmann::json& figure :
       data.at("conditions").at(static_cast<std::size_t>(condition_)).at("figures"))
    of_condition.push_back(figure.at("name"));
  const std::string wanted = figures_.empty() ? "main" : fmt::format("{}", fmt::join(figures_, ","));
  if (!figures_.empty()) {
    const std::string unknown = browser.unknown_figures(address(wanted));
    if (!unknown.empty())
      throw core::UsageError(
          {.message = fmt::format("the report has no figure called {}", unknown),
           .field = "figures",
           .hint = fmt::format("figures of this condition: {}", fmt::join(of_condition, ", "))});
  }
  if (!png_.empty()) {
    if (!core::is_url(png_)) fs::create_directories(png_);
    for (const std::string& name : figures_.empty() ? of_condition : figures_) {
      std::string file_name = name;
      std::replace(file_name.begin(), file_name.end(), ':', '_');
      core::StagedOutput file(fs::path(png_) / (file_name + ".png"), core::StagedOutput::Kind::kFile);
      browser.draw(address(name), "--screenshot=", fs::absolute(file.path()),
                   {fmt::format("--window-size={},{}", width_, height_)});
      file.commit();
      fmt::print("{}\n", file.final_path().string());
    }
  }
  if (!pdf_.empty()) {
    core::StagedOutput file(pdf_, core::StagedOutput::Kind::kFile);
    browser.draw(address(wanted), "--print-to-pdf=", fs::absolute(file.path()), {"--no-pdf-header-footer"});
    file.commit();
    fmt::print("{}\n", file.final_path().string());
  }
}

}  // namespace app
