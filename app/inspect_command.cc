#include "app/inspect_command.h"

#include <fmt/format.h>

#include "app/reading_flags.h"
#include "calo/io/inspect.h"

namespace app {

InspectCommand::InspectCommand(CLI::App& app)
    : subcommand_(app.add_subcommand("inspect",
                                     "Describes a file or folder of showers, and anything unusual in it")) {
  subcommand_->group("Tools");
  subcommand_->add_option("path", path_, "File or folder of showers")->required()->type_name("PATH");
  add_reading_options(*subcommand_, reading_);
  subcommand_->footer(
      "Examples:\n  calopipe inspect data/mlfastsim\n  calopipe inspect showers.h5 --json\n  calopipe "
      "inspect showers.h5 --binning binning.xml --particle photon");
}

void InspectCommand::run(core::ThreadPool& pool, bool json) {
  calo::ReadOptions options = reading_.read_options();
  options.tolerant = true;
  const auto reader = calo::ShowerReader::open(path_, options, pool);
  const calo::DatasetReport report = calo::inspect(*reader);
  fmt::print("{}", json ? report.to_json().dump(2) + "\n" : report.to_text());
}

}  // namespace app
