#include "app/components_command.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/staged_output.h"
#include "kfp/compile/compile.h"
#include "kfp/dsl/declared_component.h"
#include "kfp/ir/document.h"
#include "kfp/site/site.h"
#include "pipeline/pipelines.h"

namespace app {

ComponentsCommand::ComponentsCommand(CLI::App& app, const kfp::Registry& registry)
    : registry_(registry),
      subcommand_(app.add_subcommand("components", "Exports the components for use in other pipelines")) {
  subcommand_->group("Tools");
  subcommand_->require_subcommand(1);
  export_ = subcommand_->add_subcommand(
      "export",
      "Writes each component as component YAML, which kfp.components.load_component_from_file loads");
  export_->add_option("--out", out_, "Folder for the files <component>.yaml")->required()->type_name("PATH");
  export_->add_option("--site", site_, "Site settings (doc/sites.md), which name the image")
      ->type_name("FILE");
  export_->add_option("--image", image_, "Image of the components, instead of the site's")
      ->type_name("IMAGE");
  export_->footer(
      "Examples:\n  calopipe components export --image registry/calopipe@sha256:… --out components");
}

void ComponentsCommand::run() {
  kfp::Site site = site_.empty() ? kfp::Site() : kfp::Site::read(site_);
  if (!image_.empty()) site.set_image(image_);
  const pipeline::Program program{.image = pipeline::default_image()};
  for (const auto& [name, factory] : registry_.all()) {
    kfp::ir::Pipeline component = kfp::dsl::compile(
        kfp::dsl::from_declaration(*factory(), {.image = program.image, .command = program.command}));
    site.apply(component, program.image);
    core::write_file(std::filesystem::path(out_) / (name + ".yaml"), kfp::ir::to_yaml(component));
    fmt::print("{}\n", (std::filesystem::path(out_) / (name + ".yaml")).string());
  }
}

}  // namespace app
