#include "app/showers_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "app/reading_flags.h"
#include "calo/io/convert_showers.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/provenance.h"

namespace app {

ShowersCommand::ShowersCommand(CLI::App& app)
    : subcommand_(app.add_subcommand("showers", "Converts files of showers to another layout")) {
  subcommand_->group("Tools");
  subcommand_->require_subcommand(1);
  convert_ =
      subcommand_->add_subcommand("convert", "Writes showers again in another layout (doc/formats.md)");
  convert_->add_option("in", in_, "File or folder of showers, in any layout")->required()->type_name("IN");
  convert_
      ->add_option(
          "out", out_,
          "File to write; for the layout mlfastsim also a folder (a path without .h5), if there are several "
          "geometries or angles")
      ->required()
      ->type_name("OUT");
  convert_
      ->add_option("--layout", layout_,
                   fmt::format("Layout to write: {}", fmt::join(calo::layout_names(), ", ")))
      ->required()
      ->type_name("NAME");
  convert_
      ->add_option(
          "--drop", drop_,
          "Information that may be lost if the layout cannot hold it: angle, phi, geometry, time; otherwise "
          "its loss is an error")
      ->delimiter(',')
      ->type_name("NAME,…");
  add_reading_options(*convert_, reading_);
  convert_->add_option("--geometries", geometries_, "Only these geometries")
      ->delimiter(',')
      ->type_name("NAME,…")
      ->group("Choosing");
  convert_->add_option("--energies-gev", energies_gev_, "Only these incident energies [GeV]")
      ->delimiter(',')
      ->type_name("GeV,…")
      ->group("Choosing");
  convert_->add_option("--angles-deg", angles_deg_, "Only these angles [deg]")
      ->delimiter(',')
      ->type_name("deg,…")
      ->group("Choosing");
  convert_->footer(
      "Examples:\n  calopipe showers convert dataset_2_1.hdf5 showers.h5 --layout calopipe --geometry SiW\n"
      "  calopipe showers convert data/mlfastsim 64.h5 --layout par04 --energies-gev 64\n"
      "  calopipe showers convert fast.h5 submission.hdf5 --layout calochallenge --drop angle\n"
      "  calopipe showers convert photons.hdf5 photons.h5 --layout calopipe --binning binning.xml --particle "
      "photon");
}

void ShowersCommand::run(core::ThreadPool& pool, bool json) {
  calo::ConvertShowersOptions options{.layout = calo::parse_layout(layout_)};
  for (const std::string& name : drop_) options.drop.insert(calo::parse_droppable(name));
  calo::ReadOptions read = reading_.read_options();
  read.geometries = geometries_;
  read.angles_deg = angles_deg_;
  for (const double energy_gev : energies_gev_) read.energies_mev.push_back(energy_gev * 1000);
  const auto reader = calo::ShowerReader::open(in_, read, pool);
  calo::warn_of_remarks(reader->info());
  core::Provenance provenance{.component = "showers convert",
                              .parameters = {{"layout", layout_},
                                             {"drop", drop_},
                                             {"geometry", reading_.geometry},
                                             {"particle", reading_.particle},
                                             {"axes", reading_.axes},
                                             {"geometries", geometries_},
                                             {"energies_gev", energies_gev_},
                                             {"angles_deg", angles_deg_}},
                              .inputs = {{"in", core::sha256_of_path(in_)}}};
  if (reading_.binning) provenance.inputs["binning"] = core::sha256_of_path(reading_.binning.path);
  options.provenance = provenance.to_json();
  const std::int64_t showers = calo::convert_showers(*reader, options, out_, pool);
  if (json)
    fmt::print("{}\n",
               nlohmann::json({{"out", out_},
                               {"layout", layout_},
                               {"showers", showers},
                               {"mesh", reader->info().mesh.to_json()},
                               {"geometry_meshes", calo::meshes_to_json(reader->info().geometry_meshes)}})
                   .dump(2));
  else
    fmt::print("{}: {} showers, {}\n", out_, showers, layout_);
}

}  // namespace app
