#include "app/inspect_command.h"

#include <fmt/format.h>

#include "calo/io/inspect.h"

namespace app {

InspectCommand::InspectCommand(CLI::App& app)
    : subcommand_(app.add_subcommand("inspect",
                                     "Tells what is in a file or folder of showers, and what is odd in it")) {
  subcommand_->group("Tools");
  subcommand_->add_option("path", path_, "File or folder of showers")->required()->type_name("PATH");
  subcommand_->add_option("--geometry", geometry_, "Geometry, where the files do not name it");
  subcommand_->add_option("--binning", binning_, "CaloChallenge binning file (XML)")->type_name("FILE");
  subcommand_->add_option("--particle", particle_, "Particle of the binning file, where it has several");
  subcommand_->footer("Examples:\n  calopipe inspect data/mlfastsim\n  calopipe inspect showers.h5 --json");
}

void InspectCommand::run(core::ThreadPool& pool, bool json) {
  calo::ReadOptions options{.geometry = geometry_, .tolerant = true};
  if (!binning_.empty()) options.mesh = calo::VoxelMesh::from_binning_xml(binning_, particle_);
  const auto reader = calo::ShowerReader::open(path_, options, pool);
  const calo::DatasetReport report = calo::inspect(*reader);
  fmt::print("{}", json ? report.to_json().dump(2) + "\n" : report.to_text());
}

}  // namespace app
