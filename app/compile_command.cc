#include "app/compile_command.h"

#include <fmt/format.h>

#include "core/staged_output.h"
#include "kfp/compile/compile.h"
#include "kfp/ir/document.h"
#include "kfp/site/site.h"
#include "pipeline/pipelines.h"

namespace app {

CompileCommand::CompileCommand(CLI::App& pipeline_app, const kfp::Registry& registry)
    : registry_(registry),
      list_(pipeline_app.add_subcommand("list", "Lists the pipelines that this program has")),
      compile_(pipeline_app.add_subcommand("compile", "Writes a pipeline for Kubeflow Pipelines (IR YAML)")) {
  compile_->add_option("name", name_, "The pipeline: training")->required()->type_name("NAME");
  compile_->add_option("--out", out_, "The file")->required()->type_name("FILE");
  compile_->add_option("--site", site_, "Site settings (doc/sites.md): image, volumes, labels, resources")
      ->type_name("FILE");
  compile_->add_option("--image", image_, "Image of the components, instead of the site's")->type_name("IMAGE");
  compile_->footer(
      "Examples:\n  calopipe pipeline compile training --site deploy/sites/cern.yaml --out training.yaml\n"
      "  calopipe pipeline compile training --image registry/calopipe@sha256:… --out training.yaml");
}

int CompileCommand::run() {
  if (list_->parsed()) {
    for (const auto& [name, summary] : pipeline::pipeline_names()) fmt::print("{}: {}\n", name, summary);
    return 0;
  }
  std::vector<std::string> components;
  for (const auto& [name, factory] : registry_.all()) components.push_back(name);
  const pipeline::Program program{.image = pipeline::default_image()};
  kfp::ir::Pipeline compiled = kfp::dsl::compile(pipeline::make_pipeline(name_, registry_, program).pipeline);
  kfp::Site site = site_.empty() ? kfp::Site() : kfp::Site::read(site_, components);
  if (!image_.empty()) site.set_image(image_);
  site.apply(compiled, program.image);
  core::write_file(out_, kfp::ir::to_yaml(compiled));
  return 0;
}

}  // namespace app
