#include "app/compile_command.h"

#include <fmt/format.h>

#include "app/pipeline_command.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/compile/argo/argo.h"
#include "kfp/compile/compile.h"
#include "kfp/ir/document.h"
#include "kfp/site/site.h"
#include "pipeline/local_run.h"
#include "pipeline/pipelines.h"

namespace app {

CompileCommand::CompileCommand(CLI::App& pipeline_app, const kfp::Registry& registry)
    : registry_(registry),
      list_(pipeline_app.add_subcommand("list", "Lists the pipelines of this program")),
      compile_(pipeline_app.add_subcommand(
          "compile", "Writes a pipeline for Kubeflow Pipelines (IR YAML) or plain Argo")) {
  compile_
      ->add_option("pipeline", name_,
                   "training, or a compiled pipeline of any origin (YAML): a path with \"/\" or \".\" is a "
                   "file")
      ->required()
      ->type_name("NAME|FILE");
  compile_->add_option("--out", out_, "Output file")->required()->type_name("FILE");
  compile_->add_option("--site", site_, "Site settings (doc/sites.md): image, volumes, labels, resources")
      ->type_name("FILE");
  compile_->add_option("--image", image_, "Image of the program's components, instead of the site's")
      ->type_name("IMAGE");
  compile_
      ->add_option("--target", target_,
                   "kfp, or argo: a plain Workflow for clusters without Kubeflow (section argo of the site)")
      ->check(CLI::IsMember({"kfp", "argo"}))
      ->capture_default_str();
  compile_
      ->add_option("--config", config_,
                   "For argo: YAML file with the parameters of each component under its name")
      ->type_name("FILE");
  compile_
      ->add_option("--set", settings_,
                   "For argo: one parameter, overrides the file: component.parameter=value (for a FILE: "
                   "parameter=value)")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  compile_->footer(
      "Examples:\n  calopipe pipeline compile training --site deploy/sites/cern.yaml --out training.yaml\n"
      "  calopipe pipeline compile training --image registry/calopipe@sha256:… --out training.yaml"
      "\n  calopipe pipeline compile training --target argo --site deploy/sites/cern.yaml "
      "--set input-parameters.data=/eos/… --out workflow.yaml"
      "\n  calopipe pipeline compile other.yaml --target argo --site deploy/sites/cern.yaml --set n=3 "
      "--out workflow.yaml");
}

int CompileCommand::run() {
  if (list_->parsed()) {
    for (const auto& [name, summary] : pipeline::pipeline_names()) fmt::print("{}: {}\n", name, summary);
    return 0;
  }
  std::vector<std::string> components;
  for (const auto& [name, factory] : registry_.all()) components.push_back(name);
  const pipeline::Program program{.image = pipeline::default_image()};
  const bool is_file = pipeline::names_a_file(name_);
  pipeline::ProjectPipeline::Parameters known;
  kfp::ir::Pipeline compiled;
  if (is_file) {
    compiled = kfp::ir::read_pipeline(name_);
    warn_of_readings(compiled);
    check_image(compiled, program.image);
  } else {
    const pipeline::ProjectPipeline project = pipeline::make_pipeline(name_, registry_, program);
    compiled = kfp::dsl::compile(project.pipeline);
    known = project.parameters;
  }
  kfp::Site site = site_.empty() ? kfp::Site() : kfp::Site::read(site_, components);
  if (!image_.empty()) site.set_image(image_);
  site.apply(compiled, program.image);
  if (target_ == "argo") {
    kfp::argo::ArgoOptions options = kfp::argo::options_from_json(site.argo(), site_, "argo");
    const nlohmann::json values = is_file
                                      ? pipeline::file_parameters(compiled, config_, settings_)
                                      : pipeline::pipeline_parameters(registry_, config_, settings_, known);
    for (const auto& [name, value] : values.items()) options.parameters[name] = value;
    core::write_file(out_, kfp::argo::to_yaml(compiled, options));
    return 0;
  }
  if (!config_.empty() || !settings_.empty())
    throw core::UsageError({.message = "values belong to the run, not to the compiled pipeline",
                            .field = config_.empty() ? "set" : "config",
                            .hint = "use them with --target argo"});
  core::write_file(out_, kfp::ir::to_yaml(compiled));
  return 0;
}

// --image replaces the image of this program's components, which a file may not have.
void CompileCommand::check_image(const kfp::ir::Pipeline& compiled, const std::string& own) const {
  if (image_.empty()) return;
  if (compiled.spec.deployment_spec)
    for (const auto& [name, executor] : compiled.spec.deployment_spec->executors)
      if (executor.container && executor.container->image == own) return;
  throw core::UsageError({.message = "replaces " + own + ", which no component of the file has",
                          .field = "image",
                          .hint = "the file names the images of other components"});
}

}  // namespace app
